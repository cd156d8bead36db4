package split

import "net"

// consume takes n written bytes off the front, and empty buffers with them.
func consume(buffers *net.Buffers, n int) {
	for len(*buffers) > 0 {
		first := (*buffers)[0]
		if n < len(first) {
			(*buffers)[0] = first[n:]
			return
		}
		n -= len(first)
		(*buffers)[0] = nil
		*buffers = (*buffers)[1:]
	}
}
