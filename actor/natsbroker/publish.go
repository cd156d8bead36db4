package natsbroker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandem-ws/tandem/actor"
)

// outgoing is what waits to be handed to the connection. Handing over may wait
// for the network, so that only one goroutine does it, and in order.
type outgoing struct {
	mu     sync.Mutex
	batch  batch
	bytes  int // of the batch and of the one that is on its way
	closed bool
	kick   chan struct{}
}

// batch is messages whose payloads lie in one slice.
type batch struct {
	payloads []byte
	records  []record
}

// record is one message, or an interest that may have ended.
type record struct {
	subject string
	end     int // of its payload
	over    *interest
	reached chan<- struct{} // is closed when it is this record's turn, which is no message then
}

const (
	// recordBytes is what a message counts beside its payload.
	recordBytes = 64
	// keptBatch is how large a batch may be that is kept for the next one.
	keptBatch = 1 << 20
	// reconnectPoll is how often is looked for a connection when there is none.
	reconnectPoll = 20 * time.Millisecond
)

// Publish queues a payload for the subscriptions of all other brokers. The
// error is [actor.ErrBrokerFull], [ErrTooLong] or [ErrClosed].
func (b *Broker) Publish(subject string, payload []byte) error {
	if int64(len(payload)) > b.maxPayload.Load() {
		return ErrTooLong
	}
	return b.out.put(record{subject: subject}, payload, b.config.QueuedBytes)
}

func (o *outgoing) put(r record, payload []byte, most int) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return ErrClosed
	}
	if r.over == nil && o.bytes > 0 && o.bytes+len(payload)+recordBytes > most {
		return actor.ErrBrokerFull
	}
	o.bytes += len(payload) + recordBytes
	o.batch.payloads = append(o.batch.payloads, payload...)
	r.end = len(o.batch.payloads)
	o.batch.records = append(o.batch.records, r)
	select {
	case o.kick <- struct{}{}:
	default:
	}
	return nil
}

// take returns what waits and leaves an empty batch for what follows.
func (o *outgoing) take(empty batch) batch {
	o.mu.Lock()
	defer o.mu.Unlock()
	full := o.batch
	o.batch = empty
	return full
}

func (o *outgoing) done(bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes -= bytes
}

func (o *outgoing) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes
}

func (o *outgoing) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

// Ping returns once the server has taken what was published before, and waits
// for SubscribeTimeout at most if the context has no deadline. The error is the
// context's, [actor.ErrBrokerFull], [ErrClosed], or one of nats.go if the
// connection was lost meanwhile.
func (b *Broker) Ping(ctx context.Context) error {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.config.SubscribeTimeout)
		defer cancel()
	}
	reached := make(chan struct{})
	if err := b.out.put(record{reached: reached}, nil, b.config.QueuedBytes); err != nil {
		return err
	}
	select {
	case <-reached:
	case <-ctx.Done():
		return ctx.Err()
	}
	err := b.nc.FlushWithContext(ctx)
	if errors.Is(err, nats.ErrConnectionClosed) && !b.nc.IsClosed() {
		return nats.ErrDisconnected // while it waited
	}
	return err
}

// publish hands what waits to the connection until the broker is closed, and
// then ends the connection.
func (b *Broker) publish() {
	var spare batch
	for {
		select {
		case <-b.out.kick:
			spare = b.handOver(spare)
		case <-b.closing:
			ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
			defer cancel()
			b.handOver(spare)
			if b.nc.IsConnected() {
				_ = b.nc.FlushWithContext(ctx) // as far as it got
			}
			b.nc.Close()
			return
		}
	}
}

// handOver publishes what waits, and returns an emptied batch.
func (b *Broker) handOver(spare batch) batch {
	full, start := b.out.take(spare), 0
	for _, r := range full.records {
		payload := full.payloads[start:r.end]
		start = r.end
		switch {
		case r.over != nil:
			b.leave(r.over)
		case r.reached != nil:
			close(r.reached)
		default:
			b.handOverOne(r.subject, payload)
		}
		b.out.done(len(payload) + recordBytes)
	}
	if cap(full.payloads) > keptBatch {
		full = batch{}
	}
	clear(full.records)
	return batch{payloads: full.payloads[:0], records: full.records[:0]}
}

// handOverOne publishes a message, once there is a connection.
func (b *Broker) handOverOne(subject string, payload []byte) {
	for {
		err := b.nc.Publish(subject, payload)
		if !errors.Is(err, nats.ErrReconnectBufExceeded) {
			if err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
				b.config.Errors(err)
			}
			return
		}
		poll := time.NewTimer(reconnectPoll)
		select {
		case <-poll.C:
		case <-b.closing: // and there is no connection
			poll.Stop()
			return
		}
	}
}
