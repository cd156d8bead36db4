//go:build unix

package actor_test

import "syscall"

// smallReceiveBuffer makes a socket take little that nobody reads.
func smallReceiveBuffer(descriptor uintptr) {
	_ = syscall.SetsockoptInt(int(descriptor), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10)
}
