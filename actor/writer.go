package actor

import (
	"fmt"
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
		Code   CloseCode
		Reason string
	}
)

// writerProcess owns the writing half. It is a Hollywood process with a
// mailbox of its own, which is bounded and lets it gather writes.
type writerProcess struct {
	conn *Conn
	pid  *PID
	half *split.Writer
}

// Start, Invoke and Shutdown complete Hollywood's Processer.
func (w *writerProcess) Start() {}

// Invoke is not used: messages come through Send.
func (w *writerProcess) Invoke([]hollywood.Envelope) {}

// Shutdown closes the connection.
func (w *writerProcess) Shutdown() { w.conn.stopped(afterQueued, false) }

// PID returns the writer's address.
func (w *writerProcess) PID() *PID { return w.pid }

// Send takes what any actor may send to a connection. What cannot be taken is
// refused as a dead letter; what the mailbox refuses is counted there.
func (w *writerProcess) Send(pid *PID, message any, sender *PID) {
	c := w.conn
	switch m := message.(type) {
	case *Buffer:
		if m != nil {
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

// schedule starts the writing; the caller was told by the half that it is due.
func (w *writerProcess) schedule() { go w.run() }

func (w *writerProcess) run() {
	c := w.conn
	defer func() {
		if v := recover(); v != nil {
			c.server.recovered("writer", c, v)
			c.lostStream(&split.TransportError{Operation: "write", Err: fmt.Errorf("panic: %v", v)})
			c.partEnded()
		}
	}()
	closeSent, err := w.half.Flush()
	if closeSent {
		c.closeLeft()
	}
	if err == nil {
		return
	}
	if err != split.ErrClosed {
		c.lostStream(err)
	}
	c.partEnded()
}
