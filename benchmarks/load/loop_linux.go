package load

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tandem-ws/tandem/benchmarks/internal/epollwait"
)

const (
	readBytes  = 256 << 10
	eventBatch = 512
	// pollPause is how often a loop without events looks at the time.
	pollPause = 20 * time.Millisecond
	// stallTime is how long a server may say nothing while replies are due.
	stallTime = 10 * time.Second
)

// ErrStalled says that a server stopped answering.
var ErrStalled = errors.New("no reply for too long")

// conn is one client connection.
type conn struct {
	checker
	fd       int
	index    int    // in the loop
	watched  uint32 // epoll events
	sent     int    // messages begun
	received int
	out      []byte          // rest of what is being written
	stamps   []time.Duration // when the messages in flight were sent, by number
	hand     *handshake      // until it is done
	slow     bool            // never reads
	gone     bool
}

// loop owns the connections of a run. Everything happens on one thread.
type loop struct {
	epoll  int
	conns  []*conn
	buffer []byte
	events []unix.EpollEvent
	start  time.Time
}

func newLoop() (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll: %w", err)
	}
	return &loop{epoll: epoll, buffer: make([]byte, readBytes), events: make([]unix.EpollEvent, eventBatch), start: time.Now()}, nil
}

// now is the time since the loop was made.
func (l *loop) now() time.Duration { return time.Since(l.start) }

// close resets every connection, so that no port stays behind.
func (l *loop) close() {
	for _, c := range l.conns {
		c.shut()
	}
	_ = unix.Close(l.epoll)
}

func (c *conn) shut() {
	if !c.gone {
		c.gone = true
		_ = unix.SetsockoptLinger(c.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		_ = unix.Close(c.fd)
	}
}

// wait handles the events of one epoll_wait.
func (l *loop) wait(pause time.Duration, handle func(c *conn, events uint32) error) error {
	// Rounded up: a wait of zero would spin.
	n, err := epollwait.Wait(l.epoll, l.events, int((pause+time.Millisecond-1)/time.Millisecond))
	if err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("epoll: %w", err)
	}
	for i := range max(n, 0) {
		index := l.events[i].Fd
		if err := handle(l.conns[index], l.events[i].Events); err != nil {
			return fmt.Errorf("connection %d: %w", index, err)
		}
	}
	return nil
}

// watch changes what epoll reports of a connection.
func (l *loop) watch(c *conn, events uint32, operation int) error {
	if c.watched == events && operation == unix.EPOLL_CTL_MOD {
		return nil
	}
	c.watched = events
	if err := unix.EpollCtl(l.epoll, operation, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.index)}); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	return nil
}

// read reads once and returns how many messages that completed.
func (l *loop) read(c *conn) (int, error) {
	n, err := unix.Read(c.fd, l.buffer)
	switch {
	case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("%w: %w", ErrClosed, err)
	case n == 0:
		return 0, ErrClosed
	}
	return c.feed(l.buffer[:n])
}

// write sends what waits, and reports whether all of it left.
func (c *conn) write() (bool, error) {
	for {
		if len(c.out) == 0 {
			// A pong goes between messages, never into one.
			if len(c.pongs) == 0 {
				return true, nil
			}
			c.out, c.pongs = c.pongs, nil
		}
		n, err := unix.Write(c.fd, c.out)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return false, nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("%w: %w", ErrClosed, err)
		}
		c.out = c.out[max(n, 0):]
	}
}
