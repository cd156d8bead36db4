package actor

import (
	"fmt"
	"net/http"
	"time"

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
	origins, err := wscore.NewOriginPatterns(c.AllowOrigins...)
	if err != nil {
		return c, err
	}
	if c.CheckOrigin == nil {
		c.CheckOrigin = func(r *http.Request) bool {
			return origins.Allow([]byte(r.Header.Get("Origin")), []byte(r.Host))
		}
	}
	return c, inRange("MaxConnections", c.MaxConnections, 1, 1<<30)
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
