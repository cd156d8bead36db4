package actor

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// netConnPiece is the longest message that a NetConn sends, in bytes; a longer
// Write becomes several.
const netConnPiece = 64 << 10

// BinaryNetConn makes a session that shows its connection as a [net.Conn], for
// protocols of their own that are carried over WebSocket. Once the connection
// is open, serve is called on a goroutine of its own; whoever uses the net.Conn
// then closes it, after serve has returned if need be. A panic in serve closes
// the connection with 1011.
//
//   - Read returns the bytes of binary messages, whose borders are lost. It
//     returns io.EOF once the connection has closed with 1000 or 1001, and a
//     [*ClosedError] if with another code. A text message closes the connection
//     with 1003.
//   - Write sends a binary message, or several if it is longer than 64 KiB. It
//     waits until the stream has taken the message of the Write before.
//   - Deadlines bound those waits, in memory: one that passes gives
//     [os.ErrDeadlineExceeded], as often as one likes, and harms nothing. The
//     count that Write returns is what will be sent.
//   - Close sends a close frame with 1000 behind what was written, and returns
//     at once.
//
// Up to ConnConfig.InboundBytes may wait to be read; then the session waits,
// and reading from the peer pauses, as it does for any session that is slow.
// SessionStallTimeout applies: a net.Conn that is not read from for that long,
// while its peer sends more than these bounds hold, is closed with 1011.
func BinaryNetConn(serve func(net.Conn)) Receiver { return newNetConn(wscore.OpBinary, serve) }

// TextNetConn is [BinaryNetConn] with text messages in both directions. What is
// given to Write must be UTF-8 by itself, or the error is
// [wscore.ErrTextNotUTF8]; a binary message closes the connection with 1003.
func TextNetConn(serve func(net.Conn)) Receiver { return newNetConn(wscore.OpText, serve) }

// ClosedError is the end of a connection where an error is asked for.
type ClosedError struct{ Closed }

// Error names the code, the reason, and who ended the connection why.
func (e *ClosedError) Error() string {
	return fmt.Sprintf("websocket: connection closed: %v %q (%v, %v)", e.Code, e.Reason, e.Initiator, e.Cause)
}

// Unwrap returns the error behind the end, or nil.
func (e *ClosedError) Unwrap() error { return e.Err }

// netConn is a session and a net.Conn at once.
type netConn struct {
	opcode wscore.Opcode
	serve  func(net.Conn)
	conn   *Conn // set before serve is called

	mu      sync.Mutex
	changed sync.Cond
	unread  []*Buffer // none of them empty
	taken   int       // bytes of the first that were read
	pinned  int       // memory of all of them
	over    bool      // the connection has ended
	ended   error     // what Read returns once all is read
	lost    error     // of a message that was not sent
	writing bool      // a Write is at work
	onItsWay,
	closed bool

	readLimit, writeLimit waitLimit
}

func newNetConn(opcode wscore.Opcode, serve func(net.Conn)) *netConn {
	n := &netConn{opcode: opcode, serve: serve}
	n.changed.L = &n.mu
	return n
}

// Receive takes what the connection brings.
func (n *netConn) Receive(c *Context) {
	switch m := c.Message().(type) {
	case Opened:
		n.conn = m.Conn
		n.conn.whenDone(func() { n.change(func() { n.over = true }) })
		go n.run()
	case *Message:
		n.take(m)
	case Closed:
		n.change(func() { n.ended = endOf(m) })
	case Stopped:
		n.change(func() {
			if n.ended == nil {
				n.ended = split.ErrClosed // the session's PID was stopped
			}
		})
	}
}

func endOf(closed Closed) error {
	if closed.Code == wscore.CloseNormal || closed.Code == wscore.CloseGoingAway {
		return io.EOF
	}
	return &ClosedError{closed}
}

func (n *netConn) run() {
	defer func() {
		if v := recover(); v != nil {
			n.conn.host.recovered("session", n.conn, v)
			n.conn.panicked(fmt.Errorf("user of a net.Conn panicked: %v", v))
			_ = n.Close() // nobody else will; it returns nil
		}
	}()
	n.serve(n)
}

func (n *netConn) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	n.changed.Broadcast()
}

