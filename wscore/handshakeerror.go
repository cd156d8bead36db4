package wscore

import "fmt"

// HandshakeError is an opening handshake that was refused. Status is the HTTP
// status to answer with (side Remote, role server), or the one that the server
// answered with (role client, for [ErrNotUpgraded]); 0 if none applies.
type HandshakeError struct {
	Side   Side   // who broke the rule
	Clause string // where the rule stands, such as "RFC 6455 4.2.1"
	Status int    // of HTTP, as said above
	Text   string // what is wrong in words; the body of the answer
	Reason string // a short name for metrics, such as "origin"
}

// Error names the side, what is wrong and the clause.
func (e *HandshakeError) Error() string {
	return fmt.Sprintf("websocket: handshake refused: %s (%s, %s)", e.Text, e.Side, e.Clause)
}

// Is makes errors.Is compare what is wrong, whatever the status.
func (e *HandshakeError) Is(target error) bool {
	other, ok := target.(*HandshakeError)
	return ok && other.Reason == e.Reason && other.Side == e.Side
}

// What a client's request can lack. The errors of the head as such, and of a
// stream that ends inside it, also reach a client, about the server's response;
// their status then means nothing.
var (
	ErrMethod              = refused("4.1", 405, "method", "a WebSocket handshake is a GET request")
	ErrHTTPVersion         = refused("4.1", 400, "http_version", "a WebSocket handshake needs HTTP/1.1")
	ErrNoHost              = refused("4.2.1", 400, "host", "exactly one Host field with a name or an address is needed")
	ErrNotWebSocket        = refused("4.2.1", 426, "upgrade", "this address speaks WebSocket only: the Upgrade field must name websocket")
	ErrConnectionField     = refused("4.2.1", 400, "connection", "the Connection field must name Upgrade")
	ErrWebSocketVersion    = refused("4.4", 426, "version", "Sec-WebSocket-Version must be 13")
	ErrWebSocketKey        = refused("4.2.1", 400, "key", "exactly one Sec-WebSocket-Key of 16 bytes in base64 is needed")
	ErrOrigin              = refused("10.2", 403, "origin", "this origin may not connect")
	ErrHeadSyntax          = refused("4.1", 400, "syntax", "malformed HTTP head")
	ErrHeadTooLarge        = refused("4.1", 431, "head_too_large", "HTTP head is too large")
	ErrTooManyHeaderFields = refused("4.1", 431, "too_many_fields", "HTTP head has too many fields")
	ErrHandshakeEnded      = refused("4.1", 0, "ended", "stream ended inside the handshake")
	ErrHandshakeTimeout    = refused("4.1", 408, "timeout", "the handshake took too long")
	ErrTargetForm          = refused("4.1", 400, "target", "request target must begin with a slash and hold visible ASCII only")
)

// What a server's response can lack.
var (
	ErrNotUpgraded          = refused("4.1", 0, "status", "server did not switch protocols")
	ErrResponseUpgrade      = refused("4.1", 0, "response_upgrade", "response lacks Upgrade: websocket")
	ErrResponseConnection   = refused("4.1", 0, "response_connection", "response lacks Connection: Upgrade")
	ErrResponseAccept       = refused("4.1", 0, "accept", "Sec-WebSocket-Accept does not fit the key")
	ErrUnrequestedProtocol  = refused("4.1", 0, "unrequested_protocol", "server chose a subprotocol that was not offered")
	ErrUnrequestedExtension = refused("4.1", 0, "unrequested_extension", "server chose an extension that was not offered")
)

// What the calling code can ask for that a handshake forbids.
var (
	ErrHeaderField = &HandshakeError{Side: Local, Clause: "RFC 9110 5.5", Status: 500, Reason: "header_field",
		Text: "header field to send has a name that is not a token, a value with control characters, or belongs to the handshake itself"}
	ErrSubprotocol = &HandshakeError{Side: Local, Clause: "RFC 6455 4.1", Status: 500, Reason: "subprotocol",
		Text: "subprotocol is not a token, is offered twice, or was not offered by the client"}
	ErrTarget = &HandshakeError{Side: Local, Clause: "RFC 6455 4.1", Reason: "request_target",
		Text: "host or path to request is empty or has characters that a request line forbids"}
)

func refused(section string, status int, reason, text string) *HandshakeError {
	return &HandshakeError{Clause: "RFC 6455 " + section, Status: status, Reason: reason, Text: text}
}

// refuses reports whether an HTTP status tells the client that there is no
// connection.
func refuses(status int) bool { return status >= 300 && status <= 599 }

// Reject makes the error with which a hook refuses a handshake: the status is
// what the peer is answered with (a status outside 300–599 becomes 403), and
// text is the body of that answer.
func Reject(status int, text string) error {
	if !refuses(status) {
		status = 403
	}
	return &HandshakeError{Side: Local, Clause: "RFC 6455 4.2.2", Status: status, Text: text, Reason: "rejected"}
}
