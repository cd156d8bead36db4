package load

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	joinTries = 40
	joinPause = 500 * time.Millisecond
)

// Broadcast is a run in which the first connection publishes and every
// connection, the publisher too, must receive everything in order.
type Broadcast struct {
	Target   Target
	Tape     *Tape
	Conns    int
	Burst    int // messages published at once; the next burst waits for all deliveries
	Warmup   time.Duration
	Duration time.Duration
	Hooks    Hooks
}

type broadcast struct {
	*loop
	o         Broadcast
	delivered int           // of the burst under way
	published int           // messages so far
	sentAt    time.Duration // when the burst left
	latency   *Histogram    // nil while warming up
}

// Run subscribes, waits until every subscriber receives, warms up and measures
// whole bursts.
func (o Broadcast) Run(ctx context.Context) (Result, error) {
	var r Result
	if o.Burst < 1 || o.Burst > o.Tape.frames() || o.Target.Raw || o.Target.Deflate {
		return r, fmt.Errorf("broadcast: burst %d or target is wrong", o.Burst)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := newLoop()
	if err != nil {
		return r, err
	}
	defer l.close()
	var handshakes Histogram
	if err = l.open(ctx, o.Target, o.Tape, o.Conns, 0, &handshakes); err != nil {
		return r, err
	}
	b := &broadcast{loop: l, o: o}
	if err = b.join(ctx); err != nil {
		return r, err
	}
	if _, err = b.bursts(ctx, o.Warmup); err != nil {
		return r, err
	}
	if err = o.Hooks.begin(); err != nil {
		return r, err
	}
	b.latency = &r.Latency
	began := b.now()
	if r.Messages, err = b.bursts(ctx, o.Duration); err != nil {
		return r, err
	}
	r.Elapsed = b.now() - began
	return r, o.Hooks.end()
}

// join publishes until one message has reached everybody: a handshake that is
// answered does not yet mean that its connection is subscribed.
func (b *broadcast) join(ctx context.Context) error {
	for _, c := range b.conns {
		c.free = true
	}
	for range joinTries {
		if err := b.publish(1); err != nil {
			return err
		}
		last := b.published % b.o.Tape.frames()
		all := func() bool {
			for _, c := range b.conns {
				if c.free || c.started || c.next%b.o.Tape.frames() != last {
					return false
				}
			}
			return true
		}
		for end := b.now() + joinPause; b.now() < end; {
			if err := b.step(ctx); err != nil {
				return err
			}
			if b.delivered >= len(b.conns) && all() {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: not every subscriber receives", ErrStalled)
}

// bursts publishes for a time and returns how many deliveries that made.
func (b *broadcast) bursts(ctx context.Context, duration time.Duration) (int, error) {
	deliveries := 0
	for end := b.now() + duration; b.now() < end; {
		if err := b.publish(b.o.Burst); err != nil {
			return deliveries, err
		}
		want := b.o.Burst * len(b.conns)
		for b.delivered < want {
			if b.now() > b.sentAt+stallTime {
				return deliveries, fmt.Errorf("%w: %d of %d deliveries of a burst arrived", ErrStalled, b.delivered, want)
			}
			if err := b.step(ctx); err != nil {
				return deliveries, err
			}
		}
		if b.delivered > want {
			return deliveries, ErrPayload // more deliveries than messages
		}
		deliveries += want
	}
	return deliveries, nil
}

func (b *broadcast) publish(count int) error {
	c := b.conns[0]
	b.sentAt, b.delivered = b.now(), 0
	c.out = append([]byte(nil), b.o.Tape.run(b.published, count)...)
	b.published += count
	return b.flush(c)
}

func (b *broadcast) flush(c *conn) error {
	empty, err := c.write()
	if err != nil {
		return err
	}
	events := uint32(unix.EPOLLIN)
	if !empty {
		events |= unix.EPOLLOUT
	}
	return b.watch(c, events, unix.EPOLL_CTL_MOD)
}

func (b *broadcast) step(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return b.wait(pollPause, func(c *conn, events uint32) error {
		done, err := b.read(c)
		if err != nil {
			return err
		}
		if done > 0 {
			b.delivered += done
			if b.latency != nil {
				late := b.now() - b.sentAt
				for range done {
					b.latency.Record(late)
				}
			}
		}
		if len(c.pongs) > 0 || events&unix.EPOLLOUT != 0 {
			return b.flush(c)
		}
		return nil
	})
}
