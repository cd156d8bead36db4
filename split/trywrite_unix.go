//go:build unix

package split

import (
	"net"
	"sync"
	"syscall"
)

// attempt writes to a descriptor of Go's own poller. It is lent for the time of
// the write.
type attempt struct {
	once       func(descriptor uintptr) bool // try
	buffers    *net.Buffers
	written    int64
	result     error
	persistent bool // it waits where the descriptor takes no more
}

var attempts = sync.Pool{New: func() any {
	a := &attempt{}
	a.once = a.try
	return a
}}

func attemptWrite(raw syscall.RawConn, buffers *net.Buffers, persistent bool) (int64, error) {
	a := attempts.Get().(*attempt)
	a.buffers, a.written, a.result, a.persistent = buffers, 0, nil, persistent
	err := raw.Write(a.once)
	written, result := a.written, a.result
	a.buffers, a.result = nil, nil
	attempts.Put(a)
	if err != nil {
		return written, err
	}
	return written, result
}

// try writes until the descriptor takes no more. Asking to be called again is
// what waits.
func (a *attempt) try(descriptor uintptr) bool {
	for len(*a.buffers) > 0 {
		var n int
		n, a.result = writeOnce(int(descriptor), *a.buffers)
		a.written += int64(n)
		consume(a.buffers, n)
		if a.result != nil {
			return a.result != ErrWouldBlock || !a.persistent
		}
	}
	return true
}
