package actor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

// account is the session of a user who is known.
type account struct{ user string }

func (s *account) Receive(c *actor.Context) {
	if opened, ok := c.Message().(actor.Opened); ok {
		_ = opened.Conn.SendText("welcome, " + s.user)
	}
}

// Who shows no token is refused before there is a connection, with a status
// that a browser's developer tools show. Browsers cannot set Authorization on a
// WebSocket: there the token comes in a cookie or in the path's query.
func ExampleReject() {
	users := map[string]string{"secret": "alice"}
	newSession := func(h *actor.Handshake) (actor.Receiver, error) {
		token, _ := strings.CutPrefix(h.Request().Header.Get("Authorization"), "Bearer ")
		user, ok := users[token]
		if !ok {
			return nil, actor.Reject(http.StatusUnauthorized, "a token is needed")
		}
		return &account{user: user}, nil // nothing of the request is kept
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

	for _, token := range []string{"guess", "secret"} {
		c, err := dial(server, wscore.ConnectOptions{Headers: []wscore.HeaderField{{Name: "Authorization", Value: "Bearer " + token}}})
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
	// refused: 401
	// welcome, alice
	// <nil>
}
