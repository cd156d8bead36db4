package split

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Parked is the readiness for any net.Conn on any system: each connection has
// a goroutine that waits, without holding a buffer, for the first byte of the
// next frame.
type Parked struct{}

// String returns "parked".
func (Parked) String() string { return "parked" }

// Attach takes over the connection.
func (Parked) Attach(conn net.Conn, early []byte, handler Handler) (Transport, error) {
	t := &parkedTransport{conn: conn, handler: handler, early: early, resumed: make(chan struct{}, 1), timed: true}
	t.wait = newWaiter(t)
	t.worker, _ = handler.(Worker)
	return t, nil
}

// waiter waits until the stream has bytes and gives them to the handler. It
// makes nothing new for each wait.
type waiter interface {
	fill(unfinished bool) error
}

type parkedTransport struct {
	conn    net.Conn
	handler Handler
	worker  Worker // the handler, if it is one
	early   []byte
	wait    waiter
	resumed chan struct{}
	closed  atomic.Bool
	once    sync.Once
	failure error

	// Touched by whoever writes only.
	attempt *attempt // made by the first TryWrite that the stream allows
	timed   bool     // a write deadline may be set, also by who had the stream before
}

func (t *parkedTransport) Start() { go t.run() }

func (t *parkedTransport) run() {
	verdict := Park
	if len(t.early) > 0 {
		verdict = t.drainEarly()
	}
	for {
		if verdict == Pause {
			verdict = t.pause()
		}
		if verdict == Stop {
			return
		}
		err := t.wait.fill(verdict == ReadMore)
		if err == ErrWouldBlock {
			continue // a read of zero bytes
		}
		verdict = t.drain(err)
		if err != nil && verdict != Pause {
			return
		}
	}
}

// drain lets the handler deal with what came, and starts its work.
func (t *parkedTransport) drain(err error) Verdict {
	verdict, workDue := t.handler.Drain(err).Split()
	if workDue && t.worker != nil {
		spawn(t.worker)
	}
	return verdict
}

// pause waits until the handler, resumed, wants something else. What was read
// and not delivered is its first concern then, unless the stream was closed.
func (t *parkedTransport) pause() Verdict {
	for {
		<-t.resumed
		if t.closed.Load() {
			t.drain(net.ErrClosed)
			return Stop
		}
		if verdict := t.drain(nil); verdict != Pause {
			return verdict
		}
	}
}

// drainEarly hands over the bytes that came with the handshake.
func (t *parkedTransport) drainEarly() Verdict {
	source := &bytesSource{rest: t.early}
	t.early = nil
	for {
		err := t.handler.Fill(source)
		if err == ErrWouldBlock {
			return Park
		}
		verdict := t.drain(err)
		if verdict == Pause {
			verdict = t.pause()
		}
		if verdict == Stop || len(source.rest) == 0 {
			return verdict
		}
	}
}

// bytesSource reads from memory and then has nothing more at the moment.
type bytesSource struct{ rest []byte }

func (s *bytesSource) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, ErrWouldBlock
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

func (t *parkedTransport) Resume() {
	select {
	case t.resumed <- struct{}{}:
	default:
	}
}

func (t *parkedTransport) Write(buffers *net.Buffers, timeout time.Duration) (int64, error) {
	t.timed = true
	if err := t.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	return buffers.WriteTo(t.conn)
}

func (t *parkedTransport) TryWrite(buffers *net.Buffers) (int64, error) {
	if t.attempt == nil {
		if t.attempt = newAttempt(t.conn); t.attempt == nil {
			return 0, ErrWouldBlock
		}
	}
	if t.timed { // one that has passed would fail the attempt
		if err := t.conn.SetWriteDeadline(time.Time{}); err != nil {
			return 0, err
		}
		t.timed = false
	}
	return t.attempt.write(buffers)
}

func (t *parkedTransport) CloseWrite() error {
	if half, ok := t.conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (t *parkedTransport) Close() error {
	t.once.Do(func() {
		t.closed.Store(true)
		t.Resume()
		t.failure = t.conn.Close()
	})
	return t.failure
}

func (t *parkedTransport) RemoteAddr() net.Addr { return t.conn.RemoteAddr() }

// byteWaiter waits in a read of one byte, which works for TLS and every other
// stream. Between frames that byte is always the first of a header, so reading
// on for the rest never waits for a message that is already whole.
type byteWaiter struct {
	conn    net.Conn
	handler Handler
	first   afterByte
}

func newByteWaiter(t *parkedTransport) *byteWaiter {
	return &byteWaiter{conn: t.conn, handler: t.handler, first: afterByte{conn: t.conn}}
}

func (w *byteWaiter) fill(unfinished bool) error {
	if unfinished {
		return w.handler.Fill(w.conn)
	}
	for {
		n, err := w.conn.Read(w.first.byte[:])
		if n == 1 {
			return w.handler.Fill(&w.first)
		}
		if err != nil {
			return err
		}
	}
}

// afterByte reads the byte that was waited for and what follows it.
type afterByte struct {
	conn net.Conn
	byte [1]byte
}

func (s *afterByte) Read(p []byte) (int, error) {
	p[0] = s.byte[0]
	if len(p) == 1 {
		return 1, nil
	}
	n, err := s.conn.Read(p[1:])
	if err == io.EOF {
		err = nil // the next read meets it again
	}
	return n + 1, err
}
