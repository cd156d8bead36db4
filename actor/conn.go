package actor

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// Conn is one open connection. All methods may be called from any goroutine,
// also after the connection has ended.
type Conn struct {
	host        *host
	number      uint64 // unique in this process
	subprotocol string
	opened      time.Duration // since epoch
	transport   split.Transport
	reader      readerProcess
	writer      writerProcess
	session     sessionProcess
	beat        heartbeat
	parts       atomic.Int32 // reader, writer and session that have not ended
	over        atomic.Bool  // the connection has ended, and last.closed says how

	mu           sync.Mutex
	phase        phase
	closeWritten bool          // our close frame has left
	peerDone     bool          // the peer's close frame, or a violation, was received
	peerEnded    bool          // the peer's direction of the stream has ended
	roundTrip    atomic.Uint32 // last one in microseconds, 0 before the first; needs no lock
	last         *lastThings
	topics       *subscription // the first of a list, nil for none
}

// lastThings is what a connection needs once it closes, or somebody waits for
// that; until then it costs nothing. The connection's lock guards it.
type lastThings struct {
	deadline   time.Time    // when the close must be over
	peerReason string       // of the peer's close frame
	request    closeRequest // what began the close
	timer      *time.Timer  // bounds the close
	closed     Closed
	onDone     []func()
	done       chan struct{} // nil until asked for
}

// things returns c.last, made if need be. The caller holds the lock.
func (c *Conn) things() *lastThings {
	if c.last == nil {
		c.last = &lastThings{}
	}
	return c.last
}

// age is how long ago the connection opened.
func (c *Conn) age() time.Duration { return time.Since(epoch) - c.opened }

// ID returns the connection's name, unique among all processes.
func (c *Conn) ID() string { return c.session.pid.ID[len(c.host.config.Name)+len(sessionPath):] }

// Subprotocol returns what the handshake agreed on, "" for none.
func (c *Conn) Subprotocol() string { return c.subprotocol }

// Stats returns what has passed over the connection so far, and its last round
// trip.
func (c *Conn) Stats() split.Stats { return c.writer.half.Stats() }

// Recovered tells the observer that the peer had been here before and has now
// been given what it missed: all of it if complete is set. The kit does not know
// what an application keeps; a session that resumes says so once for each time.
func (c *Conn) Recovered(complete bool) { c.host.config.Observer.ConnectionRecovered(complete) }

// RemoteAddr returns the address of the peer, one without a name if its stream has
// none.
func (c *Conn) RemoteAddr() net.Addr {
	if remote := c.transport.RemoteAddr(); remote != nil {
		return remote
	}
	return unknownAddr{}
}

// unknownAddr is where streams come from that do not say it.
type unknownAddr struct{}

// Network returns "unknown".
func (unknownAddr) Network() string { return "unknown" }

// String returns nothing.
func (unknownAddr) String() string { return "" }

// PID returns the address of the writer: other actors may send it [SendText],
// [SendBinary], [CloseConn] or a *[Buffer], which the writer then owns.
func (c *Conn) PID() *PID { return c.register(&c.writer, &c.writer.registered) }

// SessionPID returns the address of the session.
func (c *Conn) SessionPID() *PID { return c.session.PID() }

// ReaderPID returns the address of the reader. Stopping it, like stopping any
// of the connection's PIDs, closes the connection.
func (c *Conn) ReaderPID() *PID { return c.register(&c.reader, &c.reader.registered) }

// Send queues a message and takes ownership of its buffer, whatever the
// outcome. It waits for room only under the policy [split.Block]. A nil error
// means that the message is queued behind those before it; it may still be
// lost with the connection.
//
// What a session sends while it runs leaves together when it has handled the
// messages that wait for it, or after two milliseconds if that takes longer.
//
// The error is [split.ErrClosed] once the connection is closing,
// [split.ErrDropped] or [split.ErrSlowConsumer] for a full mailbox by its
// policy (the latter closes the connection), or a local
// [*wscore.ProtocolError].
func (c *Conn) Send(b *Buffer) error { return c.sent(c.writer.half.Send(b)) }

