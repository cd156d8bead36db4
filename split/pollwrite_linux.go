package split

import (
	"net"
	"os"
	"syscall"
	"time"
)

// Write writes straight to the descriptor. Only when the peer's window is full
// does it wait, and then for no longer than the timeout in all.
func (t *polled) Write(buffers *net.Buffers, timeout time.Duration) (int64, error) {
	var total int64
	var deadline *time.Timer
	for len(*buffers) > 0 {
		n, err := t.writev(*buffers)
		total += int64(n)
		consume(buffers, n)
		switch {
		case err == nil:
			continue
		case err != ErrWouldBlock:
			return total, err
		}
		if deadline == nil {
			deadline = time.NewTimer(timeout)
			defer deadline.Stop()
		}
		if err := t.awaitWritable(deadline); err != nil {
			return total, err
		}
	}
	return total, nil
}

// TryWrite writes straight to the descriptor until it takes no more.
func (t *polled) TryWrite(buffers *net.Buffers) (int64, error) {
	var total int64
	for len(*buffers) > 0 {
		n, err := t.writev(*buffers)
		total += int64(n)
		consume(buffers, n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// writev writes once, unless closed.
func (t *polled) writev(buffers net.Buffers) (int, error) {
	if !t.acquire() {
		return 0, net.ErrClosed
	}
	defer t.release()
	return writeOnce(t.descriptor, buffers)
}

// awaitWritable waits until the descriptor takes bytes again.
func (t *polled) awaitWritable(deadline *time.Timer) error {
	writable := make(chan struct{})
	if !t.watched(func() {
		t.writable = writable
		t.watch(t.interest | syscall.EPOLLOUT) // level-triggered: reported also if it can be written by now
	}) {
		return net.ErrClosed
	}
	select {
	case <-writable:
		return nil // or closed, which the next write finds
	case <-deadline.C:
		return os.ErrDeadlineExceeded
	}
}

// wakeWriter ends a writer's wait. The caller holds the lock.
func (t *polled) wakeWriter() {
	if t.writable != nil {
		close(t.writable)
		t.writable = nil
	}
}

// String returns "epoll".
func (t *polled) String() string { return (*Poller)(nil).String() }
