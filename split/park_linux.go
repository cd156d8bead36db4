//go:build !386 && !s390x

package split

import "syscall"

// look returns nil if a read of the socket would bring bytes or its end.
func look(descriptor int) error {
	var first [1]byte
	_, errno := transfer(syscall.SYS_RECVFROM, descriptor, first[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	switch errno {
	case 0, syscall.EINTR:
		return nil
	case syscall.EAGAIN:
		return ErrWouldBlock
	}
	return errno
}
