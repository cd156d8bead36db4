package actor

import (
	"bytes"
	"iter"
	"net"
	"net/http"
	"net/netip"
	"sync"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// ErrTooManyFromAddress refuses a request over
// [ServerConfig].MaxConnectionsPerAddress.
var ErrTooManyFromAddress = &wscore.HandshakeError{Side: wscore.Local, Clause: "RFC 6585 4", Status: http.StatusTooManyRequests, Reason: "address_limit", Text: "too many connections from this address"}

// forwardedFor returns whose request it is that the peer passed on. Each proxy
// appends the address it was spoken to from, so that the values are read from
// the right, as far as trusted proxies have written them. What cannot be read
// ends the search. An address from a header has port 0 unless it has one.
func forwardedFor(trusted split.Networks, peer netip.AddrPort, values iter.Seq[[]byte]) netip.AddrPort {
	if !trusted.Contain(peer.Addr()) {
		return peer
	}
	var lines [][]byte
	for line := range values {
		lines = append(lines, line)
	}
	for i := len(lines) - 1; i >= 0; i-- {
		for rest := lines[i]; rest != nil; {
			last := rest
			if comma := bytes.LastIndexByte(rest, ','); comma >= 0 {
				last, rest = rest[comma+1:], rest[:comma]
			} else {
				rest = nil
			}
			address, ok := parseForwarded(string(bytes.TrimSpace(last)))
			if !ok {
				return peer
			}
			if peer = address; !trusted.Contain(peer.Addr()) {
				return peer
			}
		}
	}
	return peer
}

// parseForwarded reads an address with or without a port.
func parseForwarded(text string) (netip.AddrPort, bool) {
	if n := len(text); n > 2 && text[0] == '[' && text[n-1] == ']' {
		text = text[1 : n-1]
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(addr.Unmap().WithZone(""), 0), true
	}
	address, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(address.Addr().Unmap().WithZone(""), address.Port()), true
}

// remoteOf is the address of a request of net/http; the zero value if its
// stream has none.
func remoteOf(trusted split.Networks, r *http.Request) netip.AddrPort {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.AddrPort{}
	}
	peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	return forwardedFor(trusted, peer, func(yield func([]byte) bool) {
		for _, value := range r.Header.Values("X-Forwarded-For") {
			if !yield([]byte(value)) {
				return
			}
		}
	})
}

func netAddr(remote netip.AddrPort) net.Addr {
	if !remote.IsValid() {
		return nil
	}
	return net.TCPAddrFromAddrPort(remote)
}

// addressCounts counts a server's connections by the addresses they come from.
type addressCounts struct {
	most int // 0 for no limit

	mu     sync.Mutex
	counts map[netip.Prefix]int
	of     map[*Conn]netip.Prefix
}

// network is what counts as one address: all of IPv4, the /64 of IPv6, which
// is what one subscriber is given.
func network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	prefix, _ := addr.Prefix(bits) // fails only for no address at all
	return prefix
}

// enter counts a connection in. Streams without an address are not counted.
func (a *addressCounts) enter(addr netip.Addr) (netip.Prefix, error) {
	if a.most == 0 || !addr.IsValid() {
		return netip.Prefix{}, nil
	}
	from := network(addr)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.counts[from] >= a.most {
		return netip.Prefix{}, ErrTooManyFromAddress
	}
	if a.counts == nil {
		a.counts, a.of = make(map[netip.Prefix]int), make(map[*Conn]netip.Prefix)
	}
	a.counts[from]++
	return from, nil
}

// leave counts one out.
func (a *addressCounts) leave(from netip.Prefix) {
	if !from.IsValid() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(from)
}

// assign makes a connection that begins responsible for its count.
func (a *addressCounts) assign(handler split.Handler, from netip.Prefix) {
	reader, ok := handler.(*readerProcess)
	if !ok || !from.IsValid() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.of[reader.conn] = from
}

// left counts a connection out that has ended.
func (a *addressCounts) left(c *Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if from, ok := a.of[c]; ok {
		delete(a.of, c)
		a.drop(from)
	}
}

func (a *addressCounts) drop(from netip.Prefix) {
	if a.counts[from]--; a.counts[from] == 0 {
		delete(a.counts, from)
	}
}
