package split

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// RefusalError is a server's answer to a handshake with another status than
// 101. It wraps a [*wscore.HandshakeError] that matches
// [wscore.ErrNotUpgraded].
type RefusalError struct {
	Status   int         // 0 if it was not an HTTP/1 response
	Header   http.Header // of the answer, such as Retry-After
	Body     []byte      // its beginning, at most [MaxRefusalBody] bytes
	Location *url.URL    // where a redirect leads, resolved against the URL; else nil
	Err      error
}

// Error names the status, and where a redirect leads.
func (e *RefusalError) Error() string {
	text := fmt.Sprintf("websocket: server answered the handshake with status %d", e.Status)
	if e.Location != nil {
		text += ", redirect to " + e.Location.Redacted()
	}
	return text
}

// Unwrap returns the [*wscore.HandshakeError].
func (e *RefusalError) Unwrap() error { return e.Err }

// ProxyError is a proxy that did not open the way to the server.
type ProxyError struct {
	Proxy  string      // its URL, without the password
	Status int         // what it answered to CONNECT, such as 407; 0 for all else
	Header http.Header // of that answer
	Err    error       // what went wrong, nil where Status says it
}

// Error names the proxy and what went wrong.
func (e *ProxyError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("websocket: proxy %s answered with status %d", e.Proxy, e.Status)
	}
	return fmt.Sprintf("websocket: proxy %s: %v", e.Proxy, e.Err)
}

// Unwrap returns what went wrong: the network's error, that of TLS or SOCKS, a
// [*wscore.HandshakeError] about the head of the answer, or [ErrProxyBytes].
func (e *ProxyError) Unwrap() error { return e.Err }

// ErrProxyBytes is a proxy that sends bytes before the server was asked for
// any.
var ErrProxyBytes = &wscore.HandshakeError{Clause: "RFC 9110 9.3.6", Reason: "proxy_bytes", Text: "proxy sent bytes behind its answer"}

// ended returns the context's error where that ended the attempt, because the
// stream only says that it was closed then, or that its deadline, which is the
// context's, has passed.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded // its timer is late
	}
	return err
}

func transportError(ctx context.Context, operation string, err error) error {
	return &TransportError{Operation: operation, Err: ended(ctx, err)}
}

// headError is what reading an answer's head gave: a verdict about the head is
// returned as it is.
func headError(ctx context.Context, err error) error {
	var wrong *wscore.HandshakeError
	if errors.As(err, &wrong) {
		return err
	}
	return transportError(ctx, "handshake", err)
}

func (d *dialing) proxyError(ctx context.Context, err error) error {
	var made *ProxyError
	if !errors.As(err, &made) {
		made = &ProxyError{Err: ended(ctx, err)}
	}
	made.Proxy = d.proxy.Redacted()
	return made
}

// refusal turns what is wrong with an answer into an error, with what can be
// had of its body if the server refused.
func (d *dialing) refusal(response *wscore.Response, rest []byte, stream net.Conn, err error) error {
	if !errors.Is(err, wscore.ErrNotUpgraded) {
		return err
	}
	refusal := &RefusalError{Status: response.Status(), Header: headerOf(&response.Fields), Err: err}
	if location := refusal.Header.Get("Location"); location != "" && refusal.Status/100 == 3 {
		refusal.Location, _ = d.target.url.Parse(location)
	}
	_ = stream.SetReadDeadline(time.Now().Add(refusalPatience)) // the stream is closed after this
	body := bodyOf(refusal.Status, refusal.Header, io.MultiReader(strings.NewReader(string(rest)), stream))
	refusal.Body, _ = io.ReadAll(io.LimitReader(body, MaxRefusalBody)) // what came is all there is
	return refusal
}

// bodyOf reads the body that a head announces (RFC 9112 section 6.3).
func bodyOf(status int, header http.Header, stream io.Reader) io.Reader {
	if status/100 == 1 || status == http.StatusNoContent || status == http.StatusNotModified {
		return http.NoBody
	}
	if strings.EqualFold(header.Get("Transfer-Encoding"), "chunked") {
		return httputil.NewChunkedReader(stream)
	}
	if length, err := strconv.ParseInt(header.Get("Content-Length"), 10, 64); err == nil {
		return io.LimitReader(stream, length)
	}
	return stream
}
