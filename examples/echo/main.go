// Command echo answers every message with itself: the smallest service on the
// kit.
package main

import (
	"log"
	"net/http"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

type echo struct{ conn *actor.Conn }

// Receive is called with one message at a time.
func (e *echo) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		e.conn = m.Conn
	case *actor.Message: // borrowed until Receive returns; Take moves it out
		_ = e.conn.Send(m.Take()) // the same buffer goes out again
	}
}

func main() {
	engine, err := actor.NewEngine()
	if err != nil {
		log.Fatal(err)
	}
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return &echo{}, nil }
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	web := &http.Server{Addr: "127.0.0.1:9001", Handler: server, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(web.ListenAndServe())
}
