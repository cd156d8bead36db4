package actor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	hollywood "github.com/anthdm/hollywood/actor"
	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// NewSession makes the session of a connection whose handshake is correct, or
// refuses it: an error made by [Reject] sets the HTTP status, any other gives
// 403. It runs on the request's goroutine; a panic in it gives 500.
type NewSession func(*Handshake) (Receiver, error)

// Server turns HTTP requests into connections with sessions. It is an
// http.Handler.
type Server struct {
	engine     *Engine
	newSession NewSession
	config     ServerConfig
	halves     split.Config
	logger     *zap.Logger
	wheel      wheel
	flusher    flusher
	watch      flushWatch

	mu       sync.Mutex
	conns    map[string]*Conn
	admitted int // open connections and those about to open
	draining bool
	cut      bool           // a shutdown has run out of time
	live     sync.WaitGroup // admitted connections with a part that has not ended
}

// NewServer makes a server whose actors run on the engine. The error is a
// [*ConfigError] that names a field out of its range, or
// [ErrHollywoodVersion].
func NewServer(engine *Engine, newSession NewSession, config ServerConfig) (*Server, error) {
	switch {
	case contextLayoutError != nil:
		return nil, contextLayoutError
	case engine == nil:
		return nil, &ConfigError{Field: "engine", Value: nil, Range: "an engine"}
	case newSession == nil:
		return nil, &ConfigError{Field: "newSession", Value: nil, Range: "a function"}
	}
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	halves, err := config.halves()
	if err != nil {
		return nil, err
	}
	collectDeadLetters(engine)
	return &Server{
		engine: engine, newSession: newSession, config: config, halves: halves,
		logger: config.Logger, conns: make(map[string]*Conn),
	}, nil
}

func (s *Server) pool() *split.Pool { return s.halves.Pool }

// ServeHTTP upgrades the request to a connection and returns; the connection
// lives on. A request that is refused is answered with the status that says
// why.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.serve(w, r); err != nil {
		reason := "rejected"
		var refusal *wscore.HandshakeError
		var transport *split.TransportError
		switch {
		case errors.As(err, &refusal):
			reason = refusal.Reason
		case errors.As(err, &transport):
			reason = "transport"
		}
		s.config.Observer.HandshakeRefused(reason)
		s.logger.Debug("websocket handshake refused", zap.String("reason", reason), zap.Error(err))
		if transport == nil { // otherwise nobody is there to be answered
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
	upgrade, err := split.NewUpgrade(r, s.config.CheckOrigin)
	if err != nil {
		return err
	}
	if err := s.admit(); err != nil {
		return err
	}
	if err := s.open(w, upgrade); err != nil {
		s.leave()
		return err
	}
	return nil
}

// open makes a connection of an admitted request.
func (s *Server) open(w http.ResponseWriter, upgrade *split.Upgrade) error {
	h := &Handshake{upgrade: upgrade}
	receiver, err := s.produce(h)
	if err != nil {
		return err
	}
	h.answer.Deflate = upgrade.Deflate(s.halves.Deflate)
	conn, early, err := upgrade.Accept(w, h.answer, s.config.HandshakeTimeout)
	if err != nil {
		return err
	}
	return s.attach(conn, early, h.answer, receiver)
}

// admit reserves a place for a connection, before the session is made.
func (s *Server) admit() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining:
		return ErrDraining
	case s.admitted >= s.config.MaxConnections:
		return ErrTooManyConnections
	}
	s.admitted++
	s.live.Add(1)
	return nil
}

// produce calls the user's producer and survives it.
func (s *Server) produce(h *Handshake) (receiver Receiver, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.recovered("producer", nil, v)
			receiver, err = nil, ErrSessionPanic
		}
	}()
	receiver, err = s.newSession(h)
	if err == nil && receiver == nil {
		err = fmt.Errorf("session producer returned neither a receiver nor an error")
	}
	return receiver, err
}

