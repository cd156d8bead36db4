package actortest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// PipeBuffer is how many bytes each direction of a [Pipe] holds: what is
// written beyond that waits until the other end reads.
const PipeBuffer = 64 << 10

// Pipe returns the two ends of a stream in memory. It behaves as a TCP
// connection does where that matters to a connection on top: both directions
// are buffered ([PipeBuffer]), deadlines can be moved and passed at any time,
// and CloseWrite ends one direction alone. What was written before an end is
// closed can still be read. Unlike [net.Pipe], a write does not wait for a
// read.
//
// Made inside of a [testing/synctest] bubble, its waits and deadlines follow
// the bubble's time.
func Pipe() (net.Conn, net.Conn) {
	a, b := net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2}
	return newPipe(&a, &b)
}

func newPipe(a, b net.Addr) (*end, *end) {
	there, back := newDirection(), newDirection()
	return &end{in: back, out: there, local: a, remote: b}, &end{in: there, out: back, local: b, remote: a}
}

// end is one end of a pipe.
type end struct {
	in, out       *direction
	local, remote net.Addr
}

// Read waits for bytes, the end or the deadline.
func (e *end) Read(p []byte) (int, error) { return e.in.read(p) }

// Write waits for room, the other end to close or the deadline.
func (e *end) Write(p []byte) (int, error) { return e.out.write(p) }

// CloseWrite ends the sending direction: the other end reads what is left and
// then io.EOF.
func (e *end) CloseWrite() error {
	e.out.change(func(d *direction) { d.finished = true })
	return nil
}

// Close ends both directions; the other end still reads what was sent to it.
func (e *end) Close() error {
	e.out.change(func(d *direction) { d.finished, d.writerGone = true, true })
	e.in.change(func(d *direction) { d.readerGone, d.bytes = true, nil })
	return nil
}

// LocalAddr returns an address that looks like one of TCP.
func (e *end) LocalAddr() net.Addr { return e.local }

// RemoteAddr returns that of the other end.
func (e *end) RemoteAddr() net.Addr { return e.remote }

// SetDeadline sets both deadlines.
func (e *end) SetDeadline(t time.Time) error {
	_ = e.SetReadDeadline(t) // neither fails
	return e.SetWriteDeadline(t)
}

// SetReadDeadline bounds reads, also those that wait already.
func (e *end) SetReadDeadline(t time.Time) error {
	e.in.change(func(d *direction) { d.readLimit.set(t, &d.changed) })
	return nil
}

// SetWriteDeadline bounds writes, also those that wait already.
func (e *end) SetWriteDeadline(t time.Time) error {
	e.out.change(func(d *direction) { d.writeLimit.set(t, &d.changed) })
	return nil
}

// direction carries bytes from one end to the other.
type direction struct {
	mu         sync.Mutex
	changed    sync.Cond
	bytes      []byte // written and not read
	finished   bool   // nothing more is written
	writerGone bool
	readerGone bool

	readLimit, writeLimit deadline
}

func newDirection() *direction {
	d := &direction{}
	d.changed.L = &d.mu
	return d
}

// change alters the direction and wakes whoever waits for that.
func (d *direction) change(f func(*direction)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
	d.changed.Broadcast()
}

func (d *direction) read(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		switch {
		case d.readerGone:
			return 0, net.ErrClosed
		case d.readLimit.passed():
			return 0, os.ErrDeadlineExceeded
		case len(d.bytes) > 0:
			n := copy(p, d.bytes)
			d.bytes = d.bytes[:copy(d.bytes, d.bytes[n:])]
			d.changed.Broadcast()
			return n, nil
		case d.finished:
			return 0, io.EOF
		case len(p) == 0:
			return 0, nil
		}
		d.changed.Wait()
	}
}

func (d *direction) write(p []byte) (written int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for {
		switch {
		case d.writerGone:
			return written, net.ErrClosed
		case d.finished, d.readerGone:
			return written, io.ErrClosedPipe
		case d.writeLimit.passed():
			return written, os.ErrDeadlineExceeded
		case len(p) == 0:
			return written, nil
		}
		if n := min(len(p), PipeBuffer-len(d.bytes)); n > 0 {
			d.bytes = append(d.bytes, p[:n]...)
			p, written = p[n:], written+n
			d.changed.Broadcast()
			continue
		}
		d.changed.Wait()
	}
}

// deadline is a time from which on waiting fails; its direction's lock guards
// it.
type deadline struct {
	at    time.Time // zero for none
	timer *time.Timer
}

func (l *deadline) set(at time.Time, changed *sync.Cond) {
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
			changed.L.Lock() // nobody is between looking at the time and waiting
			defer changed.L.Unlock()
			changed.Broadcast()
		})
	}
}

func (l *deadline) passed() bool { return !l.at.IsZero() && !time.Now().Before(l.at) }
