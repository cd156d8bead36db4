// Command chat is a chat with rooms, presence and history over WebSockets: the
// example of what one builds with package actor. It is no part of the kit, and
// keeps nothing beyond its own life.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		stop()
		<-signals
		os.Exit(exitFailed) // who asks twice does not want to wait
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stderr))
}
