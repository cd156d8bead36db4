//go:build unix

package split

import (
	"net"
	"sync"
	"syscall"
)

// attempt writes to a connection of Go's own poller without waiting for it. It
// is lent for the time of the write.
type attempt struct {
	once    func(descriptor uintptr) bool // try
	buffers *net.Buffers
	written int64
	result  error
}

var attempts = sync.Pool{New: func() any {
	a := &attempt{}
	a.once = a.try
	return a
}}

func tryWrite(raw syscall.RawConn, buffers *net.Buffers) (int64, error) {
	a := attempts.Get().(*attempt)
	a.buffers, a.written, a.result = buffers, 0, nil
	err := raw.Write(a.once)
	written, result := a.written, a.result
	a.buffers, a.result = nil, nil
	attempts.Put(a)
	if err != nil {
		return written, err
	}
	return written, result
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
