package natsbroker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandem-ws/tandem/actor"
)

// Broker is an [actor.Broker] over one connection to a NATS server or cluster.
// It reconnects by itself, without end. What it publishes does not come back to
// its own subscriptions, so hubs of one process that are to hear each other
// need one each. All methods may be called from any goroutine.
type Broker struct {
	config     Config
	nc         *nats.Conn
	maxPayload atomic.Int64
	out        outgoing
	stream     atomic.Pointer[net.Conn] // the last one that was dialed

	arrivals chan *nats.Msg
	pending  atomic.Int64 // bytes that wait for all handlers
	lost     atomic.Uint64

	mu       sync.RWMutex
	subjects map[string]*interest

	stateMu   sync.Mutex // held while watchers are called, so that they hear of one thing at a time
	connected bool
	hasBeen   bool // connected, at some time
	watchers  []*watcher

	closeOnce sync.Once
	closing   chan struct{} // Close was called
	over      chan struct{} // the connection is closed and all its callbacks are done
	work      sync.WaitGroup
}

var _ actor.Broker = (*Broker)(nil)

// ErrClosed: [Broker.Close] was called.
var ErrClosed = errors.New("natsbroker: the broker is closed")

// ErrTooLong: a payload is longer than the server takes.
var ErrTooLong = errors.New("natsbroker: the payload is longer than the server takes")

const (
	// arrivalsLength is how many messages may wait between the socket and the
	// queues of the subscriptions, which takes no time but a goroutine's turn.
	// Over it: lost, and Missed is called.
	arrivalsLength = 16 << 10
	// settleTime is how long servers may need to tell each other of the
	// subscriptions of a client that has come to another one of them.
	settleTime = 100 * time.Millisecond
	// closeTimeout is how long Close may take to send what waits.
	closeTimeout = 2 * time.Second
)

// Connect connects to the servers. The error is an [*actor.ConfigError], or that
// of the connection, which is not tried again unless nats.RetryOnFailedConnect
// is among the options. [Broker.Close] ends what it starts.
func Connect(config Config) (*Broker, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Broker{
		config: config, arrivals: make(chan *nats.Msg, arrivalsLength), subjects: make(map[string]*interest),
		closing: make(chan struct{}), over: make(chan struct{}),
	}
	b.out.kick = make(chan struct{}, 1)
	b.maxPayload.Store(math.MaxInt64) // until a server says what it takes
	options, err := b.options()
	if err != nil {
		return nil, err
	}
	b.work.Go(b.sort)
	b.nc, err = options.Connect()
	if err != nil {
		close(b.closing)
		b.work.Wait()
		return nil, fmt.Errorf("natsbroker: connect: %w", err)
	}
	b.setMaxPayload(b.nc)
	if b.nc.IsConnected() {
		b.setConnected(true, nil)
	}
	b.work.Go(b.publish)
	return b, nil
}

// options are those of nats.go: what the user wants, then what the broker needs.
func (b *Broker) options() (nats.Options, error) {
	o := nats.GetDefaultOptions()
	o.ReconnectWait, o.ReconnectJitter, o.ReconnectJitterTLS = reconnectWait, reconnectJitter, reconnectJitter
	o.PingInterval, o.MaxPingsOut, o.FlusherTimeout = pingInterval, pingMisses, writeTimeout
	o.Name, o.Servers, o.NoEcho = b.config.Name, b.config.URLs, true
	options := slices.Clone(b.config.Options)
	if b.config.CredentialsFile != "" {
		options = append(options, nats.UserCredentials(b.config.CredentialsFile))
	}
	if b.config.TLS != nil {
		options = append(options, nats.Secure(b.config.TLS))
	}
	for _, option := range options {
		if err := option(&o); err != nil {
			return o, fmt.Errorf("natsbroker: option: %w", err)
		}
	}
	o.AllowReconnect, o.MaxReconnect, o.IgnoreAuthErrorAbort = true, -1, true
	o.NoCallbacksAfterClientClose = false // Close waits for the last one
	o.ReconnectBufSize = -1               // what is published waits here instead
	switch {
	case b.config.InProcess != nil:
		o.InProcessServer = dialing{broker: b, server: b.config.InProcess}
	case o.CustomDialer != nil:
		o.CustomDialer = dialing{broker: b, dialer: o.CustomDialer}
	default:
		o.CustomDialer = dialing{broker: b, dialer: &net.Dialer{Timeout: o.Timeout}}
	}
	o.ConnectedCB, o.ReconnectedCB = b.made, b.made
	o.DisconnectedErrCB = func(_ *nats.Conn, err error) { b.setConnected(false, err) }
	o.AsyncErrorCB = b.failed
	o.ClosedCB = func(*nats.Conn) { close(b.over) }
	return o, nil
}

