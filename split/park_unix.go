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
	return &byteWaiter{conn: t.conn}
}

func newDescriptorWaiter(t *parkedTransport, conn syscall.Conn) waiter {
	raw, err := conn.SyscallConn()
	if err != nil {
		return &byteWaiter{conn: t.conn}
	}
	return &descriptorWaiter{raw: raw}
}

// descriptorWaiter tries a read, gives the memory back when there is nothing,
// and parks on the descriptor. It has to try first: Go clears the descriptor's
// readiness before it calls back, so a wake-up may already be gone.
type descriptorWaiter struct{ raw syscall.RawConn }

func (w *descriptorWaiter) fill(handler Handler, _ bool) error {
	var result error
	err := w.raw.Read(func(descriptor uintptr) bool {
		result = handler.Fill(descriptorSource(descriptor))
		return result != ErrWouldBlock
	})
	if err != nil {
		return err
	}
	return result
}

// descriptorSource reads a descriptor once, without blocking.
type descriptorSource uintptr

func (s descriptorSource) Read(p []byte) (int, error) {
	for {
		n, err := syscall.Read(int(s), p)
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
