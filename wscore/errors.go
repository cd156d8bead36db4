package wscore

import (
	"fmt"
	"io"
)

// Side says who broke a rule.
type Side uint8

// Remote is the peer, Local is the code that called this package.
const (
	Remote Side = iota
	Local
)

// String returns "remote" or "local".
func (s Side) String() string {
	if s == Local {
		return "local"
	}
	return "remote"
}

// ProtocolError is a broken rule of the open connection. All of its values are
// the variables of this package, so that errors.Is compares by identity and no
// error path allocates.
type ProtocolError struct {
	Side   Side      // who broke the rule
	Clause string    // where the rule stands, such as "RFC 6455 5.5"
	Code   CloseCode // the close code to send for a remote error; 0 if none is due
	Text   string    // the rule in words; it fits a close frame as its reason
	cause  error
}

// Error names the side, the rule and its clause.
func (e *ProtocolError) Error() string {
	return fmt.Sprintf("websocket: %s (%s, %s)", e.Text, e.Side, e.Clause)
}

// Unwrap returns the input or output error behind e, if there is one.
func (e *ProtocolError) Unwrap() error { return e.cause }

// What a peer can do wrong in a frame. Each carries the close code that is due.
var (
	ErrReservedBits           = remote("5.2", CloseProtocolError, "reserved bit set that no negotiated extension defines")
	ErrReservedOpcode         = remote("5.2", CloseProtocolError, "reserved opcode")
	ErrFrameNotMasked         = remote("5.1", CloseProtocolError, "client frame is not masked")
	ErrFrameMasked            = remote("5.1", CloseProtocolError, "server frame is masked")
	ErrLengthNotMinimal       = remote("5.2", CloseProtocolError, "payload length is not in its shortest form")
	ErrLengthTopBit           = remote("5.2", CloseProtocolError, "64-bit payload length has its top bit set")
	ErrControlFragmented      = remote("5.5", CloseProtocolError, "control frame is fragmented")
	ErrControlTooLong         = remote("5.5", CloseProtocolError, "control frame is longer than 125 bytes")
	ErrUnexpectedContinuation = remote("5.4", CloseProtocolError, "continuation frame without a message to continue")
	ErrMessageInterrupted     = remote("5.4", CloseProtocolError, "new message inside an unfinished one")
	ErrInvalidText            = remote("8.1", CloseInvalidPayload, "text is not UTF-8")
	ErrCloseBodyLength        = remote("5.5.1", CloseProtocolError, "close frame with a body of one byte")
	ErrCloseCodeReserved      = remote("7.4", CloseProtocolError, "close code that may not be sent")
	ErrCloseReasonText        = remote("5.5.1", CloseInvalidPayload, "close reason is not UTF-8")
)

// What a peer can ask too much of. The limits are fields of [Limits], which says
// their units and defaults.
var (
	ErrFrameTooBig           = remote("7.4.1", CloseMessageTooBig, "frame is longer than MaxFrame")
	ErrMessageTooBig         = remote("7.4.1", CloseMessageTooBig, "message is longer than MaxMessage")
	ErrTooManyFragments      = remote("7.4.1", ClosePolicyViolation, "message has more fragments than MaxFragments")
	ErrTooManyEmptyFragments = remote("7.4.1", ClosePolicyViolation, "message has more empty fragments than MaxEmptyFragments")
)

// ErrConnectionLost reports a stream that ended without a close frame; the
// connection's code is then 1006 (RFC 6455 section 7.1.5). It matches
// io.ErrUnexpectedEOF.
var ErrConnectionLost = &ProtocolError{Side: Remote, Clause: "RFC 6455 7.1.5", Text: "stream ended without a close frame", cause: io.ErrUnexpectedEOF}

// What the calling code can ask for that the protocol forbids. Nothing is sent
// and the connection goes on as before.
var (
	ErrSendAfterClose     = local("5.5.1", "nothing may follow a close frame that was sent")
	ErrConnectionClosed   = local("7.1.4", "connection is closed")
	ErrControlPayload     = local("5.5", "control payload is longer than 125 bytes")
	ErrCloseCodeNotOnWire = local("7.4", "close code may not be sent")
	ErrCloseReasonTooLong = local("5.5", "close reason is longer than 123 bytes")
	ErrTextNotUTF8        = local("8.1", "text to send is not UTF-8")
	ErrNotDataOpcode      = local("5.6", "a data message is text or binary")
	ErrNotPingOrPong      = local("5.5", "this control frame must be a ping or a pong")
	ErrFragmentOrder      = local("5.4", "continuation without a message begun, or new message inside an unfinished one")
	ErrReadingMixed       = local("5.4", "one message must be read by Next alone or by NextPiece alone")
	ErrCompressor         = local("5.4", "compressor failed in the middle of a message")
	ErrFragmentSize       = local("5.4", "fragment size must be at least 1")
)

func remote(section string, code CloseCode, text string) *ProtocolError {
	return &ProtocolError{Side: Remote, Clause: "RFC 6455 " + section, Code: code, Text: text}
}

func local(section, text string) *ProtocolError {
	return &ProtocolError{Side: Local, Clause: "RFC 6455 " + section, Text: text}
}

// ConfigError is a setting outside its range. It names the field, the value
// and the range, and is returned before anything starts.
type ConfigError struct {
	Field string // such as "MaxFrame" or "Buffers.Read"
	Value any    // what was set
	Range string // in words, with the unit where there is one
}

// Error names field, value and range.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("websocket: %s is %v, allowed is %s", e.Field, e.Value, e.Range)
}
