package split

import (
	"net"
	"os"
	"syscall"
	"unsafe"
)

// maxVectors is how many buffers one writev takes.
const maxVectors = 64

// writeOnce writes the buffers to a non-blocking socket once. A single one takes
// a shorter way.
func writeOnce(descriptor int, buffers net.Buffers) (int, error) {
	if len(buffers) == 1 && len(buffers[0]) > 0 {
		return socketWrite(descriptor, buffers[0])
	}
	return descriptorWrite(descriptor, buffers)
}

// descriptorWrite writes the buffers to a descriptor once, without blocking.
func descriptorWrite(descriptor int, buffers net.Buffers) (int, error) {
	var vectors [maxVectors]syscall.Iovec
	count := 0
	for _, b := range buffers {
		if len(b) == 0 {
			continue
		}
		vectors[count].Base = &b[0]
		vectors[count].SetLen(len(b))
		if count++; count == maxVectors {
			break
		}
	}
	if count == 0 {
		return 0, nil
	}
	for {
		n, _, errno := syscall.Syscall(syscall.SYS_WRITEV, uintptr(descriptor), uintptr(unsafe.Pointer(&vectors[0])), uintptr(count))
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, ErrWouldBlock
		}
		return 0, os.NewSyscallError("writev", errno)
	}
}
