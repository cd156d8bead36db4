package split

import (
	"net"
	"testing"
)

func TestRemoteAddressesKeepTheirText(t *testing.T) {
	for _, addr := range []net.Addr{
		&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 65535}, // sixteen bytes long
		&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1).To4(), Port: 1},
		&net.TCPAddr{IP: net.ParseIP("2001:db8::1"), Port: 443},
		&net.TCPAddr{IP: net.ParseIP("fe80::1"), Port: 443, Zone: "eth0"},
		&net.TCPAddr{},
		&net.UnixAddr{Net: "unix"},
		&net.UnixAddr{Net: "unix", Name: "/run/a.sock"},
	} {
		kept := newRemote(addr).addr()
		equal(t, "text", kept.String(), addr.String())
		equal(t, "network", kept.Network(), addr.Network())
	}
	equal(t, "no address", newRemote(nil).addr(), nil)
}

func TestRemoteAddressOfIPv4IsSmall(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 65535}
	if n := len(newRemote(addr)); n > 8 {
		t.Errorf("%d bytes", n)
	}
}
