//go:build unix && (!linux || 386 || s390x)

package split

import (
	"io"
	"syscall"
)

// descriptorRead is socketRead where that has no system call of its own.
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
