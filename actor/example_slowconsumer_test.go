package actor_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
)

// flooding sends faster than its client reads, which is not at all.
type flooding struct {
	refused chan error
	ended   chan actor.Closed
}

func (s *flooding) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		var err error
		for err == nil {
			err = m.Conn.SendBinary(make([]byte, 1000))
		}
		s.refused <- err
	case actor.Closed:
		s.ended <- m
	}
}

// A client that does not read costs its own connection: what may wait for it is
// bounded, nobody else is delayed, and the policy says what happens then.
// CloseSlow is the default; a connection whose messages replace each other is
// better served by Conflate, and one that may miss some by DropOldest.
func Example_slowConsumer() {
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	session := &flooding{refused: make(chan error, 1), ended: make(chan actor.Closed, 1)}
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return session, nil }
	config := actor.ServerConfig{ConnConfig: actor.ConnConfig{
		Mailbox: split.MailboxConfig{MaxFrames: 64, Policy: split.CloseSlow},
	}}
	server, err := actor.NewServer(engine, newSession, config)
	if err != nil {
		fmt.Println(err)
		return
	}

	c := mustDial(server)
	err = <-session.refused
	fmt.Println(err, errors.Is(err, split.ErrSlowConsumer))
	for !strings.HasPrefix(c.hear(), "closed") { // what had left before
	}
	ended := <-session.ended
	fmt.Println(ended.Code, ended.Initiator, ended.Cause)
	fmt.Println(server.Shutdown(context.Background()))
	// Output:
	// websocket: message not sent: mailbox is full, closing the slow connection true
	// 1013 try again later local slow_consumer
	// <nil>
}
