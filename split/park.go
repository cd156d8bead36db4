package split

import (
	"io"
	"net"
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
	t := &parkedTransport{conn: conn, handler: handler, timed: true}
	t.wait = newWaiter(t)
	if len(early) > 0 {
		t.early = &bytesSource{rest: early}
	}
	return t, nil
}

// waiter waits until the stream has bytes and gives them to the handler. It
// makes nothing new for each wait.
type waiter interface {
	fill(unfinished bool) error
}

// tryWriter is a waiter on a stream that can be written to without waiting.
type tryWriter interface {
	tryWrite(buffers *net.Buffers) (int64, error)
}

// parkedTransport is small: what only some connections need is made when they
// do.
type parkedTransport struct {
	conn    net.Conn
	handler Handler
	wait    waiter
	early   *bytesSource                  // nil for none
	resumed atomic.Pointer[chan struct{}] // made by the first pause or Resume
	heard   int64                         // when Drain was last called; 0 for never
	closed  atomic.Bool
	remote  net.Addr // of the peer, where the connection does not know it
	timed   bool     // a write deadline may be set, also by who had the stream before; for who writes
}

func (t *parkedTransport) Start() { go t.start() }

// start is called on a goroutine of its own.
func (t *parkedTransport) start() {
	verdict := Park
	if t.early != nil {
		verdict = t.drainEarly()
	}
	t.run(verdict)
}

// seldom is how long a connection is silent before it counts as one that
// mostly waits.
const seldom = int64(time.Second)

func (t *parkedTransport) run(verdict Verdict) {
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
		if silence := t.hear(); verdict == Park && silence >= seldom {
			go t.run(Park) // Go never makes a stack that has grown small again, and others wait on 2 KiB
			return
		}
	}
}

// hear notes that something came, and returns how long nothing had before.
func (t *parkedTransport) hear() (silence int64) {
	before := t.heard
	t.heard = now()
	if before == 0 {
		return seldom
	}
	return t.heard - before
}

// drain lets the handler deal with what came, and starts its work.
func (t *parkedTransport) drain(err error) Verdict {
	verdict, workDue := t.handler.Drain(err).Split()
	if workDue {
		if worker, ok := t.handler.(Worker); ok {
			spawn(worker)
		}
	}
	return verdict
}

// pause waits until the handler, resumed, wants something else. What was read
// and not delivered is its first concern then, unless the stream was closed.
func (t *parkedTransport) pause() Verdict {
	for {
		<-t.resumption()
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
	source := t.early
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
	case t.resumption() <- struct{}{}:
	default:
	}
}

// resumption returns the channel that ends a pause. Most connections never
// pause.
func (t *parkedTransport) resumption() chan struct{} {
	if resumed := t.resumed.Load(); resumed != nil {
		return *resumed
	}
	resumed := make(chan struct{}, 1)
	if t.resumed.CompareAndSwap(nil, &resumed) {
		return resumed
	}
	return *t.resumed.Load()
}

func (t *parkedTransport) Write(buffers *net.Buffers, timeout time.Duration) (int64, error) {
	t.timed = true
	if err := t.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	return buffers.WriteTo(t.conn)
}

func (t *parkedTransport) TryWrite(buffers *net.Buffers) (int64, error) {
	w, ok := t.wait.(tryWriter)
	if !ok {
		return 0, ErrWouldBlock
	}
	if t.timed { // one that has passed would fail the attempt
		if err := t.conn.SetWriteDeadline(time.Time{}); err != nil {
			return 0, err
		}
		t.timed = false
	}
	return w.tryWrite(buffers)
}

func (t *parkedTransport) CloseWrite() error {
	if half, ok := t.conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (t *parkedTransport) Close() error {
	if t.closed.Swap(true) {
		return nil
	}
	t.Resume()
	return t.conn.Close()
}

func (t *parkedTransport) RemoteAddr() net.Addr {
	if t.remote != nil {
		return t.remote
	}
	return t.conn.RemoteAddr()
}

// SetRemoteAddr says what the peer's address is. It is called before Start.
func (t *parkedTransport) SetRemoteAddr(remote net.Addr) { t.remote = remote }

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
