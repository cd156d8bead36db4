package rawpeer

import (
	"fmt"
)

// Rule names one rule a remote peer can break. It is an error itself, so that
// errors.Is(err, RuleMaskMissing) asks which rule was broken.
type Rule string

// The rules ReadFrame, ReadEvent and ReadMessage enforce.
const (
	RuleMaskMissing            Rule = "a client's frame must be masked (RFC 6455 5.1)"
	RuleMaskUnexpected         Rule = "a server's frame must not be masked (RFC 6455 5.1)"
	RuleReservedBits           Rule = "reserved bits must be zero unless negotiated (RFC 6455 5.2)"
	RuleReservedOpcode         Rule = "the opcode is reserved (RFC 6455 5.2)"
	RuleControlFragmented      Rule = "a control frame must not be fragmented (RFC 6455 5.5)"
	RuleControlTooLong         Rule = "a control payload is at most 125 octets (RFC 6455 5.5)"
	RuleLengthNotMinimal       Rule = "the length must use the fewest octets (RFC 6455 5.2)"
	RuleLengthTopBit           Rule = "the top bit of a 64-bit length must be zero (RFC 6455 5.2)"
	RuleLengthLimit            Rule = "the frame is larger than this peer is willing to read"
	RuleUnexpectedContinuation Rule = "a continuation needs a message to continue (RFC 6455 5.4)"
	RuleInterleavedMessage     Rule = "a message must end before the next starts (RFC 6455 5.4)"
	RuleInvalidUTF8            Rule = "text must be valid UTF-8 (RFC 6455 8.1)"
	RuleClosePayload           Rule = "a close payload is empty or starts with two octets of code (RFC 6455 5.5.1)"
	RuleCloseCode              Rule = "the close code may not be sent (RFC 6455 7.4)"
	RuleCloseReason            Rule = "a close reason must be valid UTF-8 (RFC 6455 5.5.1)"
)

// Error makes a Rule usable with errors.Is.
func (r Rule) Error() string { return string(r) }

// ViolationError reports a frame from the remote peer that breaks a rule.
type ViolationError struct {
	Rule   Rule
	Opcode byte
	Fin    bool
	RSV    byte
	Length uint64
}

// Error describes the frame and the rule.
func (e *ViolationError) Error() string {
	return fmt.Sprintf("frame opcode %#x fin %t rsv %03b length %d: %s", e.Opcode, e.Fin, e.RSV, e.Length, e.Rule)
}

// Unwrap makes errors.Is match the rule.
func (e *ViolationError) Unwrap() error { return e.Rule }

// CloseError is what ReadMessage returns when a close frame came instead.
type CloseError struct {
	Code   uint16 // NoStatus when the frame was empty
	Reason string
}

// Error describes the close frame.
func (e *CloseError) Error() string {
	if e.Code == NoStatus {
		return "peer sent close without a code"
	}
	return fmt.Sprintf("peer sent close %d %q", e.Code, e.Reason)
}

// UnexpectedError reports a lawful event other than the one waited for.
type UnexpectedError struct {
	Want string
	Got  Event
}

// Error says what was wanted and what came.
func (e *UnexpectedError) Error() string {
	return fmt.Sprintf("wanted %s, got %s", e.Want, e.Got)
}

// HandshakeError reports an opening handshake that is not a valid one.
type HandshakeError struct {
	Reason string
	Status int // the response's status, 0 when a request was judged
}

// Error describes what is wrong with the handshake.
func (e *HandshakeError) Error() string {
	if e.Status == 0 {
		return "request is no WebSocket handshake: " + e.Reason
	}
	return fmt.Sprintf("response %d is no WebSocket handshake: %s", e.Status, e.Reason)
}
