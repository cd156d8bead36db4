package actor_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

// repeating answers with the message ten times over.
type repeating struct{ conn *actor.Conn }

func (s *repeating) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
	case *actor.Message:
		_ = s.conn.SendText(strings.Repeat(m.Text(), 10))
	}
}

// Compression is off until asked for. Sessions do not notice it: what is long
// enough is compressed as it leaves, for clients that agreed to it.
func Example_compression() {
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return &repeating{}, nil }
	config := actor.ServerConfig{ConnConfig: actor.ConnConfig{
		Deflate: &wscore.DeflateConfig{Threshold: 100}, // bytes; shorter messages leave as they are
	}}
	server, err := actor.NewServer(engine, newSession, config)
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, offer := range []*wscore.DeflateConfig{nil, {}} {
		c, err := dial(server, wscore.ConnectOptions{Options: wscore.Options{Deflate: offer}})
		if err != nil {
			fmt.Println(err)
			return
		}
		c.say("a message of some length, ")
		fmt.Println("agreed:", c.conn.Deflate().Agreed, len(c.hear()))
		c.leave()
	}
	fmt.Println(server.Shutdown(context.Background()))
	// Output:
	// agreed: false 260
	// agreed: true 260
	// <nil>
}
