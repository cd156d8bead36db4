//go:build unix

package split

import (
	"io"
	"net"
	"syscall"
)

// newWaiter picks the way to wait. A plain TCP or Unix connection waits on its
// descriptor; anything else, TLS among it, waits in a one-byte read.
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
	w := &descriptorWaiter{raw: raw, handler: t.handler}
	w.read = w.try
	return w
}

// descriptorWaiter tries a read, gives the memory back when there is nothing,
// and parks on the descriptor. It has to try first: Go clears the descriptor's
// readiness before it calls back, so a wake-up may already be gone.
type descriptorWaiter struct {
	raw     syscall.RawConn
	handler Handler
	read    func(descriptor uintptr) bool // try
	source  descriptorSource
	result  error
}

func (w *descriptorWaiter) fill(bool) error {
	if err := w.raw.Read(w.read); err != nil {
		return err
	}
	return w.result
}

func (w *descriptorWaiter) try(descriptor uintptr) bool {
	w.source.descriptor = int(descriptor)
	w.result = w.handler.Fill(&w.source)
	return w.result != ErrWouldBlock
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
