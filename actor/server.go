package actor

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// NewSession makes the session of a connection whose handshake is correct, or
// refuses it: an error made by [Reject] sets the HTTP status, any other gives
// 403. It may block; a panic in it gives 500.
type NewSession func(*Handshake) (Receiver, error)

// Server turns requests into connections with sessions. They come through
// net/http, as it is an http.Handler, or from a listener ([Server.Serve]),
// which costs less than half as much.
type Server struct {
	host       host
	newSession NewSession
	config     ServerConfig
	origins    wscore.OriginPatterns
	addresses  addressCounts
	acceptor   *split.Acceptor
}

// NewServer makes a server whose actors run on the engine. The error is a
// [*ConfigError] that names a field out of its range, or
// [ErrHollywoodVersion].
func NewServer(engine *Engine, newSession NewSession, config ServerConfig) (*Server, error) {
	if newSession == nil {
		return nil, &ConfigError{Field: "newSession", Value: nil, Range: "a function"}
	}
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{newSession: newSession, config: config}
	if s.origins, err = wscore.NewOriginPatterns(config.AllowOrigins...); err != nil {
		return nil, err
	}
	if err := s.host.init(engine, wscore.Server, config.ConnConfig); err != nil {
		return nil, err
	}
	s.host.drain.config = config.Drain
	if s.addresses.most = config.MaxConnectionsPerAddress; s.addresses.most > 0 {
		s.host.left = s.addresses.left
	}
	if s.acceptor, err = s.newAcceptor(); err != nil {
		return nil, err
	}
	s.host.stopAccepting(func() { _ = s.acceptor.Close() }) // returns nil
	s.host.begin()
	config.Observer.ServerStarted(config.MaxConnections, config.Readiness)
	return s, nil
}

// ServeHTTP upgrades the request to a connection and returns; the connection
// lives on. A request that is refused is answered with the status that says
// why.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.serve(w, r); err != nil {
		s.refused(err)
		var transport *split.TransportError
		if !errors.As(err, &transport) { // otherwise nobody is there to be answered
			split.Refuse(w, err)
		}
	}
}

// Why a server refuses a correct request.
var (
	ErrDraining           = &wscore.HandshakeError{Side: wscore.Local, Clause: "RFC 6455 4.2.2", Status: http.StatusServiceUnavailable, Reason: "draining", Text: "the server is shutting down"}
	ErrTooManyConnections = &wscore.HandshakeError{Side: wscore.Local, Clause: "RFC 6455 4.2.2", Status: http.StatusServiceUnavailable, Reason: "connection_limit", Text: "too many connections"}
	ErrSessionPanic       = &wscore.HandshakeError{Side: wscore.Local, Clause: "RFC 6455 4.2.2", Status: http.StatusInternalServerError, Reason: "panic", Text: "internal error"}
)

func (s *Server) serve(w http.ResponseWriter, r *http.Request) error {
	checkOrigin := s.config.CheckOrigin
	if checkOrigin == nil {
		checkOrigin = func(r *http.Request) bool {
			return s.origins.Allow([]byte(r.Header.Get("Origin")), []byte(r.Host))
		}
	}
	upgrade, err := split.NewUpgrade(r, checkOrigin)
	if err != nil {
		return err
	}
	h := &Handshake{upgrade: upgrade, remote: remoteOf(s.config.TrustedProxies, r)}
	return s.open(h, func(receiver Receiver) error {
		h.answer.Deflate = upgrade.Deflate(s.host.halves.Deflate)
		conn, early, err := upgrade.Accept(w, h.answer, s.config.HandshakeTimeout)
		if err != nil {
			return err
		}
		_, err = s.host.adopt(h.answer, receiver, false, func(handler split.Handler) (split.Transport, error) {
			transport, err := s.host.take(conn, early, handler)
			if err != nil {
				return nil, err
			}
			s.addresses.assign(handler, h.from)
			if named, ok := transport.(interface{ SetRemoteAddr(net.Addr) }); ok && len(s.config.TrustedProxies) > 0 && h.remote.IsValid() {
				named.SetRemoteAddr(netAddr(h.remote))
			}
			return transport, nil
		})
		return err
	})
}

