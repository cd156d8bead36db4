package actor

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// ServerConfig are the settings of a [Server]. The zero value of a field means
// its default; the zero config is a safe server.
type ServerConfig struct {
	// ConnConfig are the settings of each connection.
	ConnConfig

	// MaxConnections is how many connections may be open at once.
	// Default: 100,000. Over it: 503 before the upgrade.
	MaxConnections int
	// MaxConnectionsPerAddress is how many of them one address may have, after
	// TrustedProxies and ProxyProtocol are applied; of IPv6 a /64 counts as one.
	// Default: no limit. Range: 1 to 1,073,741,824. Over it: 429 before the
	// upgrade.
	MaxConnectionsPerAddress int
	// MaxHandshakes is how many handshakes [Server.Serve] may have in progress.
	// Default: [split.DefaultMaxHandshakes]. Range: 1 to 1,048,576. Over it:
	// connections wait in the system's backlog.
	MaxHandshakes int
	// TrustedProxies are the addresses of load balancers. From them the
	// X-Forwarded-For field is read, from the right up to the first address that
	// is not one of these, and PROXY headers are. Those of IPv4 are matched however
	// an address is written; ::/0 is all of IPv6 alone. Peers without an address,
	// as those of a Unix socket, are never believed. Default: nobody is.
	TrustedProxies []netip.Prefix
	// ProxyProtocol says whether connections of [Server.Serve] begin with a PROXY
	// header. Default: [split.ProxyOff]. With net/http it is not used.
	ProxyProtocol split.ProxyMode
	// CheckOrigin decides whether a browser page of that origin may connect; a
	// refusal is answered with 403. Default: the origin's host must be the
	// request's; a request without an Origin passes.
	CheckOrigin func(*http.Request) bool
	// AllowOrigins are origins that may connect beside the request's own, as
	// patterns; see [wscore.NewOriginPatterns]. Not used with CheckOrigin.
	AllowOrigins []string

	// Drain says how Shutdown closes the open connections. Default: all at once
	// with 1001.
	Drain DrainConfig
}

const defaultMaxConnections = 100_000

// withDefaults fills in the defaults and refuses values out of range with a
// [*ConfigError].
func (c ServerConfig) withDefaults() (ServerConfig, error) {
	var err error
	if c.ConnConfig, err = c.ConnConfig.withDefaults(); err != nil {
		return c, err
	}
	if c.Drain, err = c.Drain.withDefaults(); err != nil {
		return c, err
	}
	fill(&c.MaxConnections, defaultMaxConnections)
	fill(&c.MaxHandshakes, split.DefaultMaxHandshakes)
	for _, err := range []error{
		inRange("MaxConnections", c.MaxConnections, 1, 1<<30),
		inRange("MaxHandshakes", c.MaxHandshakes, 1, 1<<20),
	} {
		if err != nil {
			return c, err
		}
	}
	if n := c.MaxConnectionsPerAddress; n < 0 || n > 1<<30 {
		return c, &ConfigError{Field: "MaxConnectionsPerAddress", Value: n, Range: "1 to 1073741824 (0 for no limit)"}
	}
	if c.ProxyProtocol > split.ProxyRequired {
		return c, &ConfigError{Field: "ProxyProtocol", Value: int(c.ProxyProtocol), Range: "ProxyOff, ProxyOptional or ProxyRequired"}
	}
	for i, pattern := range c.AllowOrigins {
		var wrong *ConfigError
		if _, err := wscore.NewOriginPatterns(pattern); errors.As(err, &wrong) {
			return c, &ConfigError{Field: fmt.Sprintf("AllowOrigins[%d]", i), Value: pattern, Range: wrong.Range}
		}
	}
	c.TrustedProxies, err = split.NewNetworks("TrustedProxies", c.TrustedProxies)
	return c, err
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func inRange[T int | int64 | time.Duration](field string, value, least, most T) error {
	if value < least || value > most {
		return &ConfigError{Field: field, Value: value, Range: fmt.Sprintf("%v to %v (0 for the default)", least, most)}
	}
	return nil
}

// optional is inRange for a limit that 0 turns off.
func optional(field string, value, least, most time.Duration) error {
	if value != 0 && (value < least || value > most) {
		return &ConfigError{Field: field, Value: value, Range: fmt.Sprintf("%v to %v (0 for no limit)", least, most)}
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
