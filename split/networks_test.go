package split

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/tandem-ws/tandem/wscore"
)

func TestNetworksContainAddressesHoweverWritten(t *testing.T) {
	for _, test := range []struct {
		prefix, addr string
		want         bool
	}{
		{"10.0.0.0/8", "10.1.2.3", true},
		{"10.0.0.0/8", "::ffff:10.1.2.3", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"::ffff:10.0.0.0/104", "10.1.2.3", true},
		{"::ffff:10.0.0.0/104", "::ffff:10.1.2.3", true},
		{"::ffff:10.0.0.0/104", "11.0.0.1", false},
		{"::ffff:0.0.0.0/96", "192.0.2.1", true},
		{"::/0", "2001:db8::1", true},
		{"::/0", "10.1.2.3", false},
		{"fe80::/10", "fe80::1%eth0", true},
	} {
		networks, err := NewNetworks("TrustedProxies", []netip.Prefix{netip.MustParsePrefix(test.prefix)})
		must(t, err)
		equal(t, test.prefix+" contains "+test.addr, networks.Contain(netip.MustParseAddr(test.addr)), test.want)
	}
}

func TestNetworksThatMeanNothingAreRefused(t *testing.T) {
	for name, prefix := range map[string]netip.Prefix{
		"no prefix":           {},
		"more than all of v4": netip.PrefixFrom(netip.MustParseAddr("::ffff:0.0.0.0"), 90),
	} {
		_, err := NewNetworks("TrustedProxies", []netip.Prefix{netip.MustParsePrefix("::1/128"), prefix})
		var wrong *wscore.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != "TrustedProxies[1]" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
