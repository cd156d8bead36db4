package actor_test

import (
	"context"
	"fmt"

	"github.com/tandem-ws/tandem/actor"
)

// member passes on what its client says to everybody in the room.
type member struct {
	room *actor.Topic
	conn *actor.Conn
}

func (s *member) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
		if err := s.conn.Subscribe(s.room); err != nil { // leaves by itself at the end
			fmt.Println(err)
		}
		_ = s.conn.SendText("welcome")
	case *actor.Message:
		s.conn.Publish(s.room, m.Take()) // encoded once for all of them, and copied for none
	}
}

// A room in which everybody hears everybody.
func ExampleTopic() {
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	var room actor.Topic
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return &member{room: &room}, nil }
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}

	alice, bob := mustDial(server), mustDial(server)
	fmt.Println(alice.hear(), bob.hear(), room.Len())
	alice.say("hello, all")
	fmt.Println("alice:", alice.hear())
	fmt.Println("bob:", bob.hear())

	// From outside of any session:
	room.Publish(server.Text("the room closes"))
	fmt.Println("bob:", bob.hear())

	alice.leave()
	bob.leave()
	fmt.Println(server.Shutdown(context.Background()), room.Len())
	// Output:
	// welcome welcome 2
	// alice: hello, all
	// bob: hello, all
	// bob: the room closes
	// <nil> 0
}
