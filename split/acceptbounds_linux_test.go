package split

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// A listener that pauses for want of room is told when there is some. So the
// acceptor has to know it before its first connection.
func TestListenerIsKnownBeforeItIsWatched(t *testing.T) {
	poller := NewPoller(1)
	a, err := NewAcceptor(AcceptConfig{Decide: func(*Handshake) error { return wscore.Reject(404, "") }, Readiness: poller})
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer func() { _ = listener.Close() }()
	l := &pollListener{acceptor: a, poller: poller, ended: make(chan error, 1)}
	must(t, l.watch(listener.(*net.TCPListener)))
	defer l.stop()
	l.transport.mu.Lock()
	defer l.transport.mu.Unlock()
	equal(t, "what epoll watches an unknown listener for", l.transport.interest, 0)
}

// MaxHandshakes holds for all listeners together, on whichever loops they are.
func TestListenersShareThePlacesOfHandshakes(t *testing.T) {
	twoLoops := NewPoller(2)
	twoLoops.monitor.open.Store(2)
	for name, readiness := range map[string]Readiness{"two loops": twoLoops, "parked": NewParked()} {
		t.Run(name, func(t *testing.T) {
			a := newAcceptTest(t, AcceptConfig{Readiness: readiness, MaxHandshakes: 1}, nil)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			served := make(chan error, 1)
			go func() { served <- a.Serve(listener) }()
			var most atomic.Int64
			a.decides(func(h *Handshake) error {
				most.Store(max(most.Load(), int64(a.Underway())))
				return a.open(h, wscore.Answer{})
			})
			var clients sync.WaitGroup
			for i := range 64 {
				clients.Go(func() {
					conn, err := net.Dial("tcp", []string{a.addr, listener.Addr().String()}[i%2])
					if err != nil {
						t.Error(err)
						return
					}
					defer func() { _ = conn.Close() }()
					_ = conn.SetDeadline(time.Now().Add(patience))
					send(conn, handshakeHead)
					if _, err := io.ReadFull(conn, make([]byte, len(switched))); err != nil {
						t.Error(err)
					}
				})
			}
			clients.Wait()
			a.end()
			equal(t, "the end of Serve", receive(t, "the end of Serve", served), error(ErrAcceptorClosed))
			equal(t, "handshakes at once", most.Load(), 1)
		})
	}
}
