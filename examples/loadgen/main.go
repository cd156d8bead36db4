// Command loadgen fills the chat with people who talk, leave and come back, so
// that its metrics and dashboards have something to show. It is made of the
// kit's own dialers: thousands of clients hold no goroutine each.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // nobody could connect
	exitUsage  = 2
)

// options are what the command line says.
type options struct {
	url      string
	clients  int
	rooms    int
	rate     float64       // messages a second of each client
	stay     time.Duration // how long a client stays on average
	trouble  int           // clients that behave badly, at any time
	duration time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stderr, term.IsTerminal(int(os.Stderr.Fd()))))
}

// run is the program without its process. With redraw the progress stays on
// one line.
func run(ctx context.Context, args []string, out io.Writer, redraw bool) int {
	o, err := parseOptions(args, out)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(out, "loadgen:", err)
		return exitUsage
	}
	if o.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.duration)
		defer cancel()
	}
	var counts counts
	crowd, err := newCrowd(o, &counts)
	if err != nil {
		fmt.Fprintln(out, "loadgen:", err)
		return exitUsage
	}
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		show(ctx, out, redraw, o, &counts)
	}()
	err = crowd.run(ctx)
	<-shown
	switch {
	case err != nil:
		fmt.Fprintln(out, "loadgen:", err)
		return exitFailed
	case counts.joined.Load() == 0:
		fmt.Fprintln(out, "loadgen: nobody could join at", o.url)
		return exitFailed
	}
	return exitOK
}

func parseOptions(args []string, out io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("loadgen", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // run says it
	flags.StringVar(&o.url, "url", "ws://127.0.0.1:8080/ws", "the chat's WebSocket `address`")
	flags.IntVar(&o.clients, "clients", 200, "`number` of clients, 1 to 100000")
	flags.IntVar(&o.rooms, "rooms", 10, "`number` of rooms they share, 1 to 1000")
	flags.Float64Var(&o.rate, "rate", 0.5, "`messages` a second that each client says, over 0 to 9")
	flags.DurationVar(&o.stay, "stay", time.Minute, "how `long` a client stays on average before it leaves and comes back")
	flags.IntVar(&o.trouble, "trouble", 0, "`number` of further clients that behave badly: break the protocol, vanish, or never read")
	flags.DurationVar(&o.duration, "duration", 0, "how `long` to go on; 0: until interrupted")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(out, "usage: loadgen [flags]")
		flags.SetOutput(out)
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.clients < 1 || o.clients > 100_000:
		return o, fmt.Errorf("-clients %d is not from 1 to 100000", o.clients)
	case o.rooms < 1 || o.rooms > 1000:
		return o, fmt.Errorf("-rooms %d is not from 1 to 1000", o.rooms)
	case !(o.rate > 0 && o.rate <= 9):
		return o, fmt.Errorf("-rate %v is not over 0 to 9, and the chat allows 10", o.rate)
	case o.stay < time.Second:
		return o, fmt.Errorf("-stay %v is less than 1s", o.stay)
	case o.trouble < 0 || o.trouble > 1000:
		return o, fmt.Errorf("-trouble %d is not from 0 to 1000", o.trouble)
	case o.duration < 0:
		return o, fmt.Errorf("-duration %v is negative", o.duration)
	}
	return o, nil
}
