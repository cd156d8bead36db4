package split

import (
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// Upgrade is a WebSocket handshake that came in through net/http and was found
// correct. It is valid during the HTTP handler's call.
//
// The http.Server that runs the handler must have a ReadHeaderTimeout, or
// clients may take for ever over their head; once the connection is upgraded
// none of that server's deadlines apply to it.
type Upgrade struct {
	Request *http.Request // as the HTTP handler got it
	check   wscore.RequestCheck
}

// NewUpgrade judges the request (RFC 6455 section 4.2.1), which may have
// [wscore.MaxHeaderFields] fields. checkOrigin decides about its origin; nil
// means [wscore.SameOrigin]. The error is a [*wscore.HandshakeError]; answer
// it with [Refuse].
func NewUpgrade(r *http.Request, checkOrigin func(*http.Request) bool) (*Upgrade, error) {
	u := &Upgrade{Request: r}
	u.check.Line(r.Method, r.ProtoMajor, r.ProtoMinor)
	if r.Host != "" {
		u.check.FieldString("Host", r.Host) // net/http takes it out of the header
	}
	fields := 0
	for name, values := range r.Header {
		if fields += len(values); fields > wscore.MaxHeaderFields {
			return nil, wscore.ErrTooManyHeaderFields
		}
		for _, value := range values {
			u.check.FieldString(name, value)
		}
	}
	if err := u.check.Verify(); err != nil {
		return nil, err
	}
	if checkOrigin == nil {
		checkOrigin = sameOrigin
	}
	if !checkOrigin(r) {
		return nil, wscore.ErrOrigin
	}
	return u, nil
}

func sameOrigin(r *http.Request) bool {
	return wscore.SameOrigin([]byte(r.Header.Get("Origin")), []byte(r.Host))
}

// Offers reports whether the client offered the subprotocol.
func (u *Upgrade) Offers(subprotocol string) bool {
	for _, value := range u.Request.Header.Values("Sec-WebSocket-Protocol") {
		if wscore.OffersSubprotocol([]byte(value), subprotocol) {
			return true
		}
	}
	return false
}

// Deflate answers the client's offers of compression; nil wants none. The
// result belongs into the answer and to [New].
func (u *Upgrade) Deflate(config *wscore.DeflateConfig) wscore.DeflateParams {
	if config == nil {
		return wscore.DeflateParams{}
	}
	for _, value := range u.Request.Header.Values("Sec-WebSocket-Extensions") {
		if params := wscore.AcceptDeflate([]byte(value), *config); params.Agreed {
			return params
		}
	}
	return wscore.DeflateParams{}
}

// Accept answers the handshake within the timeout and takes the connection out
// of net/http: neither its buffers nor the request nor its deadlines are kept.
// Early bytes are those that the client sent behind its head.
//
// Middleware that wraps the ResponseWriter keeps working if it has an Unwrap
// method (http.ResponseController). A [*wscore.HandshakeError] means that
// nothing was sent and [Refuse] is due; after any other error the connection
// is closed.
func (u *Upgrade) Accept(w http.ResponseWriter, answer wscore.Answer, timeout time.Duration) (conn net.Conn, early []byte, err error) {
	if answer.Subprotocol != "" && !u.Offers(answer.Subprotocol) {
		return nil, nil, wscore.ErrSubprotocol
	}
	if err := wscore.CheckHeaders(answer.Headers); err != nil {
		return nil, nil, err
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, &wscore.HandshakeError{Side: wscore.Local, Clause: "RFC 6455 4.2.2", Status: http.StatusInternalServerError,
			Reason: "hijack", Text: "the HTTP server or a middleware does not let the connection be taken over: " + err.Error()}
	}
	if n := buffered.Reader.Buffered(); n > 0 {
		peeked, _ := buffered.Reader.Peek(n) // cannot fail: the bytes are there
		early = append([]byte(nil), peeked...)
	}
	err = errors.Join(conn.SetDeadline(time.Now().Add(timeout)), writeAll(conn, wscore.AppendSwitch(nil, u.check.Accept(), answer)), conn.SetDeadline(time.Time{}))
	if err != nil {
		_ = conn.Close()
		return nil, nil, &TransportError{Operation: "handshake", Err: err}
	}
	return conn, early, nil
}

func writeAll(conn net.Conn, p []byte) error {
	_, err := conn.Write(p)
	return err
}

// Refuse answers a handshake with the HTTP status and text of the error; an
// error that is not a [*wscore.HandshakeError] with a status of 300 to 599
// becomes a 403 without its text, which may not be the client's business.
func Refuse(w http.ResponseWriter, err error) {
	status, text := http.StatusForbidden, "the handshake was refused"
	var refusal *wscore.HandshakeError
	if errors.As(err, &refusal) && refusal.Status >= 300 && refusal.Status <= 599 {
		status, text = refusal.Status, refusal.Text
	}
	for _, field := range wscore.RefusalHeaders(status) {
		w.Header().Set(field.Name, field.Value)
	}
	http.Error(w, text, status)
}
