package split

import (
	"net"
	"sync/atomic"
	"time"
)

// Parked is the readiness for any net.Conn on any system: each connection has
// a goroutine that waits, without holding a buffer, for the first byte of the
// next frame.
//
// With [NewParked] the work of a [Worker] runs on that goroutine too; work
// that does not return soon loses the reading to another goroutine. The zero
// value starts a goroutine for each piece of work, which costs more.
type Parked struct{ watch *parkWatch }

// NewParked returns a Parked that runs work where it reads. Share one between
// connections.
func NewParked() Parked { return Parked{watch: &parkWatch{}} }

// String returns "parked".
func (Parked) String() string { return "parked" }

// Attach takes over the connection. The descriptor of a plain TCP or Unix
// connection is duplicated and the connection closed, since a file takes less
// memory than what package net holds of a connection.
func (p Parked) Attach(conn net.Conn, early []byte, handler Handler) (Transport, error) {
	begin := parkedBegin{watch: p.watch, handler: handler}
	if len(early) > 0 {
		begin.early = &bytesSource{rest: early}
	}
	return newParked(begin, conn)
}

// parkedStream is the stream of a parked connection.
type parkedStream interface {
	Transport
	parked() *parkedTransport
	// fill waits until the stream has bytes and gives them to the handler. It
	// makes nothing new for each wait.
	fill(unfinished bool) error
}

// parkedBegin is what a parked connection begins with.
type parkedBegin struct {
	watch   *parkWatch // nil if work gets goroutines of its own
	handler Handler
	early   *bytesSource // what came with the handshake; nil for none
}

// parkedTransport is what the streams have in common. It is small: what only
// some connections need is made when they do.
type parkedTransport struct {
	parkedBegin
	resumed atomic.Pointer[chan struct{}] // made by the first pause or Resume
	heard   uint32                        // when Drain was last called, in milliseconds; 0 for never
	closed  atomic.Bool
}

func (t *parkedTransport) parked() *parkedTransport { return t }

// String returns "parked".
func (t *parkedTransport) String() string { return Parked{}.String() }

// seldom is for how many milliseconds a connection is silent before it counts
// as one that mostly waits.
const seldom = 1000

// runParked reads from a stream until that ends or another goroutine does.
func runParked(s parkedStream, verdict Verdict) {
	t := s.parked()
	for verdict != Stop {
		err := t.next(s, verdict)
		if err == ErrWouldBlock {
			continue // a read of zero bytes
		}
		following, workDue := t.handler.Drain(err).Split()
		if err != nil && (following != Pause || verdict == Pause) {
			following = Stop
		}
		verdict = following
		if workDue && !t.work(s, verdict) {
			return
		}
		if silence := t.hear(); verdict == Park && silence >= seldom {
			go runParked(s, Park) // Go never makes a stack that has grown small again, and others wait on 2 KiB
			return
		}
	}
}

// next brings what the handler wants next, or how the stream ended.
func (t *parkedTransport) next(s parkedStream, verdict Verdict) (err error) {
	defer recovered(&err)
	switch {
	case verdict == Pause:
		return t.pause()
	case t.early != nil:
		return t.fillEarly()
	}
	return s.fill(verdict == ReadMore)
}

// hear notes that something came, and returns for how many milliseconds
// nothing had before.
func (t *parkedTransport) hear() (silence uint32) {
	before := t.heard
	t.heard = max(1, uint32(now()/int64(time.Millisecond)))
	if before == 0 {
		return seldom
	}
	return t.heard - before
}

// pause waits until the handler is resumed. What was read and not delivered is
// its first concern then, unless the stream was closed.
func (t *parkedTransport) pause() error {
	<-t.resumption()
	if t.closed.Load() {
		return net.ErrClosed
	}
	return nil
}

// fillEarly hands over bytes that came with the handshake.
func (t *parkedTransport) fillEarly() error {
	err := t.handler.Fill(t.early)
	if len(t.early.rest) == 0 {
		t.early = nil
	}
	return err
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

// Resume ends a pause.
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

// close reports whether it is the first call, and ends a pause then.
func (t *parkedTransport) close() bool {
	if t.closed.Swap(true) {
		return false
	}
	t.Resume()
	return true
}
