package codec

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/wscore"
)

// A contender that echoes something else would make the comparison worthless.
func TestEveryPeerEchoesWhatItGot(t *testing.T) {
	for _, peer := range Peers {
		for _, size := range []int{0, 125, 128, 1 << 10, 64 << 10, Largest} {
			for _, oneARead := range []bool{false, true} {
				payload := Bytes(size)
				stream := NewStream(ClientFrame(payload, false))
				stream.OneARead = oneARead
				run, err := peer.Open(stream, false)
				if err != nil {
					t.Fatal(peer.Name, err)
				}
				stream.Keep, stream.Kept = true, nil
				const messages = 3
				if err := runEcho(peer, run, stream, messages, size, false); err != nil {
					t.Fatal(err)
				}
				got := messagesIn(t, stream.Kept)
				if len(got) != messages {
					t.Fatalf("%s sent %d messages of %s", peer.Name, len(got), SizeName(size))
				}
				for _, m := range got {
					if !bytes.Equal(m.payload, payload) || m.compressed {
						t.Fatalf("%s does not echo %s", peer.Name, SizeName(size))
					}
				}
			}
		}
	}
}

func TestEveryPeerThatDeflatesEchoesCompressed(t *testing.T) {
	payload := JSON(1 << 10)
	for _, peer := range Peers {
		if !peer.Deflates {
			continue
		}
		stream := NewStream(ClientFrame(Deflated(payload), true))
		run, err := peer.Open(stream, true)
		if err != nil {
			t.Fatal(peer.Name, err)
		}
		stream.Keep, stream.Kept = true, nil
		if err := runEcho(peer, run, stream, 3, len(payload), true); err != nil {
			t.Fatal(err)
		}
		got := messagesIn(t, stream.Kept)
		if len(got) != 3 {
			t.Fatalf("%s sent %d messages", peer.Name, len(got))
		}
		for _, m := range got {
			if !m.compressed || len(m.payload) >= len(payload) {
				t.Fatalf("%s did not compress: %d bytes", peer.Name, len(m.payload))
			}
			r := flate.NewReader(io.MultiReader(bytes.NewReader(m.payload), strings.NewReader(tail+"\x01\x00\x00\xff\xff")))
			if inflated, err := io.ReadAll(r); err != nil || !bytes.Equal(inflated, payload) {
				t.Fatalf("%s echoed something else: %v", peer.Name, err)
			}
		}
	}
}

func TestTextIsValidAndAsLongAsAsked(t *testing.T) {
	for _, kind := range []string{"ASCII", "JSON", "CJK", "emoji"} {
		for _, size := range []int{16, 64, 1 << 10} {
			var v wscore.TextValidator
			if p := Text(kind, size); !v.Write(p) || !v.Complete() || len(p) > size || len(p) < size-3 {
				t.Errorf("%s of %d: %d bytes", kind, size, len(p))
			}
		}
	}
}

func TestTandemIsFirstInEveryRow(t *testing.T) {
	for _, row := range Rows() {
		if row.Contenders[0].Name != Tandem || len(row.Contenders) < 2 {
			t.Errorf("%s: %d contenders, %s first", row.Name, len(row.Contenders), row.Contenders[0].Name)
		}
	}
}

type kept struct {
	payload    []byte
	compressed bool
}

// messagesIn takes apart what a server sent; a message may be fragmented.
func messagesIn(t *testing.T, p []byte) (messages []kept) {
	t.Helper()
	var m kept
	begun := false
	for len(p) > 0 {
		h, size, err := wscore.ParseHeader(p)
		if err != nil || size == 0 || h.Masked || uint64(len(p)-size) < h.Length {
			t.Fatalf("not a server's frame: %+v %v", h, err)
		}
		if !begun {
			m, begun = kept{compressed: h.RSV&wscore.RSV1 != 0}, true
		}
		m.payload = append(m.payload, p[size:size+int(h.Length)]...)
		p = p[size+int(h.Length):]
		if h.Fin && !h.Opcode.IsControl() {
			messages, begun = append(messages, m), false
		} else if h.Opcode.IsControl() {
			begun = false // the goodbye of a peer whose stream ended
		}
	}
	return messages
}

func Benchmark(b *testing.B) {
	for _, row := range Rows() {
		for _, c := range row.Contenders {
			b.Run(row.Name+"/"+c.Name, func(b *testing.B) {
				b.SetBytes(int64(row.Bytes))
				c.Run(b)
			})
		}
	}
}
