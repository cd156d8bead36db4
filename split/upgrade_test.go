package split

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

// upgraded is what a handler got.
type upgraded struct {
	conn  net.Conn
	early []byte
	err   error
}

// upgrader is an HTTP handler that upgrades with that answer, refuses what is
// wrong, and hands on what came of it.
func upgrader(answer wscore.Answer, checkOrigin func(*http.Request) bool) (http.Handler, <-chan upgraded) {
	results := make(chan upgraded, 10)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var result upgraded
		u, err := NewUpgrade(r, checkOrigin)
		if err == nil {
			result.conn, result.early, err = u.Accept(w, answer, patience)
		}
		if result.err = err; err != nil {
			Refuse(w, err)
		}
		results <- result
	}), results
}

// serve runs the handler on loopback and returns its address.
func serve(t *testing.T, handler http.Handler, change func(*httptest.Server)) string {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	if change != nil {
		change(server)
	}
	if server.TLS == nil {
		server.Start()
	}
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// exchange sends a head and whatever follows it, and reads the response.
func exchange(t *testing.T, addr string, head []byte) (*rawpeer.Peer, *rawpeer.Response) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	peer, response, err := rawpeer.ExchangeHead(conn, head)
	must(t, err)
	return peer, response
}

const key = "dGhlIHNhbXBsZSBub25jZQ=="

// head is an honest request, with fields replaced or, without values, removed.
func head(fields http.Header) []byte { return rawpeer.RequestHead("test", "/", key, fields) }

func TestUpgradeGivesTheConnection(t *testing.T) {
	handler, results := upgrader(wscore.Answer{Subprotocol: "chat.v2", Headers: []wscore.HeaderField{{Name: "X-Room", Value: "blue"}}}, nil)
	addr := serve(t, handler, nil)
	peer, response := exchange(t, addr, head(http.Header{"Sec-WebSocket-Protocol": {"chat.v1, chat.v2"}}))
	must(t, rawpeer.CheckResponse(response, key))
	equal(t, "accept", response.Header.Get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
	equal(t, "subprotocol", response.Header.Get("Sec-WebSocket-Protocol"), "chat.v2")
	equal(t, "further field", response.Header.Get("X-Room"), "blue")
	equal(t, "number of fields", len(response.Header), 5)

	got := receive(t, "the connection", results)
	must(t, got.err)
	defer got.conn.Close()
	_, plain := got.conn.(*net.TCPConn)
	equal(t, "a plain connection, which can wait on its descriptor", plain, true)
	equal(t, "early bytes", len(got.early), 0)
	_, err := got.conn.Write([]byte(serverFrames(textFrame("hello"))))
	must(t, err, peer.ExpectText("hello"))
}

func TestUpgradeOverTLSGivesTheEncryptedStream(t *testing.T) {
	handler, results := upgrader(wscore.Answer{}, nil)
	addr := serve(t, handler, func(s *httptest.Server) { s.StartTLS() })
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) // the test's own server
	must(t, err)
	defer conn.Close()
	peer, response, err := rawpeer.ExchangeHead(conn, head(http.Header{"Origin": {"https://test"}}))
	must(t, err, rawpeer.CheckResponse(response, key))
	got := receive(t, "the connection", results)
	must(t, got.err)
	defer got.conn.Close()
	_, err = got.conn.Write([]byte(serverFrames(textFrame("hello"))))
	must(t, err, peer.ExpectText("hello"))
}

func TestBytesBehindTheHeadAreKept(t *testing.T) {
	handler, results := upgrader(wscore.Answer{}, nil)
	addr := serve(t, handler, nil)
	for _, early := range []string{"x", clientFrames(textFrame("early")), pattern(3000)} {
		_, response := exchange(t, addr, append(head(nil), early...))
		equal(t, "status", response.Status, 101)
		got := receive(t, "the connection", results)
		must(t, got.err)
		must(t, got.conn.SetDeadline(time.Now().Add(patience)))
		late := make([]byte, len(early)-len(got.early)) // what net/http had not read yet
		_, err := io.ReadFull(got.conn, late)
		must(t, err, got.conn.Close())
		equal(t, "some bytes were early", len(got.early) > 0, true)
		equal(t, "bytes", string(got.early)+string(late) == early, true)
	}
}

// deadlines is a connection that remembers its deadlines.
type deadlines struct {
	net.Conn
	mu          sync.Mutex
	set         int // deadlines other than none
	read, write time.Time
}

func (d *deadlines) note(f func()) { d.mu.Lock(); f(); d.mu.Unlock() }

func (d *deadlines) SetDeadline(t time.Time) error {
	d.note(func() {
		d.read, d.write = t, t
		if !t.IsZero() {
			d.set++
		}
	})
	return d.Conn.SetDeadline(t)
}

func (d *deadlines) SetReadDeadline(t time.Time) error {
	d.note(func() { d.read = t })
	return d.Conn.SetReadDeadline(t)
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.note(func() { d.write = t })
	return d.Conn.SetWriteDeadline(t)
}

type deadlineListener struct {
	net.Listener
	conns chan *deadlines
}

func (l deadlineListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	d := &deadlines{Conn: conn}
	l.conns <- d
	return d, nil
}

