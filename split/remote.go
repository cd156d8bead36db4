package split

import (
	"net"
	"net/netip"
)

// remote is the address of a TCP or Unix peer in little memory: eight bytes of
// text for IPv4, where package net takes eighty. It begins with a letter for
// the kind of address.
type remote string

const (
	remoteTCP  = "t" // before a netip.AddrPort in its binary form
	remoteUnix = "u" // before the name
)

func newRemote(addr net.Addr) remote {
	switch a := addr.(type) {
	case *net.TCPAddr:
		text, _ := addrPort(a).AppendBinary([]byte(remoteTCP)) // never fails
		return remote(text)
	case *net.UnixAddr:
		return remote(remoteUnix + a.Name)
	}
	return ""
}

// addr returns the address in the form of package net, made anew.
func (r remote) addr() net.Addr {
	if r == "" {
		return nil
	}
	if r[:1] == remoteUnix {
		return &net.UnixAddr{Name: string(r[1:]), Net: "unix"}
	}
	var port netip.AddrPort
	_ = port.UnmarshalBinary([]byte(r[1:])) // was made by newRemote
	return net.TCPAddrFromAddrPort(port)
}
