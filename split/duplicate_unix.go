//go:build unix && !linux

package split

import (
	"os"
	"syscall"
)

// duplicateDescriptor returns another descriptor of the same socket, which no program
// that is started inherits.
func duplicateDescriptor(descriptor int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	result, err := syscall.Dup(descriptor)
	if err != nil {
		return -1, os.NewSyscallError("dup", err)
	}
	syscall.CloseOnExec(result)
	return result, nil
}
