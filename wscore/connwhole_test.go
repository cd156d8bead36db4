package wscore

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// pieces is a stream that gives at most size bytes a read.
type pieces struct {
	rest []byte
	size int
	out  bytes.Buffer
}

func (s *pieces) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), s.size)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (s *pieces) Write(p []byte) (int, error) { return s.out.Write(p) }

// A frame that arrives whole is taken in one go, one in pieces is not: what is
// read, what is answered and how it ends must be the same.
func TestFramesTakenInOneGoAreJudgedAsThoseInPieces(t *testing.T) {
	frame := func(first byte, payload []byte) []byte {
		h := Header{Masked: true, Key: 0x01020304, Length: uint64(len(payload))}
		wire := h.Append(nil)
		wire[0] = first
		at := len(wire)
		wire = append(wire, payload...)
		Mask(wire[at:], h.Key)
		return wire
	}
	text := []byte("Grüße, 世界")
	cases := map[string][]byte{
		"text":                 frame(0x81, text),
		"binary":               frame(0x82, []byte{0xFF, 0}),
		"empty":                frame(0x81, nil),
		"125":                  frame(0x82, make([]byte, 125)),
		"126":                  frame(0x82, make([]byte, 126)),
		"two":                  append(frame(0x81, []byte("one")), frame(0x81, []byte("two"))...),
		"between fragments":    append(append(frame(0x01, []byte("a")), frame(0x89, []byte("p"))...), frame(0x80, []byte("b"))...),
		"inside a message":     append(frame(0x01, []byte("a")), frame(0x81, []byte("b"))...),
		"after a close":        append(frame(0x88, []byte{3, 0xE8}), frame(0x81, []byte("late"))...),
		"not UTF-8":            frame(0x81, []byte("ok\xFFetc")),
		"cut character":        frame(0x81, []byte("ok\xE4\xB8")),
		"too long":             frame(0x82, make([]byte, 1001)),
		"as long as it may be": frame(0x82, make([]byte, 1000)),
		"reserved bit":         frame(0xA1, text),
		"not masked":           {0x81, 0x02, 'h', 'i', 0, 0, 0, 0},
		"long form":            {0x82, 0xFE, 0x00, 0x02, 1, 2, 3, 4, 5, 6},
		"cut off":              frame(0x82, make([]byte, 50))[:30],
	}
	for name, wire := range cases {
		t.Run(name, func(t *testing.T) {
			results := make(map[int]string)
			for _, size := range []int{1 << 20, 1, 3} {
				stream := &pieces{rest: bytes.Clone(wire), size: size}
				conn, err := NewConn(stream, Server, Buffers{Read: make([]byte, 4096), Write: make([]byte, 4096), Message: make([]byte, 1000)}, Options{})
				if err != nil {
					t.Fatal(err)
				}
				var read string
				for {
					m, err := conn.Next()
					if err != nil {
						read += fmt.Sprint(err)
						break
					}
					read += fmt.Sprintf("%v %x %d; ", m.Opcode, m.Payload, m.Code)
					if m.IsData() {
						if err := conn.Send(m); err != nil {
							t.Fatal(err)
						}
					}
				}
				results[size] = fmt.Sprintf("%s, answered %x, %v", read, stream.out.Bytes(), conn.State())
			}
			for size, got := range results {
				if want := results[1<<20]; got != want {
					t.Errorf("in pieces of %d:\n%s\nwhole:\n%s", size, got, want)
				}
			}
		})
	}
}