// take puts a message down to be read, and waits while too much is.
func (n *netConn) take(m *Message) {
	b := m.Take()
	if b.Opcode() != n.opcode {
		b.Release()
		_ = n.conn.Close(wscore.CloseUnsupportedData, n.opcode.String()+" messages only") // closing already is as good
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || b.Len() == 0 {
		b.Release()
		return
	}
	n.unread = append(n.unread, b)
	n.pinned += b.Cap()
	n.changed.Broadcast()
	for n.pinned >= n.conn.host.config.InboundBytes && !n.over && !n.closed {
		n.changed.Wait()
	}
}

// Read reads what has come, of at most one message.
func (n *netConn) Read(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		switch {
		case n.closed:
			return 0, net.ErrClosed
		case n.readLimit.passed():
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case len(n.unread) > 0:
			first := n.unread[0]
			count := copy(p, first.Payload()[n.taken:])
			if n.taken += count; n.taken == first.Len() {
				n.taken, n.unread[0], n.unread = 0, nil, n.unread[1:]
				n.pinned -= first.Cap()
				first.Release()
				n.changed.Broadcast()
			}
			return count, nil
		case n.ended != nil:
			return 0, n.ended
		}
		n.changed.Wait()
	}
}

// Write sends p.
func (n *netConn) Write(p []byte) (written int, err error) {
	if n.opcode == wscore.OpText && !utf8.Valid(p) {
		return 0, wscore.ErrTextNotUTF8
	}
	if err := n.await(&n.writing); err != nil {
		return 0, err
	}
	defer n.change(func() { n.writing = false })
	for len(p) > 0 {
		if err := n.await(&n.onItsWay); err != nil {
			return written, err
		}
		piece := p[:min(len(p), netConnPiece)]
		for n.opcode == wscore.OpText && len(piece) < len(p) && !utf8.RuneStart(p[len(piece)]) {
			piece = piece[:len(piece)-1]
		}
		b := n.conn.host.pool().Binary(piece)
		b.SetOpcode(n.opcode)
		if err := n.conn.SendNotify(b, n.left); err != nil {
			n.left(err)
			return written, err
		}
		p, written = p[len(piece):], written+len(piece)
	}
	return written, nil
}

// await waits until the flag is free, and sets it.
func (n *netConn) await(flag *bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		switch {
		case n.closed:
			return net.ErrClosed
		case n.lost != nil:
			return n.lost
		case n.writeLimit.passed():
			return os.ErrDeadlineExceeded
		case !*flag:
			*flag = true
			return nil
		}
		n.changed.Wait()
	}
}

// left is called when a message has left, or will not.
func (n *netConn) left(err error) {
	n.change(func() {
		n.onItsWay = false
		if n.lost == nil {
			n.lost = err
		}
	})
}

// Close closes the connection with 1000.
func (n *netConn) Close() error {
	n.change(func() {
		n.closed = true
		for _, b := range n.unread {
			b.Release()
		}
		n.unread, n.pinned = nil, 0
	})
	_ = n.conn.Close(wscore.CloseNormal, "") // closing already is what was asked for
	return nil
}

// connAddr is the local address: the connection's ID.
type connAddr string

// Network returns "websocket".
func (connAddr) Network() string { return "websocket" }

// String returns the connection's ID.
func (a connAddr) String() string { return string(a) }

// LocalAddr returns an address that shows the connection's ID.
func (n *netConn) LocalAddr() net.Addr { return connAddr(n.conn.ID()) }

// RemoteAddr returns the address of the peer.
func (n *netConn) RemoteAddr() net.Addr { return n.conn.RemoteAddr() }

// SetDeadline sets both deadlines.
func (n *netConn) SetDeadline(t time.Time) error {
	n.change(func() { n.readLimit.set(t, &n.changed); n.writeLimit.set(t, &n.changed) })
	return nil
}

// SetReadDeadline bounds Read; the zero time lifts it.
func (n *netConn) SetReadDeadline(t time.Time) error {
	n.change(func() { n.readLimit.set(t, &n.changed) })
	return nil
}

// SetWriteDeadline bounds Write; the zero time lifts it.
func (n *netConn) SetWriteDeadline(t time.Time) error {
	n.change(func() { n.writeLimit.set(t, &n.changed) })
	return nil
}

// waitLimit is a time from which on waiting fails. The lock of those who wait
// guards it.
type waitLimit struct {
	at    time.Time // zero for none
	timer *time.Timer
}

func (l *waitLimit) set(at time.Time, waiting *sync.Cond) {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if l.at = at; at.IsZero() {
		return
	}
	left := time.Until(at)
	l.at = time.Now().Add(left) // by the clock that timers go by
	if left > 0 {
		l.timer = time.AfterFunc(left, func() {
			waiting.L.Lock() // nobody is between looking at the time and waiting
			defer waiting.L.Unlock()
			waiting.Broadcast()
		})
	}
}

func (l *waitLimit) passed() bool { return !l.at.IsZero() && !time.Now().Before(l.at) }
