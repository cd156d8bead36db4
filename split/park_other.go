//go:build !unix

package split

// newWaiter waits in a one-byte read.
func newWaiter(t *parkedTransport) waiter { return newByteWaiter(t) }
