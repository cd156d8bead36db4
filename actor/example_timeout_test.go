package actor_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
)

// patient is a session whose connection is used from elsewhere.
type patient struct{ opened chan *actor.Conn }

func (s patient) Receive(c *actor.Context) {
	if m, ok := c.Message().(actor.Opened); ok {
		s.opened <- m.Conn
	}
}

// A wait that is given up ends that call and nothing else: the client that was
// too slow for one message hears the next ones.
func ExampleConn_SendContext() {
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	opened := make(chan *actor.Conn, 1)
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return patient{opened}, nil }
	config := actor.ServerConfig{ConnConfig: actor.ConnConfig{
		Mailbox: split.MailboxConfig{MaxFrames: 8, Policy: split.Block, BlockTimeout: time.Minute},
	}}
	server, err := actor.NewServer(engine, newSession, config)
	if err != nil {
		fmt.Println(err)
		return
	}
	c := mustDial(server)
	conn := <-opened

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	sent := 0
	for err == nil {
		if err = conn.SendContext(ctx, server.Binary(make([]byte, 10_000))); err == nil {
			sent++
		}
	}
	fmt.Println("given up:", errors.Is(err, context.DeadlineExceeded))

	for range sent { // the client reads at last
		c.hear()
	}
	fmt.Println(conn.SendText("still here"))
	fmt.Println(c.hear())
	c.leave()
	fmt.Println(server.Shutdown(context.Background()))
	// Output:
	// given up: true
	// <nil>
	// still here
	// <nil>
}