// open makes a connection of a correct request, if there is a place for it: it
// makes the session and lets attach do the rest.
func (s *Server) open(h *Handshake, attach func(Receiver) error) error {
	began := time.Now()
	if err := s.host.admit(s.config.MaxConnections); err != nil {
		return err
	}
	from, err := s.addresses.enter(h.remote.Addr())
	if err != nil {
		s.host.leave(nil)
		return err
	}
	opened := false
	defer func() { // also when the producer ends this goroutine
		if !opened {
			s.addresses.leave(from)
			s.host.leave(nil)
		}
	}()
	receiver, err := s.host.produce(func() (Receiver, error) { return s.newSession(h) })
	if err == nil {
		h.from = from
		err = attach(receiver)
	}
	if opened = err == nil; opened {
		s.config.Observer.HandshakeDone(time.Since(began))
	}
	return err
}

// Conn returns the open connection with that id, or nil.
func (s *Server) Conn(id string) *Conn { return s.host.conn(id) }

// Len returns the number of open connections.
func (s *Server) Len() int { return s.host.len() }

// BuffersInUse returns how many message buffers are out. It is 0 once the
// server is shut down and every buffer that a session took is released.
func (s *Server) BuffersInUse() int { return s.host.pool().InUse() }

// Ready returns nil while the server wants new connections, and [ErrDraining]
// from the first moment of its shutdown. It says nothing of health: a server
// that is not ready goes on serving the connections it has.
func (s *Server) Ready() error { return s.host.ready() }

// ServeReady answers a load balancer's probe: 200 while [Server.Ready] returns
// nil, then 503.
func (s *Server) ServeReady(w http.ResponseWriter, _ *http.Request) {
	if err := s.Ready(); err != nil {
		split.Refuse(w, err)
		return
	}
	_, _ = io.WriteString(w, "ready\n") // an error is the asker's
}

// Shutdown ends all connections in order, in stages ([DrainConfig] sets their
// times):
//
//  1. [Server.Ready] fails. The server goes on for Drain.Delay.
//  2. New connections are refused with 503 and Retry-After, and listeners of
//     the server's own are closed.
//  3. Each open connection is closed behind the messages that are queued for it,
//     all within Drain.Spread. One that was about to open is closed as it does.
//  4. The connections' ends are waited for, each at most CloseTimeout, and those
//     of their sessions.
//
// A second call cuts short the delay and the spread, and waits for the ends
// like the first. When the context of any call ends first, everything that is
// left is closed, streams are cut off, and a [*DrainError] that wraps the
// context's error tells what became of them; a session that is stuck in Receive
// is not waited for then. [Server.DrainReport] has the numbers in any case.
//
// The http.Server before it knows nothing of upgraded connections: its own
// Shutdown neither closes them nor waits for them, so call both, this one first
// and that one after it. The other way round the listener is gone at once,
// while load balancers still send clients and probes to it.
func (s *Server) Shutdown(ctx context.Context) error {
	if err := s.host.shutdown(ctx); err != nil {
		return err
	}
	s.host.finish()
	return s.acceptor.Shutdown(ctx) // the refusals that are on their way
}

// DrainReport returns how the connections have ended since Shutdown was called;
// all zero before. It is complete once Shutdown has returned nil.
func (s *Server) DrainReport() DrainReport { return s.host.drainReport() }

// Text returns a buffer with a text message, for [Topic.Publish] and
// [Conn.Send]; the caller owns it.
func (s *Server) Text(text string) *Buffer { return s.host.pool().Text(text) }

// Binary returns a buffer with a binary message, copied from payload; the
// caller owns it.
func (s *Server) Binary(payload []byte) *Buffer { return s.host.pool().Binary(payload) }
