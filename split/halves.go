package split

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// Config is what both halves of a connection are made from. The zero value of
// a field means its default.
type Config struct {
	// Pool is where buffers come from. Default: a pool of the connection's own;
	// share one between connections.
	Pool *Pool
	// Limits bounds what the peer may send. A message is one buffer, so
	// MaxMessage is never more than the largest int less [Headroom].
	Limits wscore.Limits
	// Mailbox bounds what may wait to be sent.
	Mailbox MailboxConfig
	// WriteTimeout bounds one batch of writing; over it the stream counts as
	// lost. Default: 10 s. Range: 1 ms to 1 h.
	WriteTimeout time.Duration
	// Deflate asks for permessage-deflate. Default: no compression.
	Deflate *wscore.DeflateConfig
	// ManualPong leaves it to the caller to answer pings.
	ManualPong bool
	// Observer is told of every frame. Default: nobody.
	Observer Observer
}

// DefaultWriteTimeout is the default of Config.WriteTimeout.
const DefaultWriteTimeout = 10 * time.Second

// WithDefaults returns c with each zero field replaced by its default, or a
// [wscore.ConfigError] that names the field out of range.
func (c Config) WithDefaults() (Config, error) {
	if c.Observer == nil {
		c.Observer = NopObserver{}
	}
	if c.Pool == nil {
		c.Pool = NewPool(c.Observer)
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = DefaultWriteTimeout
	}
	if c.WriteTimeout < time.Millisecond || c.WriteTimeout > time.Hour {
		return c, &wscore.ConfigError{Field: "WriteTimeout", Value: c.WriteTimeout, Range: "1ms to 1h (0 for the default)"}
	}
	var err error
	if c.Deflate != nil {
		deflate, err := c.Deflate.WithDefaults()
		if err != nil {
			return c, err
		}
		c.Deflate = &deflate
	}
	if c.Limits, err = c.Limits.WithDefaults(); err != nil {
		return c, err
	}
	c.Limits.MaxMessage = min(c.Limits.MaxMessage, math.MaxInt-Headroom)
	c.Mailbox, err = c.Mailbox.withDefaults()
	return c, err
}

// link is what the two halves of a connection share.
type link struct {
	config    *Config
	lifecycle wscore.Lifecycle
	role      wscore.Role
	ping      pingClock
	in, out   tally
	mailbox   Mailbox // which the reader puts pongs into
}

// New makes the two halves of a connection whose handshake is done. The config
// must have its defaults ([Config.WithDefaults]); it is shared by all
// connections made from it and must not change. agreed is what the handshake
// settled on compression, the zero value for none. The writer is given its
// transport with [Writer.Bind] before the first flush.
func New(role wscore.Role, config *Config, agreed wscore.DeflateParams) (*Reader, *Writer, error) {
	// One piece of memory, since all three live and end together.
	halves := &struct {
		link
		Reader
		Writer
	}{link: link{config: config, role: role}}
	shared, r, w := &halves.link, &halves.Reader, &halves.Writer
	decoder, err := wscore.NewDecoder(role, &shared.lifecycle, &config.Limits)
	if err != nil {
		return nil, nil, err
	}
	*r = Reader{link: shared, decoder: decoder}
	w.link, w.encoder = shared, wscore.NewEncoder(role, &shared.lifecycle, nil)
	w.mailbox.config = config
	if agreed.Agreed && config.Deflate != nil {
		enableDeflate(r, w, agreed)
	}
	return r, w, nil
}

// pingClock measures the round trip of one ping at a time: from the completed
// write of the ping to the decoding of its pong.
type pingClock struct {
	sequence atomic.Uint32 // of the newest ping
	last     atomic.Uint32 // the newest round trip in microseconds, rounded up
	began    atomic.Int64  // when its write began, in nanoseconds since start
	sent     atomic.Int64  // when its write was complete; 0 until then
}

// start is the zero of the monotonic times in this package.
var start = time.Now()

func now() int64 { return int64(time.Since(start)) + 1 } // never 0

// roundTrip returns the time since the newest ping was written, once for each
// ping. A pong can overtake the note that the write is complete; then the time
// since the write began is the best there is.
func (p *pingClock) roundTrip() (time.Duration, bool) {
	since := p.sent.Swap(0)
	if since == 0 {
		since = p.began.Load()
	}
	if p.began.Swap(0) == 0 {
		return 0, false
	}
	return max(1, time.Duration(now()-since)), true // a coarse clock may not have moved
}