// SendText queues a text message, which must be UTF-8; see [Conn.Send].
func (c *Conn) SendText(text string) error { return c.sent(c.writer.half.SendText(text)) }

// SendBinary queues a binary message, copied from payload; see [Conn.Send].
func (c *Conn) SendBinary(payload []byte) error {
	return c.Send(c.host.pool().Binary(payload))
}

// TrySend is [Conn.Send] that never waits; see [split.Writer.TrySend].
func (c *Conn) TrySend(b *Buffer) error { return c.sent(c.writer.half.TrySend(b)) }

// SendContext is [Conn.Send] with a context that ends the wait for room. The
// end of the context does nothing to the connection.
func (c *Conn) SendContext(ctx context.Context, b *Buffer) error {
	return c.sent(c.writer.half.SendContext(ctx, b))
}

// SendKeyed is [Conn.Send] for a message that makes older ones with the same
// key pointless, under the policy [split.Conflate]; see
// [split.Writer.SendKeyed].
func (c *Conn) SendKeyed(key string, b *Buffer) error {
	return c.sent(c.writer.half.SendKeyed(key, b))
}

// SendNotify is [Conn.Send] that reports the message's end: with a nil error,
// done is called exactly once, when the stream has taken the whole message or
// when it is lost; see [split.Writer.SendNotify]. It must not block.
func (c *Conn) SendNotify(b *Buffer, done func(error)) error {
	return c.sent(c.writer.half.SendNotify(b, done))
}

func (c *Conn) sent(wake bool, err error) error {
	if wake {
		c.writer.schedule()
	}
	if err == split.ErrSlowConsumer {
		c.slowConsumer(err)
	}
	return err
}

// Text returns a buffer with a text message for [Conn.Send]; the caller owns
// it.
func (c *Conn) Text(text string) *Buffer { return c.host.pool().Text(text) }

// Close begins to close the connection with that code and reason, behind the
// messages that are queued, and returns at once; [Conn.Done] tells the end.
// The error is a local [*wscore.ProtocolError] for a code or reason that may
// not be sent, and [split.ErrClosed] if the connection is closing already.
func (c *Conn) Close(code CloseCode, reason string) error {
	return c.closeFor(CauseUser, code, reason)
}

// Disconnect is [Conn.Close] by an operator rather than by the service: the
// connection ends with [CauseAdmin].
func (c *Conn) Disconnect(code CloseCode, reason string) error {
	return c.closeFor(CauseAdmin, code, reason)
}

func (c *Conn) closeFor(cause Cause, code CloseCode, reason string) error {
	if err := wscore.CheckClose(code, reason); err != nil {
		return err
	}
	if !c.begin(closeRequest{cause: cause, order: afterQueued, code: code, reason: reason}) {
		return split.ErrClosed
	}
	return nil
}

// Done returns a channel that is closed when the connection has ended and its
// stream is closed.
func (c *Conn) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	things := c.things()
	if things.done == nil {
		things.done = make(chan struct{})
		if c.over.Load() {
			close(things.done)
		}
	}
	return things.done
}

// Cause returns how the connection ended; ok is false while it has not.
func (c *Conn) Cause() (closed Closed, ok bool) {
	if !c.over.Load() {
		return Closed{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last.closed, true
}

// whenDone calls f once the connection has ended, at once if it has.
func (c *Conn) whenDone(f func()) {
	c.mu.Lock()
	if c.phase != ended {
		c.things().onDone = append(c.things().onDone, f)
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	f()
}

// partEnded counts the reader, the writer and the session out.
func (c *Conn) partEnded() {
	if c.parts.Add(-1) == 0 {
		c.host.leave(c)
	}
}
