// Command bot is a service beside the chat: an ordinary Hollywood program
// without any WebSocket, which reads what is said in the rooms, answers there,
// and writes to single connections through the hub, on whatever node they are.
//
//	go run ./examples/chat -nats-listen 127.0.0.1:4222
//	go run ./examples/chat/cmd/bot -nats nats://127.0.0.1:4222
//
// It answers to !help, !time, !who and !whisper.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/natsbroker"
	"github.com/tandem-ws/tandem/examples/chat/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet("bot", flag.ExitOnError)
	url := flags.String("nats", "nats://127.0.0.1:4222", "`URLs` of the chat's NATS servers, separated by commas")
	token := flags.String("nats-token", "", "`secret` that NATS wants")
	replicas := flags.Int("replicas", 1, "as the chat's")
	_ = flags.Parse(os.Args[1:]) // it exits itself
	if err := run(ctx, *url, *token, *replicas, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bot:", err)
		os.Exit(1)
	}
}

// startTimeout is how long the chat's streams may take to be there.
const startTimeout = 30 * time.Second

// run answers until the context ends.
func run(ctx context.Context, url, token string, replicas int, log io.Writer) error {
	engine, err := actor.NewEngine()
	if err != nil {
		return err
	}
	var options []nats.Option
	if token != "" {
		options = append(options, nats.Token(token))
	}
	broker, err := natsbroker.Connect(natsbroker.Config{URLs: strings.Split(url, ","), Options: options, Name: "chat bot"})
	if err != nil {
		return err
	}
	defer broker.Close()
	hub, err := actor.NewHub(engine, broker, actor.HubConfig{Prefix: "chat.hub"})
	if err != nil {
		return err
	}
	defer hub.Close()
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails
	limited, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	kept, err := store.Open(limited, store.Config{Node: "bot-" + hex.EncodeToString(random[:]), Replicas: replicas, Connect: func(own ...nats.Option) (*nats.Conn, error) {
		return nats.Connect(url, append(own, options...)...)
	}})
	if err != nil {
		return err
	}
	defer kept.Close()
	pid := engine.Spawn(func() actor.Receiver { return &bot{hub: hub, store: kept} }, "bot")
	stop, err := kept.FollowAll(func(m store.Message) { engine.Send(pid, m) })
	if err != nil {
		return err
	}
	fmt.Fprintln(log, "bot: listening")
	<-ctx.Done()
	stop()
	<-engine.Poison(pid).Done()
	return nil
}
