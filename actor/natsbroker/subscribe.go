package natsbroker

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandem-ws/tandem/actor"
)

// interest is the one subscription of a subject at the server, for all that are
// made here.
type interest struct {
	subject string
	made    chan struct{} // closed once sub or err is set
	sub     *nats.Subscription
	err     error

	// Guarded by the broker's lock.
	subscriptions []*subscription
	ending        chan struct{} // closed when it has ended; nil as long as nobody ends it

	// Of the goroutine that sorts what arrives.
	dropped int
	stale   bool // the connection is another one since the last arrival
}

// What stands among the arrivals beside messages.
var (
	// markDialed: what follows comes from another connection.
	markDialed = &nats.Msg{}
	// markMade: the servers know again of all subscriptions.
	markMade = &nats.Msg{}
)

// mark puts a mark among the arrivals.
func (b *Broker) mark(m *nats.Msg) {
	select {
	case b.arrivals <- m:
	case <-b.closing:
	}
}

// Subscribe gives the handler what other brokers publish to the subject, from
// the moment that Subscribe returns. In a cluster that holds for those who know
// of it through the cluster; who learns of it on another way may be earlier than
// the servers, by the time that one of them takes to tell the others. It waits
// for a connection and the server's answer. The error is of nats.go or that of
// a context that ended after Config.SubscribeTimeout.
func (b *Broker) Subscribe(subject string, handler actor.BrokerHandler) (cancel func(), err error) {
	s := &subscription{broker: b, handler: handler}
	ctx, stop := context.WithTimeout(context.Background(), b.config.SubscribeTimeout)
	defer stop()
	i, first, err := b.join(ctx, subject, s)
	if err == nil {
		if first {
			i.sub, i.err = b.nc.ChanSubscribe(subject, b.arrivals)
			close(i.made)
		}
		select {
		case <-i.made:
			err = i.err
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err == nil {
			err = b.flush(ctx)
		}
		if err != nil {
			b.end(i, s)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("natsbroker: subscribe %q: %w", subject, err)
	}
	return func() { b.end(i, s) }, nil
}

// join adds a subscription to its interest, which is made if there is none; the
// first one has to tell the server.
func (b *Broker) join(ctx context.Context, subject string, s *subscription) (i *interest, first bool, err error) {
	for {
		b.mu.Lock()
		i = b.subjects[subject]
		if i == nil {
			i = &interest{subject: subject, made: make(chan struct{}), subscriptions: []*subscription{s}}
			b.subjects[subject] = i
			b.mu.Unlock()
			return i, true, nil
		}
		ending := i.ending
		if ending == nil {
			i.subscriptions = append(slices.Clone(i.subscriptions), s)
			b.mu.Unlock()
			return i, false, nil
		}
		b.mu.Unlock()
		select {
		case <-ending:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		case <-b.closing:
			return nil, false, ErrClosed
		}
	}
}

// flush waits until the server has taken all that was sent to it, on whatever
// connection.
func (b *Broker) flush(ctx context.Context) error {
	for {
		err := b.nc.FlushWithContext(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		poll := time.NewTimer(reconnectPoll)
		select {
		case <-poll.C:
		case <-ctx.Done():
			poll.Stop()
			return ctx.Err()
		case <-b.closing:
			poll.Stop()
			return ErrClosed
		}
	}
}

// end ends a subscription. The server is told by the goroutine that publishes,
// since that may wait for the network.
func (b *Broker) end(i *interest, s *subscription) {
	s.end()
	b.mu.Lock()
	defer b.mu.Unlock()
	i.subscriptions = slices.DeleteFunc(slices.Clone(i.subscriptions), func(other *subscription) bool { return other == s })
	if len(i.subscriptions) == 0 {
		_ = b.out.put(record{over: i}, nil, 0) // a closed broker has none
	}
}

// leave ends an interest unless somebody has it again.
func (b *Broker) leave(i *interest) {
	b.mu.Lock()
	if len(i.subscriptions) > 0 || i.ending != nil {
		b.mu.Unlock()
		return
	}
	i.ending = make(chan struct{})
	b.mu.Unlock()
	<-i.made
	if i.sub != nil {
		_ = i.sub.Unsubscribe() // fails without a connection only for good
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subjects, i.subject)
	close(i.ending)
}

// sort puts what arrives into the queues of the subscriptions, until the broker
// is closed.
func (b *Broker) sort() {
	var dialed bool
	for {
		select {
		case m := <-b.arrivals:
			switch {
			case m == markDialed:
				if dialed {
					b.each(func(i *interest) { i.stale = true })
				}
				dialed = true
			case m == markMade:
				b.each(func(i *interest) {
					i.stale = false
					i.put(nil)
				})
			default:
				b.take(m)
			}
		case <-b.closing:
			return
		}
	}
}

func (b *Broker) each(visit func(*interest)) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, i := range b.subjects {
		visit(i)
	}
}

// take puts a message into its queues, and before it what is missing.
func (b *Broker) take(m *nats.Msg) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	i := b.subjects[m.Subject]
	if i == nil {
		return
	}
	if m.Sub == nil { // the mark of a loss
		b.lost.Add(1)
		i.put(nil)
		return
	}
	// The mark of a loss comes after it. What follows the loss comes before the
	// mark: so the loss is told twice, to be told in time.
	if dropped, err := m.Sub.Dropped(); err == nil && dropped != i.dropped {
		i.dropped, i.stale = dropped, true
	}
	if i.stale {
		i.stale = false
		i.put(nil)
	}
	if m.Data == nil {
		m.Data = []byte{}
	}
	i.put(m.Data)
}

// put gives a payload to all subscriptions, or nil for what is missing. The
// caller holds the broker's lock for reading.
func (i *interest) put(payload []byte) {
	for _, s := range i.subscriptions {
		s.put(payload)
	}
}
