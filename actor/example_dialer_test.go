package actor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
	"github.com/tandem-ws/tandem/split"
)

// asking is the session of a client: it asks as soon as it is connected, and
// leaves with the answer.
type asking struct {
	conn    *actor.Conn
	answers chan answer
}

func (s *asking) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
		_ = s.conn.SendJSON(question{A: 19, B: 23})
	case *actor.Message:
		var a answer
		if err := m.JSON(&a); err != nil {
			fmt.Println(err)
		}
		s.answers <- a
		_ = s.conn.Close(1000, "thank you")
	}
}

// A client is a session too. Its dialer connects, and connects again when the
// connection is lost; after a close with 1000 it is done.
func ExampleNewDialer() {
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
	listener := actortest.NewListener() // in place of net.Listen
	web := &http.Server{Handler: server, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error)
	go func() { served <- web.Serve(listener) }()

	session := &asking{answers: make(chan answer, 1)}
	dialer, err := actor.NewDialer(engine, func(*actor.Established) (actor.Receiver, error) { return session, nil },
		actor.DialerConfig{Dial: split.DialConfig{
			URL:         "ws://sums.example/",
			DialContext: listener.DialContext, // for TCP, leave it out
		}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println((<-session.answers).Sum)
	<-dialer.Done()
	fmt.Println(dialer.Err())

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(web.Shutdown(ctx), errors.Is(<-served, http.ErrServerClosed), server.Shutdown(ctx))
	// Output:
	// 42
	// <nil>
	// <nil> true <nil>
}
