package actor

import (
	"errors"
	"iter"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// ErrNoConnection: no open connection has that id.
var ErrNoConnection = errors.New("websocket: no open connection has that id")

// ConnInfo is what a connection was at one moment.
type ConnInfo struct {
	// ID is [Conn.ID].
	ID string
	// RemoteAddr is the peer's address and port.
	RemoteAddr string
	// Subprotocol is what the handshake agreed on, "" for none.
	Subprotocol string
	// Readiness is what wakes the reader: "epoll" or "parked".
	Readiness string
	// Opened is when the handshake was done.
	Opened time.Time
	// State is "open", "closing" from the first sign of the end on, or "ended".
	State string
	// QueuedFrames and QueuedBytes are the messages that wait to be sent or are
	// being sent, and the memory that they pin.
	QueuedFrames, QueuedBytes int
	// Waiting is how many messages wait for the session; the one that it is
	// handling is not counted.
	Waiting int
	// Paused says that nothing is read until the session has caught up.
	Paused bool
	// Topics is how many topics and presences the connection is in.
	Topics int
	// RoundTrip is the time of the last ping and its pong, to the microsecond;
	// 0 before the first pong.
	RoundTrip time.Duration
}

// Info tells what the connection is now. It may be called at any time, also
// after the end.
func (c *Conn) Info() ConnInfo {
	info := ConnInfo{
		ID: c.ID(), RemoteAddr: c.RemoteAddr().String(), Subprotocol: c.subprotocol, Readiness: c.readiness(),
		Opened: epoch.Add(c.opened), Paused: c.reader.credits.paused.Load(),
		RoundTrip: time.Duration(c.roundTrip.Load()) * time.Microsecond,
	}
	c.mu.Lock()
	info.State, info.Topics = c.phase.String(), c.topics.length()
	c.mu.Unlock()
	info.QueuedFrames, info.QueuedBytes = c.writer.half.Depth()
	c.session.mu.Lock()
	info.Waiting = c.session.queue.length()
	c.session.mu.Unlock()
	return info
}

// String returns the phase as it stands in a [ConnInfo].
func (p phase) String() string {
	switch p {
	case open:
		return "open"
	case closing:
		return "closing"
	}
	return "ended"
}

// Connections goes over the open connections, in no order, each at most once.
// Those that open or end meanwhile may or may not be among them. No lock is
// held while one is handed out, so that anything may be done with it, and the
// memory used does not depend on how many there are.
func (s *Server) Connections() iter.Seq[*Conn] { return s.host.each }

// Disconnect closes the connection with that id; see [Conn.Disconnect]. The
// error is also [ErrNoConnection].
func (s *Server) Disconnect(id string, code CloseCode, reason string) error {
	if err := wscore.CheckClose(code, reason); err != nil {
		return err
	}
	c := s.Conn(id)
	if c == nil {
		return ErrNoConnection
	}
	return c.Disconnect(code, reason)
}

// DisconnectAll closes every open connection for which match says so, or all
// if it is nil, and returns how many; see [Conn.Disconnect]. The error is a
// local [*wscore.ProtocolError] for a code or reason that may not be sent, and
// then none was closed.
func (s *Server) DisconnectAll(match func(*Conn) bool, code CloseCode, reason string) (closed int, err error) {
	if err := wscore.CheckClose(code, reason); err != nil {
		return 0, err
	}
	for c := range s.Connections() {
		if match != nil && !match(c) {
			continue
		}
		switch err := c.Disconnect(code, reason); err {
		case nil:
			closed++
		case split.ErrClosed: // by itself
		default:
			return closed, err
		}
	}
	return closed, nil
}

// eachChunk is how many connections are looked up at once.
const eachChunk = 64

// each hands out the open connections. A range over a map may be left alone
// while others change the map, as long as it takes each step under the lock:
// what is deleted is not reached any more, and nothing is reached twice.
func (h *host) each(yield func(*Conn) bool) {
	var chunk [eachChunk]*Conn
	n := 0
	h.mu.Lock()
	for _, c := range h.conns {
		chunk[n] = c
		if n++; n < eachChunk {
			continue
		}
		h.mu.Unlock()
		for i, c := range chunk {
			chunk[i] = nil
			if !yield(c) {
				return
			}
		}
		n = 0
		h.mu.Lock()
	}
	h.mu.Unlock()
	for _, c := range chunk[:n] {
		if !yield(c) {
			return
		}
	}
}
