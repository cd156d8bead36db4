package actor_test

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
)

// scripted is a readiness for streams whose other end is the test.
type scripted struct{}

func (scripted) String() string { return "scripted" }

func (scripted) Attach(conn net.Conn, _ []byte, handler split.Handler) (split.Transport, error) {
	s := conn.(streamConn).stream
	s.handler = handler
	s.conn = actor.ConnOf(handler)
	return s, nil
}

// streamConn lets a stream pass where a net.Conn is asked for.
type streamConn struct {
	net.Conn
	stream *stream
}

// stream is a transport in memory. The test feeds what the peer says, reads
// what was written, and says how much writing it takes before it blocks.
type stream struct {
	handler split.Handler
	conn    *actor.Conn

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced at every change
	in       []byte
	inErr    error // what ends the input
	out      []byte
	room     int   // bytes taken before writing blocks; negative for any number
	outErr   error // what writing fails with
	resumed  bool
	closed   bool
	halfDone bool // CloseWrite was called
	torn     bool // a write failed, so that the last frame may be cut
	wrong    error
	writing  atomic.Bool
}

func newStream() *stream { return &stream{changed: make(chan struct{}), room: -1} }

// change alters the stream and wakes whoever waits for that.
func (s *stream) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	close(s.changed)
	s.changed = make(chan struct{})
}

// await blocks until the condition holds; false means that the time was up.
func (s *stream) await(limit <-chan time.Time, condition func() bool) bool {
	for {
		s.mu.Lock()
		ok, changed := condition(), s.changed
		s.mu.Unlock()
		if ok {
			return true
		}
		select {
		case <-changed:
		case <-limit:
			return false
		}
	}
}

// feed is what the peer says.
func (s *stream) feed(b []byte) { s.change(func() { s.in = append(s.in, b...) }) }

// finish ends what the peer says: with io.EOF, or with an error.
func (s *stream) finish(err error) {
	s.change(func() {
		if s.inErr == nil {
			s.inErr = err
		}
	})
}

// block lets writing take that many more bytes and then wait.
func (s *stream) block(room int) { s.change(func() { s.room = room }) }

// fail ends writing with an error.
func (s *stream) fail(err error) { s.change(func() { s.outErr = err }) }

// written returns all bytes that were written.
func (s *stream) written() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]byte(nil), s.out...)
}

// verdict returns what the kit did wrong to the transport, and whether the
// last frame may be cut.
func (s *stream) verdict() (torn bool, wrong error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.torn, s.wrong
}

func (s *stream) mistake(text string) { s.change(func() { s.wrong = errors.New(text) }) }

func (s *stream) Start() { go s.run() }

func (s *stream) run() {
	for verdict := split.Park; verdict != split.Stop; {
		var err error
		if verdict == split.Pause {
			err = s.pause()
		} else {
			s.await(nil, func() bool { return s.closed || len(s.in) > 0 || s.inErr != nil })
			err = s.handler.Fill(input{s})
		}
		if err == split.ErrWouldBlock {
			continue
		}
		var workDue bool
		verdict, workDue = s.handler.Drain(err).Split()
		if workDue {
			go s.handler.(split.Worker).Work(false)
		}
		if err != nil && verdict != split.Stop {
			s.mistake("the handler wants to go on after the end of its stream")
			return
		}
	}
}

func (s *stream) pause() error {
	s.await(nil, func() bool { return s.closed || s.resumed })
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resumed = false
	if s.closed {
		return net.ErrClosed
	}
	return nil
}

// input is the reading side.
type input struct{ *stream }

func (i input) Read(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.closed:
		return 0, net.ErrClosed
	case len(i.in) > 0:
		n := copy(p, i.in)
		i.in = i.in[n:]
		return n, nil
	case i.inErr != nil:
		return 0, i.inErr
	}
	return 0, split.ErrWouldBlock
}

var _ io.Reader = input{}

func (s *stream) Resume() { s.change(func() { s.resumed = true }) }

// Write waits for room, for at most the timeout.
func (s *stream) Write(buffers *net.Buffers, timeout time.Duration) (int64, error) {
	if !s.writing.CompareAndSwap(false, true) {
		s.mistake("two goroutines write at once")
	}
	defer s.writing.Store(false)
	limit := time.NewTimer(timeout)
	defer limit.Stop()
	var total int64
	for {
		n, err := s.take(buffers)
		total += n
		if err == split.ErrWouldBlock {
			if s.await(limit.C, func() bool { return s.closed || s.outErr != nil || s.room != 0 }) {
				continue
			}
			err = os.ErrDeadlineExceeded
		}
		if err != nil {
			s.change(func() { s.torn = true })
		}
		return total, err
	}
}

// TryWrite writes what there is room for and never waits.
func (s *stream) TryWrite(buffers *net.Buffers) (int64, error) {
	if !s.writing.CompareAndSwap(false, true) {
		s.mistake("two goroutines write at once")
	}
	defer s.writing.Store(false)
	n, err := s.take(buffers)
	if err != nil && err != split.ErrWouldBlock {
		s.change(func() { s.torn = true })
	}
	return n, err
}

func (s *stream) take(buffers *net.Buffers) (total int64, err error) {
	s.change(func() {
		for err == nil && len(*buffers) > 0 {
			switch first := (*buffers)[0]; {
			case s.closed:
				err = net.ErrClosed
			case s.halfDone:
				err, s.wrong = syscall.EPIPE, errors.New("a write follows CloseWrite")
			case s.outErr != nil:
				err = s.outErr
			case len(first) == 0:
				*buffers = (*buffers)[1:]
			case s.room == 0:
				err = split.ErrWouldBlock
			default:
				n := len(first)
				if s.room >= 0 {
					n = min(n, s.room)
					s.room -= n
				}
				s.out = append(s.out, first[:n]...)
				(*buffers)[0] = first[n:]
				total += int64(n)
			}
		}
	})
	return total, err
}

func (s *stream) CloseWrite() error {
	s.change(func() { s.halfDone = true })
	return nil
}

func (s *stream) Close() error {
	s.change(func() { s.closed = true })
	return nil
}

func (s *stream) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
