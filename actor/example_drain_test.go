package actor_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
	"github.com/tandem-ws/tandem/wscore"
)

// working says goodbye when its connection ends.
type working struct{ ended chan actor.Closed }

func (s *working) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		_ = m.Conn.SendText("ready")
	case actor.Closed:
		s.ended <- m
	}
}

// http.Server.Shutdown knows nothing of connections that were upgraded:
// without the second call they would be cut off when the program ends. The one
// deadline covers both.
func ExampleServer_Shutdown() {
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	session := &working{ended: make(chan actor.Closed, 1)}
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return session, nil }
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	listener := actortest.NewListener() // in place of net.Listen
	web := &http.Server{Handler: server, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error)
	go func() { served <- web.Serve(listener) }()

	stream, err := listener.Dial()
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, _, err := wscore.Connect(stream, wscore.Buffers{Read: make([]byte, 1024), Write: make([]byte, 1024), Message: make([]byte, 1024)},
		wscore.ConnectOptions{Host: "chat.example"})
	if err != nil {
		fmt.Println(err)
		return
	}
	c := &browser{stream: stream, conn: conn}
	fmt.Println(c.hear())
	heard := make(chan string)
	go func() { heard <- c.hear() }()

	// At the signal to end:
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	fmt.Println(web.Shutdown(ctx), errors.Is(<-served, http.ErrServerClosed)) // no more requests
	fmt.Println(server.Shutdown(ctx))                                         // and then no more connections

	fmt.Println("client:", <-heard)
	ended := <-session.ended
	fmt.Println("session:", ended.Code, ended.Cause)
	// Output:
	// ready
	// <nil> true
	// <nil>
	// client: closed: 1001 going away
	// session: 1001 going away drain
}
