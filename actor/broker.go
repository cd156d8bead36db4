package actor

import (
	"context"
	"errors"
)

// Broker carries payloads between the nodes of a service, for a [Hub]. What it
// must promise is little, so that NATS and the like fit; what it loses must
// not go unnoticed, which is what [BrokerHandler.Missed] is for. All methods
// may be called from any goroutine.
//
// A subject is one or more tokens of printable ASCII without '*', '>', '$' and
// quotes, separated by dots, at most 200 bytes long.
type Broker interface {
	// Publish hands a payload to every subscription of the subject on every
	// node; whether also to those of this node does not matter. What one
	// goroutine publishes to a subject must arrive in its order. The payload is
	// the caller's again when Publish returns. It must not wait for the network:
	// it queues within a bound, or returns an error such as [ErrBrokerFull], and
	// then nobody may get it.
	Publish(subject string, payload []byte) error
	// Subscribe gives the handler what is published to the subject from now on:
	// also what others publish once they know that Subscribe has returned. It
	// may wait for the network to promise that. The function that it returns
	// ends the subscription and may be called once, also by the handler; the
	// handler may be called once more while that happens.
	Subscribe(subject string, handler BrokerHandler) (cancel func(), err error)
	// Watch calls the function whenever the connection to the other nodes is
	// lost or made again, until it is cancelled.
	Watch(func(BrokerState)) (cancel func())
}

// BrokerPinger is a [Broker] that can say how far behind it is: a [Hub] asks it
// now and then, for metrics.
type BrokerPinger interface {
	// Ping returns once everything that was published before has been taken by
	// the broker's server, or the context's error.
	Ping(ctx context.Context) error
}

// BrokerHandler takes what arrives for a subscription. The broker calls one
// method at a time, in the order of what happened; they do not block.
type BrokerHandler interface {
	// Deliver takes a payload, which is the broker's again when it returns, and
	// must not be changed.
	Deliver(payload []byte)
	// Missed says that payloads may be missing between those before and those
	// after: the connection was lost for a while, or a queue was full.
	Missed()
}

// BrokerState says how a broker is connected to the other nodes.
type BrokerState struct {
	// Connected is false from the loss of the connection until it is made again.
	Connected bool
	// Err is the error behind the loss, or nil.
	Err error
}

// ErrBrokerFull is returned by a broker that cannot queue what is published.
var ErrBrokerFull = errors.New("broker: too much is waiting to be published")
