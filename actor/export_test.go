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

// AdmitForTest admits a connection that opens with the function it returns.
func (s *Server) AdmitForTest() (open func(net.Conn, Receiver) error, err error) {
	return func(stream net.Conn, receiver Receiver) error {
		_, err := s.host.attach(stream, nil, wscore.Answer{}, receiver)
		return err
	}, s.host.admit(s.config.MaxConnections)
}

// StopAcceptingForTest registers what a listener of the server's own would.
func (s *Server) StopAcceptingForTest(stop func()) (forget func()) {
	return s.host.stopAccepting(stop)
}

// ConnOf returns the connection that a readiness wakes with the handler.
func ConnOf(handler split.Handler) *Conn { return handler.(*readerProcess).conn }
