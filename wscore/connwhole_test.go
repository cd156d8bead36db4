package wscore

import (
	"bytes"
	"fmt"
	"io"
	"strings"
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
		"text":                   frame(0x81, text),
		"binary":                 frame(0x82, []byte{0xFF, 0}),
		"empty":                  frame(0x81, nil),
		"125":                    frame(0x82, make([]byte, 125)),
		"126":                    frame(0x82, make([]byte, 126)),
		"two":                    append(frame(0x81, []byte("one")), frame(0x81, []byte("two"))...),
		"between fragments":      append(append(frame(0x01, []byte("a")), frame(0x89, []byte("p"))...), frame(0x80, []byte("b"))...),
		"inside a message":       append(frame(0x01, []byte("a")), frame(0x81, []byte("b"))...),
		"after a close":          append(frame(0x88, []byte{3, 0xE8}), frame(0x81, []byte("late"))...),
		"not UTF-8":              frame(0x81, []byte("ok\xFFetc")),
		"cut character":          frame(0x81, []byte("ok\xE4\xB8")),
		"too long":               frame(0x82, make([]byte, 1001)),
		"as long as it may be":   frame(0x82, make([]byte, 1000)),
		"reserved bit":           frame(0xA1, text),
		"not masked":             {0x81, 0x02, 'h', 'i', 0, 0, 0, 0},
		"long form":              {0x82, 0xFE, 0x00, 0x02, 1, 2, 3, 4, 5, 6},
		"cut off":                frame(0x82, make([]byte, 50))[:30],
		"text cut off":           frame(0x81, text)[:10],
		"binary between texts":   append(append(frame(0x81, text), frame(0x82, make([]byte, 200))...), frame(0x81, text)...),
		"longer than the window": append(frame(0x82, make([]byte, 400)), frame(0x81, text)...),
	}
	for name, wire := range cases {
		t.Run(name, func(t *testing.T) {
			results := make(map[int]string)
			for _, size := range []int{1 << 20, 1, 3, 7, 20, 230, -1} {
				window := 4096
				if size < 0 { // a window that frames do not end with
					size, window = 1<<20-1, MinBuffer
				}
				stream := &pieces{rest: bytes.Clone(wire), size: size}
				conn, err := NewConn(stream, Server, Buffers{Read: make([]byte, window), Write: make([]byte, 4096), Message: make([]byte, 1000)}, Options{})
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

// A text fails at its first impossible byte, also where a binary frame would be
// waited for.
func TestCutOffTextIsJudgedBeforeTheRestArrives(t *testing.T) {
	wire := frame(Client, finText, "ok\xFFmore that never arrives")
	for end := 6 + 3; end < len(wire); end++ {
		stream := &pieces{rest: wire[:end:end], size: 1 << 20}
		c := newTestConn(t, stream, Server, newBuffers(100), Options{})
		if _, err := c.Next(); err != ErrInvalidText {
			t.Fatalf("after %d bytes: %v", end, err)
		}
		wire = frame(Client, finText, "ok\xFFmore that never arrives") // what was there is unmasked
	}
}

// An echo is framed where the message lies. Neither it nor what follows it in
// the window may change, however often and whatever part of it is sent.
func TestEchoInPlaceLeavesThePayloadAlone(t *testing.T) {
	for _, length := range []int{0, 1, 2, 125, 126, 200, 1000} {
		for _, opcode := range []byte{finText, finBinary} {
			payload := strings.Repeat("x", max(0, length-1)) + "y"[:min(1, length)]
			stream := &tape{in: join(frame(Client, opcode, payload), frame(Client, opcode, "next"), frame(Client, finPing, "p"), frame(Client, finBinary, "last"))}
			c := newTestConn(t, stream, Server, Buffers{make([]byte, 2048), make([]byte, 2048), make([]byte, 2048)}, Options{ManualPong: true})
			m, err := c.Next()
			if err != nil {
				t.Fatal(err)
			}
			var want []byte
			part := m
			for from := range 1 + min(length, 6) {
				part.Payload = m.Payload[from:]
				for _, sent := range []Message{m, part, Text(m.Payload), m} {
					if err := c.Send(sent); err != nil || string(m.Payload) != payload {
						t.Fatalf("%d bytes from %d: %v, the payload is now %q", length, from, err, m.Payload)
					}
					want = append(want, frame(Server, byte(sent.Opcode)|0x80, string(sent.Payload))...)
				}
			}
			if !bytes.Equal(stream.out.Bytes(), want) {
				t.Fatalf("%d bytes: sent % x, want % x", length, stream.out.Bytes(), want)
			}
			for _, next := range []string{"next", "p", "last"} {
				m, err := c.Next()
				if err != nil || string(m.Payload) != next {
					t.Fatalf("%d bytes: then came %q, %v, want %q", length, m.Payload, err, next)
				}
				if err := c.Send(m); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
