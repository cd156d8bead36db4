package load

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// Hooks are called on the load's own thread, which sends nothing meanwhile.
type Hooks struct {
	Begin func() error // before the measured part
	End   func() error // right after it
}

func (h Hooks) begin() error {
	if h.Begin == nil {
		return nil
	}
	return h.Begin()
}

func (h Hooks) end() error {
	if h.End == nil {
		return nil
	}
	return h.End()
}

// Result is what a run measured, from Begin to End.
type Result struct {
	Messages   int // replies, deliveries or handshakes
	Elapsed    time.Duration
	Latency    Histogram
	SlowClosed int // connections that never read and that the server closed
}

// Echo is a run in which every message comes back to its sender.
type Echo struct {
	Target   Target
	Tape     *Tape
	Conns    int
	Window   int // messages in flight on each connection
	Warmup   time.Duration
	Duration time.Duration
	// Slow connections, out of Conns, send SlowBytes each and never read.
	Slow      int
	SlowBytes int
	Hooks     Hooks
}

// echo is the state of a run.
type echo struct {
	*loop
	o         Echo
	limit     int // messages that each connection sends at most, 0: no limit
	stopping  bool
	messages  int
	since     time.Duration // when the measured part began
	measuring bool
	latency   *Histogram
	closed    int // slow connections that the server closed
}

// Run opens the connections, warms up, measures, waits until every reply has
// arrived and closes. It takes at most about a minute longer than asked.
func (o Echo) Run(ctx context.Context) (Result, error) {
	var r Result
	if o.Window < 1 || o.Window > o.Tape.frames() || o.Slow >= o.Conns {
		return r, fmt.Errorf("echo: window %d or slow connections %d of %d are wrong", o.Window, o.Slow, o.Conns)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	l, err := newLoop()
	if err != nil {
		return r, err
	}
	defer l.close()
	var handshakes Histogram
	if err = l.open(ctx, o.Target, o.Tape, o.Conns, o.Slow, &handshakes); err != nil {
		return r, err
	}
	e := &echo{loop: l, o: o, latency: &r.Latency}
	if err = e.startAll(); err != nil {
		return r, err
	}
	if err = e.until(ctx, e.now()+o.Warmup); err != nil {
		return r, err
	}
	if err = o.Hooks.begin(); err != nil {
		return r, err
	}
	before := e.messages
	e.since, e.measuring = e.now(), true
	if err = e.until(ctx, e.since+o.Duration); err != nil {
		return r, err
	}
	r.Elapsed, r.Messages = e.now()-e.since, e.messages-before
	if err = o.Hooks.end(); err != nil {
		return r, err
	}
	e.measuring = false
	err = e.drain(ctx)
	r.SlowClosed = e.closed
	return r, err
}

// startAll sends each connection's first messages.
func (e *echo) startAll() error {
	for i, c := range e.conns {
		c.stamps = make([]time.Duration, e.o.Window)
		if c.slow {
			if err := e.watch(c, unix.EPOLLOUT, unix.EPOLL_CTL_MOD); err != nil {
				return err
			}
			continue
		}
		if err := e.send(c); err != nil {
			return fmt.Errorf("connection %d: %w", i, err)
		}
	}
	return nil
}

// until handles events until a time.
func (e *echo) until(ctx context.Context, end time.Duration) error {
	heard, seen := e.now(), e.messages
	for {
		now := e.now()
		if now >= end {
			return nil
		}
		if e.messages != seen {
			heard, seen = now, e.messages
		}
		if now-heard > stallTime {
			return fmt.Errorf("%w: %d replies are due", ErrStalled, e.due())
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.wait(min(end-now, pollPause), e.event); err != nil {
			return err
		}
	}
}

// drain sends no more and waits for what is due.
func (e *echo) drain(ctx context.Context) error {
	e.stopping = true
	for end := e.now() + stallTime; e.due() > 0; {
		if e.now() > end {
			return fmt.Errorf("%w: %d replies are due at the end", ErrStalled, e.due())
		}
		if err := e.until(ctx, e.now()+time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// due is how many replies are missing.
func (e *echo) due() int {
	n := 0
	for _, c := range e.conns {
		if !c.slow {
			n += c.sent - c.received
		}
	}
	return n
}

func (e *echo) event(c *conn, events uint32) error {
	if c.slow {
		return e.stuff(c, events)
	}
	if events&(unix.EPOLLIN|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		done, err := e.read(c)
		if err != nil {
			return err
		}
		if done > 0 {
			if done > c.sent-c.received {
				return ErrPayload // more replies than messages
			}
			now := e.now()
			for range done {
				// What was under way when the measured part began waited for Begin.
				if sent := c.stamps[c.received%len(c.stamps)]; e.measuring && sent >= e.since {
					e.latency.Record(now - sent)
				}
				c.received++
			}
			e.messages += done
		}
	}
	if len(c.out) > 0 && events&unix.EPOLLOUT == 0 {
		return nil // still blocked
	}
	return e.send(c)
}

// send fills the window of a connection.
func (e *echo) send(c *conn) error {
	for {
		empty, err := c.write()
		if err != nil {
			return err
		}
		if !empty {
			return e.watch(c, unix.EPOLLIN|unix.EPOLLOUT, unix.EPOLL_CTL_MOD)
		}
		n := e.o.Window - (c.sent - c.received)
		if e.limit > 0 {
			n = min(n, e.limit-c.sent)
		}
		if n <= 0 || e.stopping {
			return e.watch(c, unix.EPOLLIN, unix.EPOLL_CTL_MOD)
		}
		now := e.now()
		c.out = e.o.Tape.run(c.sent, n)
		for range n {
			c.stamps[c.sent%len(c.stamps)] = now
			c.sent++
		}
	}
}

// stuff sends on a connection that never reads, until it blocks for good.
func (e *echo) stuff(c *conn, events uint32) error {
	for events&(unix.EPOLLERR|unix.EPOLLHUP) == 0 {
		empty, err := c.write()
		if err != nil {
			break
		}
		if !empty {
			return nil
		}
		size := len(e.o.Tape.run(0, 1))
		if (c.sent+1)*size > e.o.SlowBytes {
			return e.watch(c, 0, unix.EPOLL_CTL_MOD)
		}
		c.out = e.o.Tape.run(c.sent, 1)
		c.sent++
	}
	e.closed++
	c.shut()
	return nil
}
