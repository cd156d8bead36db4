package split

import (
	"os"
	"syscall"
)

// duplicateDescriptor returns another descriptor of the same socket, which no program
// that is started inherits.
func duplicateDescriptor(descriptor int) (int, error) {
	result, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(descriptor), syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("fcntl", errno)
	}
	return int(result), nil
}
