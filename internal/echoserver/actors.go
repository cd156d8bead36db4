package main

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
)

// newActor echoes with the whole stack: a session behind both halves.
func newActor(s settings) (service, error) {
	engine, err := actor.NewEngine()
	if err != nil {
		return service{}, err
	}
	var everyone *actor.Topic
	if s.broadcast {
		everyone = &actor.Topic{}
	}
	server, err := actor.NewServer(engine, func(*actor.Handshake) (actor.Receiver, error) {
		return &session{everyone: everyone}, nil
	}, actor.ServerConfig{
		ConnConfig: actor.ConnConfig{
			MaxMessageBytes: maxMessage,
			Deflate:         s.compression(),
			Readiness:       s.wake(),
			Mailbox:         s.mailbox(),
		},
	})
	if err != nil {
		return service{}, err
	}
	serve := func(listener net.Listener, config *tls.Config) error {
		if config == nil {
			return server.Serve(listener)
		}
		return server.ServeTLS(listener, config)
	}
	return service{handler: server, serve: serve, stop: func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // what is left after that ends with the process
	}}, nil
}

// mailbox is the default one, but a peer that does not keep up with its own
// echo is waited for instead of closed. Subscribers must not be waited for.
func (s settings) mailbox() split.MailboxConfig {
	if s.broadcast {
		return split.MailboxConfig{}
	}
	return split.MailboxConfig{Policy: split.Block, BlockTimeout: time.Minute}
}

type session struct {
	conn     *actor.Conn
	everyone *actor.Topic
}

// Receive sends each message back, or to everyone.
func (s *session) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
		if s.everyone != nil {
			_ = s.conn.Subscribe(s.everyone) // fails only when it has ended
		}
	case *actor.Message:
		if s.everyone != nil {
			s.conn.Publish(s.everyone, m.Take())
			return
		}
		_ = s.conn.Send(m.Take()) // a lost connection shows as Closed
	}
}
