package wscore

import (
	"strings"
	"testing"
)

// wheel is a stream on which the same frames arrive for ever and what is
// written is only counted.
type wheel struct {
	frames  []byte
	at      int
	written int
}

func (w *wheel) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		copied := copy(p[n:], w.frames[w.at:])
		n += copied
		if w.at += copied; w.at == len(w.frames) {
			w.at = 0
		}
	}
	return n, nil
}

func (w *wheel) Write(p []byte) (int, error) {
	w.written += len(p)
	return len(p), nil
}

var allocationSizes = []int{16, 128, 1 << 10, 4 << 10, 64 << 10}

// noAllocations fails if run allocates, after it ran once to warm up.
func noAllocations(t *testing.T, run func()) {
	t.Helper()
	if n := testing.AllocsPerRun(200, run); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

func TestDecoderAllocatesNothing(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		for _, size := range allocationSizes {
			input := join(
				frame(peerOf(role), finText, strings.Repeat("x", size)),
				frame(peerOf(role), moreBinary, "a"), frame(peerOf(role), finPing, "p"), frame(peerOf(role), finContinuation, "b"),
			)
			d, _ := newTestDecoder(t, role, Limits{})
			memory := make([]byte, len(input))
			t.Run(sizeName(size), func(t *testing.T) {
				noAllocations(t, func() {
					for rest := memory[:copy(memory, input)]; len(rest) > 0; {
						_, used, err := d.Decode(rest)
						if err != nil || used == 0 {
							t.Fatal(used, err)
						}
						rest = rest[used:]
					}
				})
			})
		}
	})
}

func TestEncoderAllocatesNothing(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		for _, size := range allocationSizes {
			e := NewEncoder(role, &Lifecycle{}, nil)
			payload := []byte(strings.Repeat("x", size))
			dst := make([]byte, 0, size+MaxHeaderSize)
			t.Run(sizeName(size), func(t *testing.T) {
				noAllocations(t, func() {
					if _, err := e.AppendMessage(dst, OpText, payload); err != nil {
						t.Fatal(err)
					}
					if _, err := e.DataHeader(OpBinary, true, size); err != nil {
						t.Fatal(err)
					}
					if _, err := e.AppendControl(dst, OpPing, payload[:16]); err != nil {
						t.Fatal(err)
					}
				})
			})
		}
	})
}

func TestConnEchoAllocatesNothing(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		for _, size := range allocationSizes {
			for _, kind := range []struct {
				name   string
				frames []byte
				send   func(c *Conn, m Message) error
			}{
				{"text", frame(peerOf(role), finText, strings.Repeat("é", size/2)), (*Conn).Send},
				{"binary", frame(peerOf(role), finBinary, strings.Repeat("x", size)), (*Conn).Send},
				{"fragmented", join(frame(peerOf(role), moreBinary, strings.Repeat("x", size/2)), frame(peerOf(role), finContinuation, strings.Repeat("y", size/2))),
					func(c *Conn, m Message) error { return c.SendFragmented(m, len(m.Payload)/3+1) }},
			} {
				t.Run(kind.name+"/"+sizeName(size), func(t *testing.T) {
					stream := &wheel{frames: kind.frames}
					c := newTestConn(t, stream, role, Buffers{make([]byte, 4096), make([]byte, 4096), make([]byte, 64<<10)}, Options{})
					noAllocations(t, func() {
						m, err := c.Next()
						if err != nil || len(m.Payload) != size {
							t.Fatal(len(m.Payload), err)
						}
						if err := kind.send(c, m); err != nil {
							t.Fatal(err)
						}
					})
					if stream.written == 0 {
						t.Error("nothing was echoed")
					}
				})
			}
		}
	})
}

func TestConnPingsAndPongsAllocateNothing(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		payload := strings.Repeat("p", MaxControlPayload)
		stream := &wheel{frames: join(frame(peerOf(role), finPing, payload), frame(peerOf(role), finPong, payload))}
		c := newTestConn(t, stream, role, newBuffers(1), Options{})
		ping := PingMessage([]byte(payload))
		noAllocations(t, func() {
			for range 2 {
				if _, err := c.Next(); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Send(ping); err != nil {
				t.Fatal(err)
			}
		})
		if stream.written == 0 {
			t.Error("no pong was sent")
		}
	})
}

// What a peer breaks costs no memory either, however often it is asked about.
func TestErrorsAllocateNothing(t *testing.T) {
	lifecycle := &Lifecycle{}
	limits, _ := Limits{}.WithDefaults()
	input := []byte{0xFF, 0xFF}
	noAllocations(t, func() {
		d := Decoder{role: Server, lifecycle: lifecycle, limits: &limits}
		if _, _, err := d.Decode(input); err != ErrReservedOpcode {
			t.Fatal(err)
		}
		if _, _, err := d.Decode(input); err != ErrReservedOpcode {
			t.Fatal(err)
		}
	})
}

// A message in pieces costs no memory, in either direction and role.
func TestEchoInPiecesAllocatesNothing(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		wire := join(frame(peerOf(role), moreText, strings.Repeat("é", 5000)), frame(peerOf(role), finPing, "p"), frame(peerOf(role), finContinuation, strings.Repeat("x", 9000)))
		stream := &wheel{frames: wire}
		c := newTestConn(t, stream, role, newBuffers(1), Options{})
		noAllocations(t, func() {
			for total, final := 0, false; !final || total != 19_000; {
				piece, last, err := c.NextPiece()
				if err != nil {
					t.Fatal(err)
				}
				if piece.IsPing() {
					continue
				}
				if err := c.SendPiece(piece, last); err != nil {
					t.Fatal(err)
				}
				total, final = total+len(piece.Payload), last
			}
		})
		if stream.written == 0 {
			t.Error("nothing was echoed")
		}
	})
}
