package actor

import (
	"errors"
	"os"
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// Closing is one path. Every cause calls begin, which lets the first one win
// and decides what still leaves before our close frame; end runs once, when
// both sides are done or the time is up, and frees everything.

// phase is where a connection is on that path.
type phase uint8

const (
	open    phase = iota
	closing       // begin was called
	ended         // end was called
)

// order says what our close frame waits for.
type order uint8

const (
	// afterSession: the session handles what was delivered to it, and its
	// replies leave first.
	afterSession order = iota
	// afterQueued: what is queued leaves first.
	afterQueued
	// discardQueued: what is queued is dropped.
	discardQueued
	// lost: nothing can leave any more.
	lost
)

// closeRequest is what begins a close.
type closeRequest struct {
	cause  Cause
	order  order
	code   CloseCode
	reason string
	err    error
	stop   bool // the session's own PID was stopped
}

// begin starts the close, once; it reports whether this request was the one.
func (c *Conn) begin(r closeRequest) bool {
	c.mu.Lock()
	if c.phase != open {
		c.mu.Unlock()
		return false
	}
	c.phase, c.things().request = closing, r
	c.host.config.Observer.ConnectionClosing()
	c.last.deadline = time.Now().Add(c.host.config.CloseTimeout)
	c.last.timer = time.AfterFunc(c.host.config.CloseTimeout, c.end)
	c.mu.Unlock()
	if c.reader.isThrottled() {
		c.transport.Resume() // the peer's close frame is to be read
	}
	switch r.order {
	case afterSession:
		c.session.post(envelope{message: closeMarker{stop: r.stop}, sender: internal})
	case lost:
		c.end()
	default:
		c.queueClose(r.order == discardQueued)
	}
	return true
}

// queueClose puts our close frame into the mailbox.
func (c *Conn) queueClose(discard bool) {
	c.mu.Lock()
	code, reason := c.last.request.code, c.last.request.reason
	if c.last.request.cause == CausePeer {
		reason = "" // the peer's own words are not sent back
	}
	c.mu.Unlock()
	if wake, _ := c.writer.half.Close(code, wscore.TrimReason(reason), discard); wake {
		c.writer.schedule()
	}
}

// peerClosed: the peer's close frame was decoded. If it is the first one, ours
// answers with the same code once the session has handled what came before.
func (c *Conn) peerClosed(code CloseCode, reason string) {
	c.mu.Lock()
	c.things().peerReason = reason
	c.mu.Unlock()
	c.peerIsDone()
	c.begin(closeRequest{cause: CausePeer, order: afterSession, code: code, reason: reason})
}

// violated: the peer broke a rule or a limit.
func (c *Conn) violated(err error) {
	c.peerIsDone()
	request := closeRequest{cause: CauseProtocol, order: afterSession, code: wscore.CloseProtocolError, err: err}
	var violation *wscore.ProtocolError
	if errors.As(err, &violation) {
		request.code, request.reason = violation.Code, violation.Text
		if violation.Code == wscore.CloseMessageTooBig || violation.Code == wscore.ClosePolicyViolation {
			request.cause = CauseLimit
		}
	}
	c.host.config.Logger.Debug("websocket rule broken by peer", zap.String("connection", c.ID()), zap.Error(err))
	c.begin(request)
}

// slowConsumer: the peer does not take what is sent to it.
func (c *Conn) slowConsumer(err error) {
	c.begin(closeRequest{cause: CauseSlowConsumer, order: discardQueued, code: wscore.CloseTryAgainLater, reason: "too slow", err: err})
}

// panicked: user code panicked while it handled this connection. Where a close
// waits for the session, it waits no longer.
func (c *Conn) panicked(err error) {
	if !c.begin(closeRequest{cause: CausePanic, order: discardQueued, code: wscore.CloseInternalError, reason: "internal error", err: err}) {
		c.queueClose(true)
	}
}

// stopped: one of the connection's PIDs was stopped.
func (c *Conn) stopped(order order, session bool) bool {
	return c.begin(closeRequest{cause: CauseUser, order: order, code: wscore.CloseGoingAway, stop: session})
}

// lostStream: reading or writing failed.
func (c *Conn) lostStream(err error) {
	cause := CausePeer
	var transport *split.TransportError
	if errors.As(err, &transport) && transport.Operation == "write" && errors.Is(err, os.ErrDeadlineExceeded) {
		cause = CauseSlowConsumer
	}
	if !c.begin(closeRequest{cause: cause, order: lost, err: err}) {
		c.end()
	}
}

// peerIsDone notes that nothing more from the peer is wanted.
func (c *Conn) peerIsDone() { c.advance(func() { c.peerDone = true }) }

// closeLeft notes that our close frame has been written.
func (c *Conn) closeLeft() { c.advance(func() { c.closeWritten = true }) }

// peerStreamEnded notes that the peer ended its direction of the stream after
// its close frame.
func (c *Conn) peerStreamEnded() { c.advance(func() { c.peerDone, c.peerEnded = true, true }) }

// advance notes a step and takes the one that follows from it: with both close
// frames exchanged our side of the stream ends, and with the peer's side ended
// too, so does the connection. In between, the reader throws away what still
// arrives, because closing a socket with unread bytes resets it and could
// destroy our close frame on its way.
func (c *Conn) advance(note func()) {
	c.mu.Lock()
	before := c.closeWritten && c.peerDone
	note()
	exchanged := c.closeWritten && c.peerDone
	finished := exchanged && c.peerEnded
	if exchanged && !before && !finished && c.phase == closing {
		c.last.timer.Reset(min(lingerTimeout, time.Until(c.last.deadline)))
	}
	c.mu.Unlock()
	switch {
	case finished:
		c.end()
	case exchanged && !before:
		_ = c.transport.CloseWrite() // an error shows in the read that follows
	}
}

// end is the one end of every connection.
func (c *Conn) end() {
	c.mu.Lock()
	if c.phase == ended {
		c.mu.Unlock()
		return
	}
	if c.phase == open {
		c.host.config.Observer.ConnectionClosing()
	}
	c.phase = ended
	things := c.things()
	if things.timer != nil {
		things.timer.Stop()
	}
	things.closed = c.account()
	closed, onDone, topics := things.closed, things.onDone, c.topics
	acknowledged := c.closeWritten && c.peerDone
	things.onDone, c.topics = nil, nil
	c.mu.Unlock()

	for s := topics; s != nil; s = s.next {
		s.remove()
	}
	writerIdle := c.writer.half.Shut()
	_ = c.transport.Close() // nothing is left to be done about an error
	_, _ = c.writer.half.Lifecycle().Apply(wscore.Lost)
	s := c.host
	s.forget(c, acknowledged)
	c.unregister()
	lifetime := c.age()
	s.config.Observer.ConnectionClosed(closed, lifetime)
	s.config.Observer.ConnectionEnded(c, closed, lifetime)
	c.logClosed(closed, lifetime)
	c.session.post(envelope{message: endMarker{}, sender: internal})
	c.mu.Lock()
	c.over.Store(true)
	if things.done != nil {
		close(things.done)
	}
	c.mu.Unlock()
	for _, f := range onDone {
		f()
	}
	if writerIdle {
		c.partEnded()
	}
}

// account tells how the connection ended. The caller holds the lock.
func (c *Conn) account() Closed {
	r := c.last.request
	closed := Closed{Code: wscore.CloseAbnormal, Reason: r.reason, Cause: r.cause, Err: r.err}
	if code, side, ok := c.writer.half.Lifecycle().FirstClose(); ok {
		closed.Code = code
		if side == wscore.Local {
			closed.Initiator = Local
		} else {
			closed.Reason = c.last.peerReason
		}
	} else if r.cause != CausePeer {
		closed.Initiator = Local
	}
	return closed
}
