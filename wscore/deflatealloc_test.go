package wscore

import (
	"bytes"
	"testing"
)

// At level 1, a message costs no memory once the buffers have grown to its size,
// in both directions and roles, with and without a dictionary.
func TestCompressedEchoAllocatesNothing(t *testing.T) {
	payload := bytes.Repeat([]byte(`{"user":"ann","text":"hello there"},`), 100)
	bothRoles(t, func(t *testing.T, role Role) {
		for _, opcode := range []Opcode{OpText, OpBinary} {
			for _, send := range []DeflateParams{
				{SendWindowBits: 15}, {SendWindowBits: 12}, {SendWindowBits: 15, SendTakeover: true}, {SendWindowBits: 9, SendTakeover: true},
			} {
				wire := frame(peerOf(role), finContinuation|rsv1|byte(opcode), string(packed(t, payload)))
				stream := &wheel{frames: wire}
				c := newTestConn(t, stream, role, Buffers{make([]byte, 4096), make([]byte, 4096), make([]byte, 8192)},
					Options{Agreed: DeflateParams{Agreed: true, SendWindowBits: send.SendWindowBits, SendTakeover: send.SendTakeover, ReceiveWindowBits: 15}})
				noAllocations(t, func() {
					m, err := c.Next()
					if err != nil || !bytes.Equal(m.Payload, payload) {
						t.Fatal(len(m.Payload), err)
					}
					if err := c.Send(m); err != nil {
						t.Fatal(err)
					}
				})
				if stream.written == 0 || stream.written > 300*len(payload)/4 {
					t.Errorf("%d bytes were written", stream.written)
				}
			}
		}
	})
}

// In pieces, too, through a window that slides.
func TestCompressedEchoInPiecesAllocatesNothing(t *testing.T) {
	payload := bytes.Repeat([]byte(`{"user":"ann","text":"hello there"},`), 1000)
	bothRoles(t, func(t *testing.T, role Role) {
		wire := frame(peerOf(role), finText|rsv1, string(packed(t, payload)))
		stream := &wheel{frames: wire}
		c := newTestConn(t, stream, role, Buffers{make([]byte, 4096), make([]byte, 4096), make([]byte, 4096)},
			Options{Agreed: DeflateParams{Agreed: true, SendWindowBits: 15, ReceiveWindowBits: 15}})
		noAllocations(t, func() {
			for total, final := 0, false; !final; {
				piece, last, err := c.NextPiece()
				if err != nil {
					t.Fatal(err)
				}
				if err := c.SendPiece(piece, last); err != nil {
					t.Fatal(err)
				}
				if total, final = total+len(piece.Payload), last; final && total != len(payload) {
					t.Fatal(total)
				}
			}
		})
	})
}