func TestDeadlinesOfTheServerAreCleared(t *testing.T) {
	handler, results := upgrader(wscore.Answer{}, nil)
	conns := make(chan *deadlines, 1)
	addr := serve(t, handler, func(s *httptest.Server) {
		s.Listener = deadlineListener{s.Listener, conns}
		s.Config.ReadTimeout, s.Config.WriteTimeout, s.Config.IdleTimeout = time.Hour, time.Hour, time.Hour
	})
	exchange(t, addr, head(nil))
	got := receive(t, "the connection", results)
	must(t, got.err)
	defer got.conn.Close()
	d := receive(t, "an accepted connection", conns)
	equal(t, "the very connection", got.conn, net.Conn(d))
	d.note(func() {
		equal(t, "read deadline is none", d.read.IsZero(), true)
		equal(t, "write deadline is none", d.write.IsZero(), true)
		equal(t, "deadlines set for the answer", d.set, 1)
	})
}

func TestAnswerThatCannotBeWrittenInTimeClosesTheConnection(t *testing.T) {
	failed := make(chan upgraded, 1)
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u, err := NewUpgrade(r, nil)
		if err == nil {
			_, _, err = u.Accept(w, wscore.Answer{}, -time.Second)
		}
		failed <- upgraded{err: err}
	}), nil)
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	defer conn.Close()
	_, err = conn.Write(head(nil))
	must(t, err, conn.SetReadDeadline(time.Now().Add(patience)))
	_, err = conn.Read(make([]byte, 1))
	equal[error](t, "read by the client", err, io.EOF)
	got := receive(t, "the handler", failed)
	var failure *TransportError
	if !errors.As(got.err, &failure) || failure.Operation != "handshake" || !errors.Is(got.err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", got.err)
	}
}

// Middleware.

// unwrapOnly wraps like most middleware that counts or logs.
type unwrapOnly struct{ http.ResponseWriter }

func (w unwrapOnly) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// hijackAndUnwrap hands Hijack on by a type assertion and can be unwrapped,
// as chi's and gin's writers do.
type hijackAndUnwrap struct {
	unwrapOnly
	hijacked *bool
}

func (w hijackAndUnwrap) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	*w.hijacked = true
	return w.ResponseWriter.(http.Hijacker).Hijack()
}

// rebuilt is a writer that embeds none and hands Hijack on through a
// ResponseController, as echo's does.
type rebuilt struct{ inner http.ResponseWriter }

func (w rebuilt) Header() http.Header         { return w.inner.Header() }
func (w rebuilt) Write(p []byte) (int, error) { return w.inner.Write(p) }
func (w rebuilt) WriteHeader(status int)      { w.inner.WriteHeader(status) }
func (w rebuilt) Unwrap() http.ResponseWriter { return w.inner }
func (w rebuilt) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.inner).Hijack()
}

// opaque shows nothing of what it wraps.
type opaque struct{ inner http.ResponseWriter }

func (w opaque) Header() http.Header         { return w.inner.Header() }
func (w opaque) Write(p []byte) (int, error) { return w.inner.Write(p) }
func (w opaque) WriteHeader(status int)      { w.inner.WriteHeader(status) }

func wrapped(handler http.Handler, wrap func(http.ResponseWriter) http.ResponseWriter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(wrap(w), r) })
}

func TestMiddlewareThatUnwrapsKeepsWorking(t *testing.T) {
	hijacked := false
	for name, wrap := range map[string]func(http.ResponseWriter) http.ResponseWriter{
		"unwraps only":        func(w http.ResponseWriter) http.ResponseWriter { return unwrapOnly{w} },
		"hijacks and unwraps": func(w http.ResponseWriter) http.ResponseWriter { return hijackAndUnwrap{unwrapOnly{w}, &hijacked} },
		"is built anew":       func(w http.ResponseWriter) http.ResponseWriter { return rebuilt{w} },
		"all, in one another": func(w http.ResponseWriter) http.ResponseWriter { return unwrapOnly{rebuilt{unwrapOnly{w}}} },
		"hijacks behind other": func(w http.ResponseWriter) http.ResponseWriter {
			return rebuilt{hijackAndUnwrap{unwrapOnly{w}, &hijacked}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			hijacked = false
			handler, results := upgrader(wscore.Answer{}, nil)
			peer, response := exchange(t, serve(t, wrapped(handler, wrap), nil), head(nil))
			must(t, rawpeer.CheckResponse(response, key))
			got := receive(t, "the connection", results)
			must(t, got.err)
			defer got.conn.Close()
			_, err := got.conn.Write([]byte(serverFrames(textFrame("hello"))))
			must(t, err, peer.ExpectText("hello"))
			equal(t, "the middleware's own Hijack was called", hijacked, strings.HasPrefix(name, "hijacks"))
		})
	}
}

func TestMiddlewareThatHidesTheConnectionIsToldSo(t *testing.T) {
	handler, results := upgrader(wscore.Answer{}, nil)
	addr := serve(t, wrapped(handler, func(w http.ResponseWriter) http.ResponseWriter { return opaque{w} }), nil)
	_, response := exchange(t, addr, head(nil))
	equal(t, "status", response.Status, 500)
	if !bytes.Contains(response.Body, []byte("middleware does not let the connection be taken over")) {
		t.Errorf("body: %s", response.Body)
	}
	var refusal *wscore.HandshakeError
	got := receive(t, "the handler", results)
	if !errors.As(got.err, &refusal) || refusal.Side != wscore.Local || refusal.Reason != "hijack" {
		t.Errorf("got %v", got.err)
	}
}