// attach makes a connection of a stream whose handshake is done.
func (s *Server) attach(stream net.Conn, early []byte, answer wscore.Answer, receiver Receiver) error {
	reader, writer, err := split.New(wscore.Server, &s.halves, answer.Deflate)
	if err != nil {
		_ = stream.Close()
		return err
	}
	c := &Conn{server: s, number: connCount.Add(1), subprotocol: answer.Subprotocol, opened: time.Since(epoch)}
	c.parts.Store(3)
	c.name()
	c.reader.conn, c.reader.half, c.reader.credits.clock = c, reader, &s.wheel.now
	c.reader.credits.maxBytes, c.reader.credits.maxMessages = int64(s.config.InboundBytes), int64(s.config.InboundMessages)
	c.writer.conn, c.writer.half = c, writer
	c.session.conn, c.session.receiver = c, receiver
	initContext(&c.session.context, s.engine, c.session.PID(), receiver)
	c.transport, err = s.config.Readiness.Attach(stream, early, &c.reader)
	if err != nil {
		reader.Discard()
		writer.Shut()
		_ = stream.Close()
		return &split.TransportError{Operation: "attach", Err: err}
	}
	writer.Bind(c.transport)
	writer.OnFull(&c.writer)

	s.config.Observer.ConnectionOpened(c.readiness()) // before anybody can close it
	c.startHeartbeat()
	s.engine.SpawnProc(&c.session)
	// Nobody knew the connection up to here. Its end, which may come at once,
	// waits for this lock before it forgets what is put down now.
	s.mu.Lock()
	draining, cut := s.draining, s.cut
	s.conns[c.id] = c
	for _, first := range []any{Initialized{}, Started{}, Opened{Conn: c}} {
		c.session.post(envelope{message: first, sender: internal})
	}
	s.mu.Unlock()
	s.logger.Debug("websocket opened", zap.String("connection", c.id), zap.Stringer("remote", c.RemoteAddr()), zap.String("subprotocol", answer.Subprotocol))
	c.transport.Start()
	if draining {
		c.drain() // it was admitted before the shutdown began
	}
	if cut {
		c.end()
	}
	return nil
}

func (c *Conn) drain() {
	c.begin(closeRequest{cause: CauseDrain, order: afterQueued, code: wscore.CloseGoingAway, reason: "server is shutting down"})
}

// readiness names what wakes the connection's reader.
func (c *Conn) readiness() string {
	if kind, ok := c.transport.(fmt.Stringer); ok {
		return kind.String()
	}
	return c.server.config.Readiness.String()
}

// forget takes an ended connection out of the server.
func (s *Server) forget(c *Conn) {
	s.wheel.remove(&c.beat.entry)
	s.mu.Lock()
	delete(s.conns, c.id)
	s.mu.Unlock()
}

// leave gives up an admitted connection's place. A session that is stuck keeps
// it, so that there are never more of those than connections allowed.
func (s *Server) leave() {
	s.mu.Lock()
	s.admitted--
	s.mu.Unlock()
	s.live.Done()
}

// refuseMessage reports a message to a connection's PID that cannot be taken.
func (s *Server) refuseMessage(pid *PID, message any, sender *PID) {
	s.config.Observer.MessageRefused()
	s.engine.BroadcastEvent(hollywood.DeadLetterEvent{Target: pid, Message: message, Sender: sender})
}

// Conn returns the open connection with that id, or nil.
func (s *Server) Conn(id string) *Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[id]
}

// Len returns the number of open connections.
func (s *Server) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// BuffersInUse returns how many message buffers are out. It is 0 once the
// server is shut down and every buffer that a session took is released.
func (s *Server) BuffersInUse() int { return s.pool().InUse() }

// Shutdown refuses new connections with 503, closes every open one with 1001
// behind the messages that are queued for it, and waits until all of them and
// their sessions have ended. When the context ends first, the streams that are
// left are closed at once and the context's error is returned; a session that
// is stuck in Receive is not waited for then.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	conns := make([]*Conn, 0, len(s.conns))
	for _, c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		c.drain()
	}
	ended := make(chan struct{})
	go func() {
		s.live.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	s.cut = true
	s.mu.Unlock()
	for _, c := range conns {
		c.end()
	}
	return ctx.Err()
}

// Text returns a buffer with a text message, for [Topic.Publish] and
// [Conn.Send]; the caller owns it.
func (s *Server) Text(text string) *Buffer { return s.pool().Text(text) }

// Binary returns a buffer with a binary message, copied from payload; the
// caller owns it.
func (s *Server) Binary(payload []byte) *Buffer { return s.pool().Binary(payload) }
