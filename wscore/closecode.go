package wscore

import "strconv"

// CloseCode is the status code of a close frame (RFC 6455 section 7.4 and the
// IANA WebSocket close code registry).
type CloseCode uint16

// The registered close codes. Those marked "never on the wire" describe an end
// locally; a peer that sends one breaks the protocol.
const (
	CloseNormal             CloseCode = 1000
	CloseGoingAway          CloseCode = 1001 // a server that shuts down, a tab that is left
	CloseProtocolError      CloseCode = 1002
	CloseUnsupportedData    CloseCode = 1003
	CloseNoStatus           CloseCode = 1005 // never on the wire: the close frame had no body
	CloseAbnormal           CloseCode = 1006 // never on the wire: the stream ended without a close frame
	CloseInvalidPayload     CloseCode = 1007 // text that is not UTF-8
	ClosePolicyViolation    CloseCode = 1008
	CloseMessageTooBig      CloseCode = 1009
	CloseMandatoryExtension CloseCode = 1010
	CloseInternalError      CloseCode = 1011
	CloseServiceRestart     CloseCode = 1012
	CloseTryAgainLater      CloseCode = 1013
	CloseBadGateway         CloseCode = 1014
	CloseTLSHandshake       CloseCode = 1015 // never on the wire: TLS failed
)

// MaxCloseReason is the longest reason in bytes: a control payload without its
// two bytes of code (RFC 6455 section 5.5).
const MaxCloseReason = MaxControlPayload - 2

// OnWire reports whether the code may stand in a close frame, sent or
// received: 1000–1003, 1007–1014, 3000–3999 (registered by libraries) and
// 4000–4999 (private use). RFC 6455 section 7.4.
func (c CloseCode) OnWire() bool {
	switch {
	case c >= 1000 && c <= 1003, c >= 1007 && c <= 1014, c >= 3000 && c <= 4999:
		return true
	}
	return false
}

// IsRegistered reports whether the code lies in the range for libraries and
// frameworks, 3000–3999 (RFC 6455 section 7.4.2).
func (c CloseCode) IsRegistered() bool { return c >= 3000 && c <= 3999 }

// IsPrivate reports whether the code lies in the range for private use,
// 4000–4999 (RFC 6455 section 7.4.2).
func (c CloseCode) IsPrivate() bool { return c >= 4000 && c <= 4999 }

// String returns the code's number and, where it has one, its name.
func (c CloseCode) String() string {
	number := strconv.Itoa(int(c))
	if name := c.name(); name != "" {
		return number + " " + name
	}
	return number
}

func (c CloseCode) name() string {
	switch c {
	case CloseNormal:
		return "normal closure"
	case CloseGoingAway:
		return "going away"
	case CloseProtocolError:
		return "protocol error"
	case CloseUnsupportedData:
		return "unsupported data"
	case CloseNoStatus:
		return "no status received"
	case CloseAbnormal:
		return "abnormal closure"
	case CloseInvalidPayload:
		return "invalid payload data"
	case ClosePolicyViolation:
		return "policy violation"
	case CloseMessageTooBig:
		return "message too big"
	case CloseMandatoryExtension:
		return "mandatory extension"
	case CloseInternalError:
		return "internal error"
	case CloseServiceRestart:
		return "service restart"
	case CloseTryAgainLater:
		return "try again later"
	case CloseBadGateway:
		return "bad gateway"
	case CloseTLSHandshake:
		return "TLS handshake failure"
	}
	return ""
}
