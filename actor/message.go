package actor

import (
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// Opened is the first message about the connection that a session receives.
type Opened struct {
	Conn *Conn // may be kept and used by any goroutine
}

// Message is a text or binary message from the peer. It is borrowed until
// Receive returns: after that neither the Message nor its bytes may be used.
// Take, Retain or Copy what is to outlive Receive.
type Message struct{ buffer *split.Buffer }

// IsText reports whether the message is text, which is then valid UTF-8.
func (m *Message) IsText() bool { return m.held().Opcode() == wscore.OpText }

// Bytes returns the message itself, for reading. It is valid until Receive
// returns.
func (m *Message) Bytes() []byte { return m.held().Payload() }

// Text returns the message as a string of its own.
func (m *Message) Text() string { return string(m.held().Payload()) }

// Take moves the message's buffer out: the caller owns it, may change it, and
// hands it on (for example to [Conn.Send]) or releases it. The message has no
// content afterwards.
func (m *Message) Take() *Buffer {
	b := m.held()
	m.buffer = nil
	return b
}

// Retain returns the message's buffer with a reference of the caller's own, to
// be released by it. The bytes must not be changed.
func (m *Message) Retain() *Buffer { return m.held().Retain() }

// Copy returns an independent buffer with the same content, owned by the
// caller: what to send to other actors.
func (m *Message) Copy() *Buffer { return m.held().Copy() }

func (m *Message) held() *split.Buffer {
	if m.buffer == nil {
		panic("actor: the message was taken, or Receive has returned")
	}
	return m.buffer
}

// Closed is the last message about the connection that a session receives.
type Closed struct {
	// Code is that of the first close frame that was sent or received, and 1006
	// if there was neither.
	Code CloseCode
	// Reason is the text beside the code.
	Reason string
	// Initiator says who sent that close frame; for 1006, who let the stream end.
	Initiator Initiator
	// Cause says why the connection ended.
	Cause Cause
	// Err is the error behind the end, nil for an orderly one.
	Err error
}

// Initiator says which side ended a connection.
type Initiator uint8

// The initiators.
const (
	Remote Initiator = iota // the peer
	Local                   // this process
)

// String returns "remote" or "local".
func (i Initiator) String() string {
	if i == Local {
		return "local"
	}
	return "remote"
}

// Cause says why a connection ended.
type Cause uint8

// The causes.
const (
	CausePeer         Cause = iota // the peer closed, or its stream ended
	CauseProtocol                  // the peer broke a rule of the protocol
	CauseLimit                     // the peer went over a limit
	CauseSlowConsumer              // the peer did not take what was sent to it
	CauseHeartbeat                 // the peer did not answer pings
	CausePanic                     // the session panicked
	CauseUser                      // Conn.Close, or a stopped PID
	CauseDrain                     // Server.Shutdown, or the end of a Dialer
	CauseAdmin                     // Conn.Disconnect, Server.Disconnect

	// Causes is the number of causes.
	Causes = iota
)

// String returns the cause as used in metric labels.
func (c Cause) String() string {
	switch c {
	case CauseProtocol:
		return "protocol"
	case CauseLimit:
		return "limit"
	case CauseSlowConsumer:
		return "slow_consumer"
	case CauseHeartbeat:
		return "heartbeat"
	case CausePanic:
		return "panic"
	case CauseUser:
		return "user"
	case CauseDrain:
		return "drain"
	case CauseAdmin:
		return "admin"
	}
	return "peer"
}
