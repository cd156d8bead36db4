package split

import (
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// maxVectors is how many buffers one writev takes.
const maxVectors = 64

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
		case err != syscall.EAGAIN:
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

// writev writes once.
func (t *polled) writev(buffers net.Buffers) (int, error) {
	var vectors [maxVectors]syscall.Iovec
	count := 0
	for _, b := range buffers {
		if len(b) == 0 {
			continue
		}
		vectors[count].Base = &b[0]
		vectors[count].SetLen(len(b))
		if count++; count == maxVectors {
			break
		}
	}
	if count == 0 {
		return 0, nil
	}
	if !t.acquire() {
		return 0, net.ErrClosed
	}
	defer t.release()
	for {
		n, _, errno := syscall.Syscall(syscall.SYS_WRITEV, uintptr(t.descriptor), uintptr(unsafe.Pointer(&vectors[0])), uintptr(count))
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, syscall.EAGAIN
		}
		return 0, os.NewSyscallError("writev", errno)
	}
}

// consume takes n written bytes off the front, and empty buffers with them.
func consume(buffers *net.Buffers, n int) {
	for len(*buffers) > 0 {
		first := (*buffers)[0]
		if n < len(first) {
			(*buffers)[0] = first[n:]
			return
		}
		n -= len(first)
		(*buffers)[0] = nil
		*buffers = (*buffers)[1:]
	}
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
