//go:build !unix

package split

import "net"

// newWaiter waits in a one-byte read.
func newWaiter(t *parkedTransport) waiter { return newByteWaiter(t) }

// attempt does not exist on this system.
type attempt struct{}

func newAttempt(net.Conn) *attempt { return nil }

func (*attempt) write(*net.Buffers) (int64, error) { return 0, ErrWouldBlock }