// dialing notes where in the order of arrivals a connection ends and the next
// one begins: nats.go dials only when the reader of the last one has ended.
type dialing struct {
	broker *Broker
	dialer nats.CustomDialer
	server nats.InProcessConnProvider
}

// Dial is that of nats.CustomDialer.
func (d dialing) Dial(network, address string) (net.Conn, error) {
	conn, err := d.dialer.Dial(network, address)
	return d.broker.dialed(conn, err)
}

// InProcessConn is that of nats.InProcessConnProvider.
func (d dialing) InProcessConn() (net.Conn, error) {
	conn, err := d.server.InProcessConn()
	return d.broker.dialed(conn, err)
}

func (b *Broker) dialed(conn net.Conn, err error) (net.Conn, error) {
	if err == nil {
		b.stream.Store(&conn)
		b.mark(markDialed)
	}
	return conn, err
}

// made is called when there is a connection. Only when the servers know of the
// subscriptions again can be said that nothing more is missed.
func (b *Broker) made(nc *nats.Conn) {
	b.setMaxPayload(nc)
	if changed, first := b.setConnected(true, nil); !changed || first {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), b.config.SubscribeTimeout)
	defer cancel()
	if nc.FlushWithContext(ctx) != nil {
		return // it is lost again
	}
	settled := time.NewTimer(settleTime)
	defer settled.Stop()
	select {
	case <-settled.C:
		b.mark(markMade)
	case <-b.closing:
	}
}

// setMaxPayload keeps what the server takes, which Publish must not wait for.
func (b *Broker) setMaxPayload(nc *nats.Conn) {
	if most := nc.MaxPayload(); most > 0 {
		b.maxPayload.Store(most)
	}
}

// failed is told of what goes wrong behind the calls.
func (b *Broker) failed(_ *nats.Conn, s *nats.Subscription, err error) {
	if s != nil && errors.Is(err, nats.ErrSlowConsumer) {
		b.mark(&nats.Msg{Subject: s.Subject})
	}
	b.config.Errors(err)
}

type watcher struct{ f func(actor.BrokerState) }

// setConnected notes a change and tells the watchers of it.
func (b *Broker) setConnected(connected bool, err error) (changed, first bool) {
	b.stateMu.Lock()
	defer b.stateMu.Unlock()
	if b.connected == connected {
		return false, false
	}
	b.connected, first = connected, !b.hasBeen
	b.hasBeen = true
	for _, w := range b.watchers {
		w.f(actor.BrokerState{Connected: connected, Err: err})
	}
	return true, first
}

// Watch calls the function, which must neither block nor call the broker,
// whenever the connection is lost or made again, until it is cancelled.
func (b *Broker) Watch(f func(actor.BrokerState)) (cancel func()) {
	w := &watcher{f}
	b.stateMu.Lock()
	defer b.stateMu.Unlock()
	b.watchers = append(b.watchers, w)
	return func() {
		b.stateMu.Lock()
		defer b.stateMu.Unlock()
		b.watchers = slices.DeleteFunc(slices.Clone(b.watchers), func(other *watcher) bool { return other == w })
	}
}

// Stats are numbers of a broker for its operator.
type Stats struct {
	// Connected says whether there is a connection just now.
	Connected bool
	// Reconnects is how often a connection was made again.
	Reconnects uint64
	// Queued is how many bytes wait to be published, as Config.QueuedBytes
	// counts them, and Pending how many wait for handlers.
	Queued, Pending int
	// Lost is how often messages were lost because a queue here was full.
	Lost uint64
}

// Stats returns the numbers of now.
func (b *Broker) Stats() Stats {
	b.stateMu.Lock()
	connected := b.connected
	b.stateMu.Unlock()
	return Stats{
		Connected: connected, Reconnects: b.nc.Stats().Reconnects,
		Queued: b.out.size(), Pending: int(b.pending.Load()), Lost: b.lost.Load(),
	}
}

// Close sends what waits, for at most two seconds, and ends the connection and
// all subscriptions. Handlers may be called a last time meanwhile.
func (b *Broker) Close() {
	b.closeOnce.Do(func() {
		b.out.close()
		close(b.closing)
	})
	// A write to a server that takes nothing holds nats.go's lock.
	cut := time.AfterFunc(closeTimeout, func() {
		if stream := b.stream.Load(); stream != nil {
			_ = (*stream).Close()
		}
	})
	defer cut.Stop()
	<-b.over
	b.work.Wait()
}
