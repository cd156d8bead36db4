package actor

import (
	"fmt"
	"sync/atomic"
	"unicode/utf8"

	hollywood "github.com/anthdm/hollywood/actor"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// What any actor may send to a connection's PID.
type (
	// SendText sends a text message, which must be UTF-8.
	SendText string
	// SendBinary sends a binary message.
	SendBinary []byte
	// CloseConn closes the connection; see [Conn.Close].
	CloseConn struct {
		Code   CloseCode // one that may be sent, such as 1000 or 4000 to 4999; 1005 for none
		Reason string    // at most 123 bytes of UTF-8
	}
)

// writerProcess owns the writing half. It is a Hollywood process with a
// mailbox of its own, which is bounded and lets it gather writes.
type writerProcess struct {
	conn       *Conn
	pid        halfPID
	half       *split.Writer
	due        atomic.Bool // the right to write is on a list; who claims it must flush
	registered bool        // by the engine; guarded by the connection's lock
}

// Start, Invoke and Shutdown complete Hollywood's Processer.
func (w *writerProcess) Start() {}

// Invoke is not used: messages come through Send.
func (w *writerProcess) Invoke([]hollywood.Envelope) {}

// Shutdown closes the connection.
func (w *writerProcess) Shutdown() { w.conn.stopped(afterQueued, false) }

// PID returns the writer's address.
func (w *writerProcess) PID() *PID { return w.pid.of(w.conn, "writer") }

// Send takes what any actor may send to a connection. What cannot be taken is
// refused as a dead letter; what the mailbox refuses is counted there.
func (w *writerProcess) Send(pid *PID, message any, sender *PID) {
	c := w.conn
	switch m := message.(type) {
	case *Buffer:
		if m != nil && (m.Opcode() == wscore.OpText || m.Opcode() == wscore.OpBinary) {
			_ = c.Send(m) // counted by the mailbox
			return
		}
	case SendText:
		if utf8.ValidString(string(m)) {
			_ = c.SendText(string(m))
			return
		}
	case SendBinary:
		_ = c.SendBinary(m)
		return
	case CloseConn:
		if wscore.CheckClose(m.Code, m.Reason) == nil {
			_ = c.Close(m.Code, m.Reason) // closing already is what was asked for
			return
		}
	}
	c.receiveForHalf(pid, message, sender)
}

// schedule puts the right to write, which the caller was given by the half, on
// a list: the session's if it runs, else the flusher's.
func (w *writerProcess) schedule() {
	w.due.Store(true)
	session, host := &w.conn.session, w.conn.host
	if session.later.owe() {
		session.watchFlush()
		return
	}
	host.flusher.add(w)
}

// schedulePublished is schedule for a message that a session published, or
// somebody else if that is nil.
func (w *writerProcess) schedulePublished(from *sessionProcess) {
	w.due.Store(true)
	if from != nil && from.later.oweOther(w) {
		from.watchFlush()
		return
	}
	w.conn.host.flusher.add(w)
}

// flushDue writes what the stream takes, if nobody else has claimed the right
// to, and lets a goroutine wait for the stream to take the rest.
func (w *writerProcess) flushDue() {
	if !w.due.CompareAndSwap(true, false) {
		return
	}
	defer w.guard()
	closeSent, err := w.half.TryFlush()
	if err == split.ErrWouldBlock {
		if closeSent {
			w.conn.closeLeft()
		}
		go w.run()
		return
	}
	w.flushed(closeSent, err)
}

// Relieve writes at once if the right to is on a list; see [split.Relief].
func (w *writerProcess) Relieve() { w.flushDue() }

// run writes and waits for the stream where it must.
func (w *writerProcess) run() {
	defer w.guard()
	w.flushed(w.half.Flush())
}

// flushed draws the conclusions of a flush.
func (w *writerProcess) flushed(closeSent bool, err error) {
	if closeSent {
		w.conn.closeLeft()
	}
	if err == nil {
		return
	}
	if err != split.ErrClosed {
		w.conn.lostStream(err)
	}
	w.conn.partEnded()
}

// guard survives a panic in the transport, after which nothing is written any
// more.
func (w *writerProcess) guard() {
	v := recover()
	if v == nil {
		return
	}
	c := w.conn
	c.host.recovered("writer", c, v)
	if !c.begin(closeRequest{cause: CausePanic, order: lost, err: fmt.Errorf("writer panicked: %v", v)}) {
		c.end()
	}
	c.partEnded()
}
