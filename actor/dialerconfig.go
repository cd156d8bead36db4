package actor

import (
	"context"
	"time"

	"github.com/tandem-ws/tandem/split"
)

// DialerConfig are the settings of a [Dialer]. The zero value of a field means
// its default; only Dial.URL is required.
type DialerConfig struct {
	// ConnConfig are the settings of each connection. HandshakeTimeout bounds an
	// attempt to connect, from name resolution on. Where there are many
	// dialers, they should share one Readiness.
	ConnConfig

	// Dial says what to connect to and how. Its Timeout and Deflate must be
	// zero: HandshakeTimeout and Deflate of ConnConfig take their place.
	Dial split.DialConfig
	// Prepare is called before each attempt and may change what it dials, such
	// as the URL, to resume behind the last message that was seen, or a token in
	// the header. The context ends with the dialer. An error ends the dialer,
	// unless Retry decides otherwise; so does a panic. It runs on the dialer's
	// goroutine. Default: every attempt is the same.
	Prepare func(context.Context, *NextDial) error
	// Retry decides what follows the end of a connection or a failed attempt, in
	// the place of the table at [Attempt]. It runs on the dialer's goroutine; a
	// panic in it ends the dialer.
	Retry func(Attempt) Decision

	// MinBackoff is the longest wait after the first attempt in a row that
	// fails; it doubles with each that follows. Every wait is random, between
	// nothing and that. Default: 100 ms. Range: 1 ms to 1 h.
	MinBackoff time.Duration
	// MaxBackoff is what it doubles to at most. Default: 30 s.
	// Range: MinBackoff to 24 h.
	MaxBackoff time.Duration
	// MaxRetryAfter bounds the wait that a server asks for with Retry-After.
	// Default: 5 min. Range: 1 s to 24 h.
	MaxRetryAfter time.Duration
	// StableAfter is how long a connection must stay up for the count of
	// attempts to begin anew. Default: 10 s. Range: 1 ms to 24 h.
	StableAfter time.Duration
	// MaxAttempts is how many attempts in a row may fail or bring a connection
	// that does not stay up. Default: no limit. Over it: the dialer ends.
	MaxAttempts int

	// Events receives [Connecting] and [Disconnected]. Default: nobody.
	Events *PID
}

const (
	defaultMinBackoff    = 100 * time.Millisecond
	defaultMaxBackoff    = 30 * time.Second
	defaultMaxRetryAfter = 5 * time.Minute
	defaultStableAfter   = 10 * time.Second
)

// withDefaults fills in the defaults and refuses what cannot be used.
func (c DialerConfig) withDefaults() (DialerConfig, error) {
	var err error
	if c.ConnConfig, err = c.ConnConfig.withDefaults(); err != nil {
		return c, err
	}
	switch {
	case c.Dial.Timeout != 0:
		return c, &ConfigError{Field: "Dial.Timeout", Value: c.Dial.Timeout, Range: "0: set HandshakeTimeout"}
	case c.Dial.Deflate != nil:
		return c, &ConfigError{Field: "Dial.Deflate", Value: *c.Dial.Deflate, Range: "nil: set ConnConfig.Deflate"}
	}
	fill(&c.MinBackoff, defaultMinBackoff)
	fill(&c.MaxBackoff, max(defaultMaxBackoff, c.MinBackoff))
	fill(&c.MaxRetryAfter, defaultMaxRetryAfter)
	fill(&c.StableAfter, defaultStableAfter)
	if err := firstError(
		inRange("MinBackoff", c.MinBackoff, time.Millisecond, time.Hour),
		inRange("MaxBackoff", c.MaxBackoff, c.MinBackoff, 24*time.Hour),
		inRange("MaxRetryAfter", c.MaxRetryAfter, time.Second, 24*time.Hour),
		inRange("StableAfter", c.StableAfter, time.Millisecond, 24*time.Hour),
	); err != nil {
		return c, err
	}
	if c.MaxAttempts < 0 {
		return c, &ConfigError{Field: "MaxAttempts", Value: c.MaxAttempts, Range: "1 or more (0 for no limit)"}
	}
	if c.Prepare != nil && c.Dial.URL == "" {
		return c, nil // it is going to say
	}
	return c, c.Dial.Check()
}
