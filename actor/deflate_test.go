package actor_test

import (
	"bytes"
	"fmt"
	"net"
	"testing"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

// A client that offers compression gets it, in every variant, and the harness
// proves that dictionaries and compressors are given back.
func TestCompressionThroughTheWholeStack(t *testing.T) {
	for _, takeover := range []bool{false, true} {
		t.Run(fmt.Sprintf("takeover %v", takeover), func(t *testing.T) {
			config := wscore.DeflateConfig{SendTakeover: takeover, ReceiveTakeover: takeover, Threshold: 16}
			h := serve(t, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{Deflate: &config}})
			for _, bits := range []int{9, 15} {
				stream, err := net.Dial("tcp", h.addr)
				must(t, err)
				t.Cleanup(func() { _ = stream.Close() })
				offer := config
				offer.SendWindowBits, offer.ReceiveWindowBits = bits, bits
				conn, _, err := wscore.Connect(stream, wscore.Buffers{Read: make([]byte, 4096), Write: make([]byte, 4096), Message: make([]byte, 1<<20)},
					wscore.ConnectOptions{Host: h.addr, Options: wscore.Options{Deflate: &offer}})
				must(t, err)
				if agreed := conn.Deflate(); !agreed.Agreed || agreed.SendTakeover != takeover || agreed.ReceiveWindowBits != bits {
					t.Fatalf("agreed on %+v", agreed)
				}
				for size := 0; size < 300_000; size = size*3 + 1 {
					var text bytes.Buffer
					for text.Len() < size {
						fmt.Fprintf(&text, `{"id":%d,"user":"ann"},`, text.Len()*7919)
					}
					payload := text.Bytes()[:size]
					must(t, conn.Send(wscore.Text(payload)))
					m := nextData(t, conn)
					if !m.IsText() || !bytes.Equal(m.Payload, payload) {
						t.Fatalf("%d bytes came back of %d", len(m.Payload), size)
					}
				}
				must(t, conn.Close(wscore.CloseNormal, ""))
			}
		})
	}
}

// nextData skips the server's pings.
func nextData(t *testing.T, conn *wscore.Conn) wscore.Message {
	t.Helper()
	for {
		m, err := conn.Next()
		must(t, err)
		if m.IsData() {
			return m
		}
	}
}
