//go:build unix

package split

import (
	"net"
	"syscall"
)

// attempt writes to a connection of Go's own poller without waiting for it.
// It is made once for a connection, so that an attempt allocates nothing.
type attempt struct {
	raw     syscall.RawConn
	once    func(descriptor uintptr) bool // try
	buffers *net.Buffers
	written int64
	result  error
}

// newAttempt returns nil for a stream that cannot be tried. Exact types only:
// one that embeds a connection may do something about its writes.
func newAttempt(conn net.Conn) *attempt {
	var raw syscall.RawConn
	var err error
	switch conn := conn.(type) {
	case *net.TCPConn:
		raw, err = conn.SyscallConn()
	case *net.UnixConn:
		raw, err = conn.SyscallConn()
	}
	if raw == nil || err != nil {
		return nil
	}
	a := &attempt{raw: raw}
	a.once = a.try
	return a
}

func (a *attempt) write(buffers *net.Buffers) (int64, error) {
	a.buffers, a.written, a.result = buffers, 0, nil
	err := a.raw.Write(a.once)
	a.buffers = nil
	if err != nil {
		return a.written, err
	}
	return a.written, a.result
}

// try writes until the descriptor takes no more. It never asks to be called
// again, which is what would wait.
func (a *attempt) try(descriptor uintptr) bool {
	for len(*a.buffers) > 0 && a.result == nil {
		var n int
		n, a.result = descriptorWrite(int(descriptor), *a.buffers)
		a.written += int64(n)
		consume(a.buffers, n)
	}
	return true
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
