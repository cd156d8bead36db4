package actor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

// versioned greets in the version that was agreed on.
type versioned struct{}

func (versioned) Receive(c *actor.Context) {
	if opened, ok := c.Message().(actor.Opened); ok {
		_ = opened.Conn.SendText("speaking " + opened.Conn.Subprotocol())
	}
}

// The server's first choice among what the client offers is spoken; a client
// that offers nothing known is refused.
func ExampleHandshake_SelectSubprotocol() {
	newSession := func(h *actor.Handshake) (actor.Receiver, error) {
		if h.SelectSubprotocol("chat.v2", "chat.v1") == "" {
			return nil, actor.Reject(http.StatusBadRequest, "chat.v1 or chat.v2 is needed")
		}
		return versioned{}, nil
	}
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}

	for _, offer := range [][]string{{"chat.v1", "chat.v2"}, {"chat.v1"}, {"chat.v3"}} {
		c, err := dial(server, wscore.ConnectOptions{Subprotocols: offer})
		var refusal *wscore.HandshakeError
		if errors.As(err, &refusal) {
			fmt.Println("refused:", refusal.Status)
			continue
		}
		fmt.Println(c.hear())
		c.leave()
	}
	fmt.Println(server.Shutdown(context.Background()))
	// Output:
	// speaking chat.v2
	// speaking chat.v1
	// refused: 400
	// <nil>
}
