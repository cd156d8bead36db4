//go:build 386 || s390x

package split

import (
	"errors"
	"net/netip"
	"strconv"
	"syscall"
)

// acceptSocket takes a connection; on these architectures accept has no system
// call of its own in package syscall.
func acceptSocket(listener int) (descriptor int, remote netip.AddrPort, errno syscall.Errno) {
	descriptor, address, err := syscall.Accept4(listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
	if err != nil {
		if !errors.As(err, &errno) {
			errno = syscall.EINVAL
		}
		return -1, remote, errno
	}
	switch in := address.(type) {
	case *syscall.SockaddrInet4:
		remote = netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port))
	case *syscall.SockaddrInet6:
		addr := netip.AddrFrom16(in.Addr).Unmap()
		if in.ZoneId != 0 {
			addr = addr.WithZone(strconv.FormatUint(uint64(in.ZoneId), 10))
		}
		remote = netip.AddrPortFrom(addr, uint16(in.Port))
	}
	return descriptor, remote, 0
}
