package split

import (
	"net"
	"testing"

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
