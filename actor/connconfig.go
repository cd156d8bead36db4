package actor

import (
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// ConnConfig are the settings of connections, whichever side opened them. The
// zero value of a field means its default; the zero config is safe.
type ConnConfig struct {
	// Name begins the PIDs of the connections' actors. Default: "websocket".
	Name string
	// HandshakeTimeout bounds the writing of a server's answer to a handshake,
	// under [Server.Serve] all from the accepted connection on, and a dialer's
	// whole attempt. Default: 10 s. Range: 1 ms to 1 h. Over it: the connection is
	// closed, by Serve with 408 if a part of the request had come.
	HandshakeTimeout time.Duration

	// MaxMessageBytes is the longest message from a peer.
	// Default: 1 MiB. Over it: close code 1009.
	MaxMessageBytes int64
	// InboundBytes is how much memory the messages that wait for a session may
	// pin. Default: 1 MiB. Over it: nothing more is read from that peer until
	// half of it is free, so that TCP pushes back.
	InboundBytes int
	// InboundMessages is how many messages from its peer may wait for a
	// session. Default: 64. Over it: as for InboundBytes.
	InboundMessages int
	// InboundRate bounds how many messages and bytes a peer may send in a
	// second. Default: no limit. Over it: read more slowly, or close code 1008.
	InboundRate RateConfig
	// SessionMailbox is how many messages from other actors may wait for a
	// session. Default: 1024. Over it: dead letter.
	SessionMailbox int

	// Deflate asks for permessage-deflate (RFC 7692): a server accepts it where
	// it is offered, a dialer offers it. Default: no compression.
	Deflate *wscore.DeflateConfig

	// Mailbox bounds what may wait to be sent to a peer, and says what happens
	// to a message that does not fit: by default the connection is closed with
	// 1013.
	Mailbox split.MailboxConfig
	// WriteTimeout bounds one batch of writing. Default: 10 s.
	// Range: 1 ms to 1 h. Over it: the connection ends as a slow consumer.
	WriteTimeout time.Duration
	// CloseTimeout bounds a connection's way from the first sign of its end to
	// the end itself. Default: 5 s. Range: 1 ms to 1 h. Over it: the stream is
	// closed without waiting for the peer or the session.
	CloseTimeout time.Duration

	// PingInterval is the time between pings, give or take a tenth.
	// Default: 20 s. Range: 100 ms to 1 h. The first ping leaves within a
	// second.
	PingInterval time.Duration
	// PingMisses is how many intervals in a row may pass without a byte from
	// the peer. Default: 2. Range: 1 to 100. Over it: close code 1011.
	PingMisses int

	// IdleTimeout is how long a connection may go without a message from its
	// peer, once the session has handled the last. Default: no limit, since the heartbeat finds peers that are gone.
	// Range: 1 s to 24 h. Over it: close code 1001.
	IdleTimeout time.Duration
	// MaxLifetime is how old a connection may become, less up to a tenth so
	// that connections that began together do not end together. Default: no
	// limit. Range: 1 s to 8760 h. Over it: close code 1001.
	MaxLifetime time.Duration
	// SessionStallTimeout is how long a session may handle no message while
	// reading is paused for it. Default: 1 min. Range: 1 s to 24 h. Over it:
	// close code 1011.
	SessionStallTimeout time.Duration

	// Readiness wakes the readers. Default: the cheapest of this system
	// ([split.NewReadiness]); one may be shared by servers and dialers.
	Readiness split.Readiness
	// Observer is told of everything, for metrics. Default: nobody.
	Observer Observer
	// Logger is told of each connection that opens or ends and of the stages of a
	// shutdown (info), of refused handshakes and broken rules (debug), and of
	// panics (error). Give it a core that samples. Default: nobody.
	Logger *zap.Logger
}

const (
	defaultTimeout         = 10 * time.Second
	defaultInboundBytes    = 1 << 20
	defaultInboundMessages = 64
	defaultSessionMailbox  = 1024
	defaultCloseTimeout    = 5 * time.Second
	defaultPingInterval    = 20 * time.Second
	defaultPingMisses      = 2
	defaultStallTimeout    = time.Minute
	// firstPingWithin is when the first ping leaves at the latest.
	firstPingWithin = time.Second
	// lingerTimeout bounds the wait for the peer to end its side once both
	// close frames are exchanged. What it sends meanwhile is bounded by
	// lingerBytes and twice the longest message: a peer whose message was
	// refused at its header is still sending it.
	lingerTimeout = time.Second
	lingerBytes   = 4 << 20
)

// withDefaults fills in the defaults and refuses values out of range with a
// [*ConfigError].
func (c ConnConfig) withDefaults() (ConnConfig, error) {
	fill(&c.Name, "websocket")
	fill(&c.HandshakeTimeout, defaultTimeout)
	fill(&c.MaxMessageBytes, wscore.DefaultMaxMessage)
	fill(&c.InboundBytes, defaultInboundBytes)
	fill(&c.InboundMessages, defaultInboundMessages)
	fill(&c.SessionMailbox, defaultSessionMailbox)
	fill(&c.CloseTimeout, defaultCloseTimeout)
	fill(&c.PingInterval, defaultPingInterval)
	fill(&c.PingMisses, defaultPingMisses)
	fill(&c.SessionStallTimeout, defaultStallTimeout)
	var err error
	if c.InboundRate, err = c.InboundRate.withDefaults(); err != nil {
		return c, err
	}
	if c.Readiness == nil {
		c.Readiness = split.NewReadiness()
	}
	if c.Observer == nil {
		c.Observer = NopObserver{}
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return c, firstError(
		inRange("HandshakeTimeout", c.HandshakeTimeout, time.Millisecond, time.Hour),
		inRange("MaxMessageBytes", c.MaxMessageBytes, 1, 1<<30),
		inRange("InboundBytes", c.InboundBytes, 1, 1<<30),
		inRange("InboundMessages", c.InboundMessages, 1, 1<<20),
		inRange("SessionMailbox", c.SessionMailbox, 1, 1<<20),
		inRange("CloseTimeout", c.CloseTimeout, time.Millisecond, time.Hour),
		inRange("PingInterval", c.PingInterval, 100*time.Millisecond, time.Hour),
		inRange("PingMisses", c.PingMisses, 1, 100),
		optional("IdleTimeout", c.IdleTimeout, time.Second, 24*time.Hour),
		optional("MaxLifetime", c.MaxLifetime, time.Second, 8760*time.Hour),
		inRange("SessionStallTimeout", c.SessionStallTimeout, time.Second, 24*time.Hour),
	)
}

// halves returns the settings of the connections' halves, and who is told of
// them.
func (c *ConnConfig) halves(observer split.Observer) (split.Config, error) {
	return split.Config{
		Pool:         split.NewPool(observer),
		Limits:       wscore.Limits{MaxMessage: c.MaxMessageBytes},
		Deflate:      c.Deflate,
		Mailbox:      c.Mailbox,
		WriteTimeout: c.WriteTimeout,
		Observer:     observer,
	}.WithDefaults()
}
