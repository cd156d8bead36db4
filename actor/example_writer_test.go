package actor_test

import (
	"context"
	"encoding/csv"
	"fmt"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

// tables sends a table in CSV to whoever connects.
type tables struct{ rows [][]string }

func (s *tables) Receive(c *actor.Context) {
	if m, ok := c.Message().(actor.Opened); ok {
		w := m.Conn.Writer(wscore.OpText)
		defer w.Discard() // nothing, once it is sent
		if err := csv.NewWriter(w).WriteAll(s.rows); err != nil {
			fmt.Println(err)
			return
		}
		if err := w.Close(); err != nil {
			fmt.Println(err)
		}
	}
}

// Encoders write straight into the message that is sent.
func ExampleConn_Writer() {
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	newSession := func(*actor.Handshake) (actor.Receiver, error) {
		return &tables{rows: [][]string{{"item", "price"}, {"tea", "4.10"}}}, nil
	}
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := mustDial(server)
	fmt.Printf("%q\n", c.hear())
	c.leave()
	fmt.Println(server.Shutdown(context.Background()))
	// Output:
	// "item,price\ntea,4.10\n"
	// <nil>
}
