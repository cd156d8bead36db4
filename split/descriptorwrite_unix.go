//go:build unix && !linux

package split

import (
	"net"
	"os"
	"syscall"
)

// descriptorWrite writes the first of the buffers to a descriptor once,
// without blocking. Package syscall has no portable gathered write.
func descriptorWrite(descriptor int, buffers net.Buffers) (int, error) {
	for _, b := range buffers {
		if len(b) == 0 {
			continue
		}
		for {
			n, err := syscall.Write(descriptor, b)
			switch err {
			case nil:
				return n, nil
			case syscall.EINTR:
				continue
			case syscall.EAGAIN:
				return 0, ErrWouldBlock
			}
			return 0, os.NewSyscallError("write", err)
		}
	}
	return 0, nil
}

// writeOnce is descriptorWrite.
func writeOnce(descriptor int, buffers net.Buffers) (int, error) {
	return descriptorWrite(descriptor, buffers)
}

func socketRead(descriptor int, p []byte) (int, error) { return descriptorRead(descriptor, p) }
