package split

import (
	"io"
	"net"
	"testing"

	"go.uber.org/goleak"
)

// faulty is a handler that panics when it is to read.
type faulty struct {
	ended     chan error
	transport Transport
}

func (f *faulty) Fill(io.Reader) error { panic("no memory today") }

func (f *faulty) Drain(err error) Verdict {
	if err == nil {
		return Park
	}
	_ = f.transport.Close()
	f.ended <- err
	return Stop
}

// A panic while one connection is read reaches its handler, on a loop or a
// goroutine that serves others too.
func TestPanicWhileReadingIsTheHandlersEnd(t *testing.T) {
	for name, readiness := range map[string]Readiness{"default": NewReadiness(), "parked": NewParked()} {
		for _, early := range []string{"", "came with the handshake"} {
			t.Run(name+", "+early, func(t *testing.T) {
				defer goleak.VerifyNone(t)
				listener, err := net.Listen("tcp", "127.0.0.1:0")
				must(t, err)
				defer func() { _ = listener.Close() }()
				client, err := net.Dial("tcp", listener.Addr().String())
				must(t, err)
				defer func() { _ = client.Close() }()
				server, err := listener.Accept()
				must(t, err)
				f := &faulty{ended: make(chan error, 1)}
				f.transport, err = readiness.Attach(server, []byte(early), f)
				must(t, err)
				f.transport.Start()
				send(client, "something to read")
				fault, ok := receive(t, "the end", f.ended).(*PanicError)
				if !ok || fault.Value != "no memory today" || len(fault.Stack) == 0 {
					t.Errorf("ended with %v", fault)
				}
				_, err = client.Read(make([]byte, 1)) // the stream is closed
				if err == nil {
					t.Error("the stream is open")
				}
			})
		}
	}
}
