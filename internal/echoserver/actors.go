package main

import (
	"context"
	"net/http"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
)

// newActor echoes with the whole stack: a session behind both halves.
func newActor(s settings) (http.Handler, func(), error) {
	engine, err := actor.NewEngine()
	if err != nil {
		return nil, nil, err
	}
	var everyone *actor.Topic
	if s.broadcast {
		everyone = &actor.Topic{}
	}
	server, err := actor.NewServer(engine, func(*actor.Handshake) (actor.Receiver, error) {
		return &session{everyone: everyone}, nil
	}, actor.ServerConfig{
		MaxMessageBytes: maxMessage,
		Deflate:         s.compression(),
		Readiness:       s.wake(),
		Mailbox:         split.MailboxConfig{MaxBytes: 4 * maxMessage, MaxFrames: 1 << 16},
	})
	if err != nil {
		return nil, nil, err
	}
	return server, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // what is left after that ends with the process
	}, nil
}

type session struct {
	conn     *actor.Conn
	everyone *actor.Topic
}

func (s *session) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
		if s.everyone != nil {
			_ = s.conn.Subscribe(s.everyone) // fails only when it has ended
		}
	case *actor.Message:
		if s.everyone != nil {
			s.everyone.Publish(m.Take())
			return
		}
		_ = s.conn.Send(m.Take()) // a lost connection shows as Closed
	}
}
