package natsbroker

import (
	"crypto/tls"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandem-ws/tandem/actor"
)

// Config are the settings of a [Broker]. The zero value of a field means its
// default; URLs or InProcess is needed.
type Config struct {
	// URLs are the servers to connect to, in any order; others of their cluster
	// become known by themselves. The schemes are nats, tls, ws and wss.
	URLs []string
	// InProcess is a server in this program, such as an [embedded.Server], which
	// is connected to without a socket. It goes before URLs.
	//
	// [embedded.Server]: https://pkg.go.dev/github.com/tandem-ws/tandem/actor/natsbroker/embedded
	InProcess nats.InProcessConnProvider
	// Name is what the servers' monitoring calls this connection. Default: none.
	Name string
	// CredentialsFile is a file with a user's JWT and its key. Default: none.
	CredentialsFile string
	// TLS are the settings of connections that are made with TLS, which the
	// scheme tls or these settings ask for. Default: those of the machine.
	TLS *tls.Config
	// Options are further ones of nats.go, such as nats.UserInfo, nats.Token or
	// nats.RetryOnFailedConnect. They also change how often is pinged (10 s, 2
	// misses) and tried to reconnect (250 to 500 ms). What the broker itself depends on cannot be
	// changed by them: reconnecting without end, its buffers, and the handlers
	// that tell of connections and errors.
	Options []nats.Option

	// QueuedBytes is how much of what is published may wait to be handed to the
	// network, also while there is no connection; each message counts 64 bytes
	// more than it has. Default: 16 MiB. Range: 4 KiB to 1 GiB. Over it:
	// [actor.ErrBrokerFull].
	QueuedBytes int
	// PendingMessages and PendingBytes are what may wait for the handler of one
	// subscription. Default: 16,384 and 16 MiB. Range: 1 to 1<<20; 1 KiB to 1
	// GiB. Over either: messages are lost, and its Missed is called.
	PendingMessages int
	PendingBytes    int
	// TotalPendingBytes is what may wait for all handlers together. Default: 256
	// MiB. Range: 1 KiB to 16 GiB. Over it: as with PendingBytes.
	TotalPendingBytes int64
	// SubscribeTimeout is how long Subscribe may wait for the server to know of
	// it, which includes the wait for a connection. Default: 5 s. Range: 10 ms to
	// 5 min.
	SubscribeTimeout time.Duration
	// Errors is told of what goes wrong behind the calls, such as a permission
	// that is missing. It must not block. Default: nobody.
	Errors func(error)
}

const (
	defaultQueuedBytes       = 16 << 20
	defaultPendingMessages   = 16 << 10
	defaultPendingBytes      = 16 << 20
	defaultTotalPendingBytes = 256 << 20
	defaultSubscribeTimeout  = 5 * time.Second

	// reconnectWait and reconnectJitter are what passes between two rounds
	// through all servers while there is no connection.
	reconnectWait   = 250 * time.Millisecond
	reconnectJitter = 250 * time.Millisecond
	// A server that neither answers pings nor takes what is written is left: what
	// nats.go does by itself takes minutes.
	pingInterval = 10 * time.Second
	pingMisses   = 2
	writeTimeout = 10 * time.Second
)

func (c Config) withDefaults() (Config, error) {
	fill(&c.QueuedBytes, defaultQueuedBytes)
	fill(&c.PendingMessages, defaultPendingMessages)
	fill(&c.PendingBytes, defaultPendingBytes)
	fill(&c.TotalPendingBytes, defaultTotalPendingBytes)
	fill(&c.SubscribeTimeout, defaultSubscribeTimeout)
	if c.Errors == nil {
		c.Errors = func(error) {}
	}
	if len(c.URLs) == 0 && c.InProcess == nil {
		return c, &actor.ConfigError{Field: "URLs", Value: c.URLs, Range: "at least one, or InProcess"}
	}
	return c, firstError(
		inRange("QueuedBytes", c.QueuedBytes, 4<<10, 1<<30),
		inRange("PendingMessages", c.PendingMessages, 1, 1<<20),
		inRange("PendingBytes", c.PendingBytes, 1<<10, 1<<30),
		inRange("TotalPendingBytes", c.TotalPendingBytes, 1<<10, 16<<30),
		inRange("SubscribeTimeout", c.SubscribeTimeout, 10*time.Millisecond, 5*time.Minute),
	)
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func inRange[T int | int64 | time.Duration](field string, value, least, most T) error {
	if value < least || value > most {
		return &actor.ConfigError{Field: field, Value: value, Range: fmt.Sprintf("%v to %v (0 for the default)", least, most)}
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
