package actor_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/tandem-ws/tandem/actor/actortest"
	"github.com/tandem-ws/tandem/wscore"
)

// browser plays the client in the examples, over a stream in memory.
type browser struct {
	stream net.Conn
	conn   *wscore.Conn
}

// dial opens a connection to the handler.
func dial(handler http.Handler, options wscore.ConnectOptions) (*browser, error) {
	listener := actortest.NewListener()
	web := &http.Server{Handler: handler, ReadHeaderTimeout: time.Second}
	served := make(chan error)
	go func() { served <- web.Serve(listener) }()
	defer func() {
		_ = web.Close() // which has nothing to do with connections that were upgraded
		<-served
	}()
	stream, err := listener.Dial()
	if err != nil {
		return nil, err
	}
	options.Host = "chat.example"
	conn, _, err := wscore.Connect(stream, wscore.Buffers{
		Read: make([]byte, 4<<10), Write: make([]byte, 4<<10), Message: make([]byte, 64<<10),
	}, options)
	if err != nil {
		_ = stream.Close()
		return nil, err
	}
	return &browser{stream: stream, conn: conn}, nil
}

// mustDial is dial where nothing can go wrong.
func mustDial(handler http.Handler) *browser {
	c, err := dial(handler, wscore.ConnectOptions{})
	if err != nil {
		panic(err)
	}
	return c
}

// say sends a text message.
func (c *browser) say(text string) {
	if err := c.conn.Send(wscore.Text([]byte(text))); err != nil {
		panic(err)
	}
}

// hear returns the next message, or how the connection was closed.
func (c *browser) hear() string {
	for {
		m, err := c.conn.Next() // answers pings and the close frame
		switch {
		case m.IsData():
			return string(m.Payload)
		case m.IsClose():
			_, _ = io.Copy(io.Discard, c.stream) // the server ends the stream
			_ = c.stream.Close()
			return fmt.Sprintf("closed: %v", m.Code)
		case errors.Is(err, io.EOF):
			return "closed"
		case err != nil:
			return err.Error()
		}
	}
}

// leave closes the connection.
func (c *browser) leave() {
	if err := c.conn.Close(wscore.CloseNormal, ""); err != nil {
		panic(err)
	}
	c.hear()
}
