package actor_test

import (
	"context"
	"fmt"

	"github.com/tandem-ws/tandem/actor"
)

// kitchen is an actor that has nothing to do with connections: it knows those
// who ordered by their address.
type kitchen struct{ waiting []*actor.PID }

// meal asks the kitchen for one.
type meal struct{ of *actor.PID }

func (k *kitchen) Receive(c *actor.Context) {
	if m, ok := c.Message().(meal); ok {
		k.waiting = append(k.waiting, m.of)
		if len(k.waiting) < 2 {
			return // it cooks for two
		}
		for _, guest := range k.waiting {
			c.Send(guest, actor.SendText("your meal is ready"))
			c.Send(guest, actor.CloseConn{Code: 1000, Reason: "served"})
		}
	}
}

// guest orders a meal for its client.
type guest struct {
	kitchen *actor.PID
	conn    *actor.Conn
}

func (s *guest) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
	case *actor.Message:
		c.Send(s.kitchen, meal{of: s.conn.PID()})
	}
}

// Any actor can send to a connection: its PID takes SendText, SendBinary,
// CloseConn and buffers. Code that is no actor uses the methods of Conn, from
// any goroutine; Server.Conn finds one by its ID.
func ExampleConn_PID() {
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	cook := engine.Spawn(func() actor.Receiver { return &kitchen{} }, "kitchen")
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return &guest{kitchen: cook}, nil }
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}

	first, second := mustDial(server), mustDial(server)
	first.say("soup")
	second.say("soup")
	for _, c := range []*browser{first, second} {
		fmt.Println(c.hear())
		fmt.Println(c.hear())
	}
	<-engine.Poison(cook).Done()
	fmt.Println(server.Shutdown(context.Background()))
	// Output:
	// your meal is ready
	// closed: 1000 normal closure
	// your meal is ready
	// closed: 1000 normal closure
	// <nil>
}
