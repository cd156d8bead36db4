package actortest

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// backlog is how many streams may wait to be accepted; a further Dial waits.
const backlog = 128

// Listener accepts streams in memory, each a [Pipe]: for http.Server.Serve and
// for everything else that takes a net.Listener. Its addresses look like TCP
// addresses on loopback, with a port of its own for each stream.
type Listener struct {
	waiting chan net.Conn
	closed  chan struct{}
	once    sync.Once
	dialed  atomic.Int32
}

// NewListener returns an open listener.
func NewListener() *Listener {
	return &Listener{waiting: make(chan net.Conn, backlog), closed: make(chan struct{})}
}

// Accept returns the accepting end of the next stream, or [net.ErrClosed].
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case stream := <-l.waiting:
		return stream, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the listener, and the streams that nobody accepted.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	for {
		select {
		case stream := <-l.waiting:
			_ = stream.Close() // a pipe's Close does not fail
		default:
			return nil
		}
	}
}

// Addr returns 127.0.0.1:80, where nothing listens.
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// firstPort begins the ports for which nobody registers (RFC 6335 section 6).
const firstPort = 49152

// Dial returns the dialing end of a new stream without waiting for it to be
// accepted. The error is [net.ErrClosed].
func (l *Listener) Dial() (net.Conn, error) { return l.DialContext(context.Background(), "", "") }

// DialContext is [Listener.Dial] with a context that ends the wait for room
// among the streams that nobody has accepted. Network and address are not
// looked at: it fits http.Transport.DialContext.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	from := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: firstPort + int(l.dialed.Add(1)-1)%(1<<16-firstPort)}
	ours, theirs := newPipe(from, l.Addr())
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case l.waiting <- theirs:
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	select {
	case <-l.closed:
		_ = l.Close() // the stream may have come too late for the first
	default:
	}
	return ours, nil
}
