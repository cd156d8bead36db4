package load

import (
	"context"
	"runtime"
	"time"
)

// settle is what a server gets to finish what a handshake started, after its
// answer left.
const settle = 100 * time.Millisecond

// Storm opens connections as fast as the server answers, 128 at a time. Closing
// them is not measured.
type Storm struct {
	Target Target
	Conns  int
	Hooks  Hooks
}

// Run measures handshakes.
func (o Storm) Run(ctx context.Context) (Result, error) {
	var r Result
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	tape, err := Plain(MinSize, 1)
	if err != nil {
		return r, err
	}
	// A few handshakes first, so that the server has its pages and its heap.
	if err = hold(ctx, o.Target, tape, min(o.Conns, 200), false, nil, nil); err != nil {
		return r, err
	}
	if err = o.Hooks.begin(); err != nil {
		return r, err
	}
	began := time.Now()
	err = hold(ctx, o.Target, tape, o.Conns, false, &r.Latency, func() error {
		r.Elapsed, r.Messages = time.Since(began), o.Conns
		time.Sleep(settle)
		return o.Hooks.end()
	})
	return r, err
}

// Hold opens connections, echoes one message on each if echo is set, calls a
// function while all of them are open and idle, and checks that the server
// kept them.
func Hold(ctx context.Context, target Target, conns, size int, echo bool, idle func() error) error {
	tape, err := Plain(size, 1)
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return hold(ctx, target, tape, conns, echo, nil, idle)
}

func hold(ctx context.Context, target Target, tape *Tape, conns int, once bool, latency *Histogram, idle func() error) error {
	l, err := newLoop()
	if err != nil {
		return err
	}
	defer l.close()
	if latency == nil {
		latency = &Histogram{}
	}
	if err = l.open(ctx, target, tape, conns, 0, latency); err != nil {
		return err
	}
	e := &echo{loop: l, o: Echo{Tape: tape, Window: 1}, limit: 1, latency: latency}
	if once {
		if err = e.startAll(); err != nil {
			return err
		}
		if err = e.drain(ctx); err != nil {
			return err
		}
	}
	if idle != nil {
		if err = idle(); err != nil {
			return err
		}
	}
	e.stopping = true // answer pings, notice closed connections
	return e.until(ctx, e.now()+pollPause)
}
