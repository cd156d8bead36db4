//go:build !unix

package split

import "net"

// newParked waits in a one-byte read.
func newParked(begin parkedBegin, conn net.Conn) (Transport, error) {
	return newParkedConn(begin, conn), nil
}
