//go:build unix

package split

import (
	"io"
	"net"
	"syscall"
)

// newWaiter picks the way to wait. A plain TCP or Unix connection waits on its
// descriptor; anything else, TLS among it, waits in a one-byte read. Exact
// types only: one that embeds a connection may do more than the descriptor
// knows.
func newWaiter(t *parkedTransport) waiter {
	switch conn := t.conn.(type) {
	case *net.TCPConn:
		return newDescriptorWaiter(t, conn)
	case *net.UnixConn:
		return newDescriptorWaiter(t, conn)
	}
	return newByteWaiter(t)
}

func newDescriptorWaiter(t *parkedTransport, conn syscall.Conn) waiter {
	raw, err := conn.SyscallConn()
	if err != nil {
		return newByteWaiter(t)
	}
	w := &descriptorWaiter{transport: t, raw: raw}
	w.read = w.try
	return w
}

// descriptorWaiter looks whether bytes are there, parks on the descriptor if
// not, and reads. It has to look first: Go clears the descriptor's readiness
// before it calls back, so a wake-up may already be gone.
type descriptorWaiter struct {
	transport *parkedTransport
	raw       syscall.RawConn
	read      func(descriptor uintptr) bool // try
	source    descriptorSource
	result    error
	looked    bool // this wait has found nothing once, or need not look
}

func (w *descriptorWaiter) fill(unfinished bool) error {
	w.looked = unfinished
	if err := w.raw.Read(w.read); err != nil {
		return err
	}
	return w.result
}

func (w *descriptorWaiter) try(descriptor uintptr) bool {
	// Looking takes no memory and little stack, so that the goroutine parks on
	// what it was born with.
	if !w.looked {
		w.looked = true
		switch w.result = look(int(descriptor)); w.result {
		case nil:
		case ErrWouldBlock:
			return false
		default:
			return true // the socket tells its error once
		}
	}
	w.source.descriptor = int(descriptor)
	w.result = w.transport.handler.Fill(&w.source)
	return w.result != ErrWouldBlock
}

func (w *descriptorWaiter) tryWrite(buffers *net.Buffers) (int64, error) {
	return tryWrite(w.raw, buffers)
}

// descriptorSource reads a descriptor once, without blocking.
type descriptorSource struct{ descriptor int }

func (s *descriptorSource) Read(p []byte) (int, error) { return descriptorRead(s.descriptor, p) }

func descriptorRead(descriptor int, p []byte) (int, error) {
	for {
		n, err := syscall.Read(descriptor, p)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return 0, ErrWouldBlock
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}
