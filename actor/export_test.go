package actor

import (
	"net"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// AttachForTest opens a connection on a stream that needs no handshake.
func (s *Server) AttachForTest(stream net.Conn, receiver Receiver) error {
	if err := s.host.admit(s.config.MaxConnections); err != nil {
		return err
	}
	_, err := s.host.attach(stream, nil, wscore.Answer{}, receiver)
	return err
}

// ConnOf returns the connection that a readiness wakes with the handler.
func ConnOf(handler split.Handler) *Conn { return handler.(*readerProcess).conn }
