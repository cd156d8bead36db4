package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
)

// subprotocol is the chat's.
const subprotocol = "chat.v1+json"

// counts are what the progress shows.
type counts struct {
	joined, open       atomic.Int64
	sent, received     atomic.Int64
	refused, failed    atomic.Int64
	troubles           atomic.Int64
	answered, answerNS atomic.Int64 // says that came back, and the time that took
}

// crowd is all clients.
type crowd struct {
	options   options
	counts    *counts
	engine    *actor.Engine
	readiness split.Readiness
}

func newCrowd(o options, counts *counts) (*crowd, error) {
	engine, err := actor.NewEngine()
	if err != nil {
		return nil, err
	}
	return &crowd{options: o, counts: counts, engine: engine, readiness: split.NewReadiness()}, nil
}

func (c *crowd) dial() split.DialConfig {
	return split.DialConfig{URL: c.options.url, Subprotocols: []string{subprotocol}}
}

// arrivals is how many clients begin in a second.
const arrivals = 500

// run lets the clients come one after the other, and leave together at the end.
func (c *crowd) run(ctx context.Context) error {
	var troubled sync.WaitGroup
	for i := range c.options.trouble {
		troubled.Go(func() { c.trouble(ctx, i) })
	}
	defer troubled.Wait()
	var dialers []*actor.Dialer
	pace := time.NewTicker(time.Second / arrivals)
	defer pace.Stop()
	for number := range c.options.clients {
		dialer, err := actor.NewDialer(c.engine, func(*actor.Established) (actor.Receiver, error) {
			return &person{crowd: c, number: number}, nil
		}, actor.DialerConfig{
			Dial:       c.dial(),
			ConnConfig: actor.ConnConfig{Name: "loadgen", Readiness: c.readiness, Observer: watch{counts: c.counts}},
			Retry:      comeBack,
		})
		if err != nil {
			return err
		}
		dialers = append(dialers, dialer)
		select {
		case <-pace.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	<-ctx.Done()
	leaving, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var group sync.WaitGroup
	for _, dialer := range dialers {
		group.Go(func() { _ = dialer.Shutdown(leaving) }) // an error means that the time was up
	}
	group.Wait()
	return nil
}

// comeBack makes a client that left, or was sent away, return within a second
// or so. What failed to connect waits as dialers do.
func comeBack(attempt actor.Attempt) actor.Decision {
	if attempt.Closed == nil {
		return actor.Decision{Again: true, After: max(attempt.Default.After, rand.N(time.Second))}
	}
	return actor.Decision{Again: true, After: rand.N(time.Second)}
}

// watch counts connections for the progress.
type watch struct {
	actor.NopObserver
	counts *counts
}

// ConnectionOpened counts one more.
func (w watch) ConnectionOpened(string) { w.counts.open.Add(1) }

// ConnectionClosed counts one less.
func (w watch) ConnectionClosed(actor.Closed, time.Duration) { w.counts.open.Add(-1) }

// DialFailed counts an attempt.
func (w watch) DialFailed(string) { w.counts.failed.Add(1) }
