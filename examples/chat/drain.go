package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

// maxDrain bounds each time of a shutdown.
const maxDrain = time.Hour

// lastCloses is what a shutdown must leave for connections that close last.
const lastCloses = 5 * time.Second

// drainOptions say how the chat shuts down.
type drainOptions struct {
	// delay is how long it goes on accepting though its probe fails.
	delay time.Duration
	// spread is the time over which it then closes connections.
	spread time.Duration
	// timeout bounds all of it. Over it: what is left is cut off.
	timeout time.Duration
}

func (d *drainOptions) register(flags *flag.FlagSet) {
	flags.DurationVar(&d.delay, "drain-delay", 0, "`time` from a failing probe to the first close, for load balancers to look elsewhere")
	flags.DurationVar(&d.spread, "drain-spread", 0, "`time` over which connections are then closed, so that clients do not come back all at once")
	flags.DurationVar(&d.timeout, "drain-timeout", 10*time.Second, "`time` that a shutdown may take in all; then connections are cut off")
}

func (d *drainOptions) check() error {
	for _, each := range []struct {
		name  string
		value time.Duration
	}{{"-drain-delay", d.delay}, {"-drain-spread", d.spread}, {"-drain-timeout", d.timeout}} {
		if each.value < 0 || each.value > maxDrain {
			return fmt.Errorf("%s %v is not between 0 and %v", each.name, each.value, maxDrain)
		}
	}
	if least := d.delay + d.spread + lastCloses; d.timeout < least {
		return fmt.Errorf("-drain-timeout %v is less than -drain-delay, -drain-spread and %v for the last closes: %v", d.timeout, lastCloses, least)
	}
	return nil
}

// A client comes back at a random moment within this time: soon where the closes
// are spread already.
const (
	returnWithin     = time.Second
	returnSoonWithin = 200 * time.Millisecond
)

// config closes with 1012, because whoever stops a chat mostly starts another,
// and tells clients how soon to come back.
func (d *drainOptions) config() actor.DrainConfig {
	within := returnWithin
	if d.spread > 0 {
		within = returnSoonWithin
	}
	reason := fmt.Sprintf("restarting, retry within %d ms", within.Milliseconds())
	return actor.DrainConfig{Delay: d.delay, Spread: d.spread, Code: wscore.CloseServiceRestart, Reason: reason}
}

// drain turns the probe, closes connections and ends the rooms. Admin stays
// until last, so that the draining can be seen.
func (c *chat) drain() {
	began := time.Now()
	c.logger.Info("closing the chat", zap.Int("connections", c.sockets.Len()+c.slow.Len()), zap.Int("rooms", c.rooms.len()))
	ctx, cancel := context.WithTimeout(context.Background(), c.options.drain.timeout)
	defer cancel()
	slow := make(chan error, 1)
	go func() { slow <- c.slow.Shutdown(ctx) }()
	err := errors.Join(c.sockets.Shutdown(ctx), <-slow, c.rooms.wait(ctx))
	c.shut(c.public) // up to here it has answered late handshakes with 503
	c.backbone.close()
	if err != nil {
		c.logger.Warn("the chat closed late: some connections were cut", zap.Error(err))
	}
	c.logger.Info("the chat is closed", zap.Duration("took", time.Since(began)))
	c.shut(c.admin)
}
