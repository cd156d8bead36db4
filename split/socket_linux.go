//go:build !386 && !s390x

package split

import (
	"io"
	"os"
	"syscall"
	"unsafe"
)

// rawLimit is the longest transfer that the scheduler is not told of: it takes
// a few microseconds, and telling takes a tenth of one each time.
const rawLimit = 16 << 10

// socketRead reads from a non-blocking socket once. recv takes a shorter way
// through the kernel than read.
func socketRead(descriptor int, p []byte) (int, error) {
	for {
		n, errno := transfer(syscall.SYS_RECVFROM, descriptor, p, 0)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN:
			return 0, ErrWouldBlock
		case errno != 0:
			return 0, errno
		case n == 0:
			return 0, io.EOF
		}
		return n, nil
	}
}

// socketWrite writes to a non-blocking socket once.
func socketWrite(descriptor int, p []byte) (int, error) {
	for {
		n, errno := transfer(syscall.SYS_SENDTO, descriptor, p, syscall.MSG_NOSIGNAL)
		switch errno {
		case 0:
			return n, nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, ErrWouldBlock
		}
		return 0, os.NewSyscallError("sendto", errno)
	}
}

// transfer is recvfrom or sendto without an address; p is not empty.
func transfer(call uintptr, descriptor int, p []byte, flags uintptr) (int, syscall.Errno) {
	var n uintptr
	var errno syscall.Errno
	if len(p) <= rawLimit {
		n, _, errno = syscall.RawSyscall6(call, uintptr(descriptor), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), flags, 0, 0)
	} else {
		n, _, errno = syscall.Syscall6(call, uintptr(descriptor), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), flags, 0, 0)
	}
	return int(n), errno
}
