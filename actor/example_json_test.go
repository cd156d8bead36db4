package actor_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/tandem-ws/tandem/actor"
)

type question struct {
	A int `json:"a"`
	B int `json:"b"`
}

type answer struct {
	Sum   int    `json:"sum,omitempty"`
	Error string `json:"error,omitempty"`
}

// adding answers questions in JSON.
type adding struct{ conn *actor.Conn }

func (s *adding) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
	case *actor.Message:
		var q question
		var wrong *actor.JSONError
		if err := m.JSON(&q); errors.As(err, &wrong) {
			_ = s.conn.SendJSON(answer{Error: "that is no question"}) // or s.conn.Close(1007, "...")
			return
		}
		_ = s.conn.SendJSON(answer{Sum: q.A + q.B})
	}
}

// JSON in and out. A message that is none is the session's to deal with; it
// does not close the connection.
func ExampleConn_SendJSON() {
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return &adding{}, nil }
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}

	c := mustDial(server)
	for _, text := range []string{`{"a":19,"b":23}`, `what?`} {
		c.say(text)
		fmt.Println(c.hear())
	}
	c.leave()
	fmt.Println(server.Shutdown(context.Background()))
	// Output:
	// {"sum":42}
	// {"error":"that is no question"}
	// <nil>
}
