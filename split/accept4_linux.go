//go:build !386 && !s390x

package split

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"syscall"
	"unsafe"
)

// acceptSocket takes a connection from a non-blocking listening socket. It is
// non-blocking itself, and not left to programs that are started.
func acceptSocket(listener int) (descriptor int, remote netip.AddrPort, errno syscall.Errno) {
	var address syscall.RawSockaddrAny
	size := uint32(unsafe.Sizeof(address))
	result, _, errno := syscall.RawSyscall6(syscall.SYS_ACCEPT4, uintptr(listener), uintptr(unsafe.Pointer(&address)),
		uintptr(unsafe.Pointer(&size)), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, remote, errno
	}
	switch address.Addr.Family {
	case syscall.AF_INET:
		in := (*syscall.RawSockaddrInet4)(unsafe.Pointer(&address))
		remote = netip.AddrPortFrom(netip.AddrFrom4(in.Addr), bigEndian(&in.Port))
	case syscall.AF_INET6:
		in := (*syscall.RawSockaddrInet6)(unsafe.Pointer(&address))
		remote = netip.AddrPortFrom(addr6(in.Addr, in.Scope_id), bigEndian(&in.Port))
	}
	return int(result), remote, 0
}

// bigEndian reads a port, which lies in memory as on the wire.
func bigEndian(port *uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(port))[:])
}

// addr6 makes an address; an IPv4 one in its IPv6 form becomes that.
func addr6(from [16]byte, zone uint32) netip.Addr {
	addr := netip.AddrFrom16(from).Unmap()
	if zone != 0 {
		addr = addr.WithZone(strconv.FormatUint(uint64(zone), 10))
	}
	return addr
}
