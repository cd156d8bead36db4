package split

import (
	"fmt"
	"net/netip"

	"github.com/tandem-ws/tandem/wscore"
)

// Networks is a set of addresses, such as those of proxies that are believed. It
// is made by [NewNetworks] and not changed.
type Networks []netip.Prefix

// NewNetworks makes a set of prefixes. IPv4-mapped ones of IPv6 stand for the
// networks of IPv4 that they mean; one that is wider than all of IPv4 is refused,
// as is one that is not valid, with a [*wscore.ConfigError] that names its place
// in the field. ::/0 is all of IPv6 and nothing of IPv4.
func NewNetworks(field string, prefixes []netip.Prefix) (Networks, error) {
	var n Networks
	for i, prefix := range prefixes {
		refuse := func(allowed string) error {
			return &wscore.ConfigError{Field: fmt.Sprintf("%s[%d]", field, i), Value: prefix, Range: allowed}
		}
		addr, bits := prefix.Addr(), prefix.Bits()
		switch {
		case !prefix.IsValid():
			return nil, refuse("a valid prefix")
		case addr.Is4In6() && bits < 96:
			return nil, refuse("::ffff:0.0.0.0/96 and longer for IPv4")
		case addr.Is4In6():
			prefix = netip.PrefixFrom(addr.Unmap(), bits-96)
		}
		n = append(n, prefix)
	}
	return n, nil
}

// Contain reports whether the address is in one of them, however it is written.
func (n Networks) Contain(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, prefix := range n {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}
