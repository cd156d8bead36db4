//go:build 386 || s390x

package split

import "net"

// On these architectures recv and send have no system calls of their own.

func socketRead(descriptor int, p []byte) (int, error) { return descriptorRead(descriptor, p) }

func socketWrite(descriptor int, p []byte) (int, error) {
	return descriptorWrite(descriptor, net.Buffers{p})
}
