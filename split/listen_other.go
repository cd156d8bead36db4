//go:build !linux

package split

import (
	"net"
	"syscall"
)

// servePolled serves nothing: there is no poller here.
func (a *Acceptor) servePolled(net.Listener) (polled bool, err error) { return false, nil }

// passingErrors are those of accept that concern one connection only.
var passingErrors = []syscall.Errno{syscall.EINTR, syscall.ECONNABORTED}
