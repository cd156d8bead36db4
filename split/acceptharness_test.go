package split

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/wscore"
)

const handshakeHead = "GET /chat?room=1 HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

const switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

// acceptTest is an acceptor that is served on loopback and echoes.
type acceptTest struct {
	*Acceptor
	t        *testing.T
	addr     string
	tls      *tls.Config
	config   *Config
	listener net.Listener
	ended    chan error // what Serve returned

	decide atomic.Pointer[func(*Handshake) error] // nil accepts

	failed   chan error
	panicked chan any
	starved  chan time.Duration
	remotes  chan string // of the connections
	conns    sync.WaitGroup
}

func (a *acceptTest) HandshakeFailed(err error)                { a.failed <- err }
func (a *acceptTest) DecidePanicked(value any)                 { a.panicked <- value }
func (a *acceptTest) AcceptFailed(_ error, wait time.Duration) { a.starved <- wait }
func (a *acceptTest) fails(what string, want error) {
	a.t.Helper()
	a.failsWith(what, func(err error) bool { return errors.Is(err, want) })
}
func (a *acceptTest) failsWith(what string, ok func(error) bool) {
	a.t.Helper()
	if err := receive(a.t, what, a.failed); !ok(err) {
		a.t.Errorf("%s: reported %v", what, err)
	}
}

// decides says what is decided from now on.
func (a *acceptTest) decides(decide func(*Handshake) error) { a.decide.Store(&decide) }

// quiet demands that nothing else was reported.
func (a *acceptTest) quiet() {
	a.t.Helper()
	select {
	case err := <-a.failed:
		a.t.Errorf("reported %v", err)
	default:
	}
}

// echo is the handler of a connection that was accepted.
type echo struct {
	reader    *Reader
	writer    *Writer
	transport Transport
	ended     func()
}

func (e *echo) Fill(source io.Reader) error { return e.reader.Fill(source) }

func (e *echo) Drain(err error) Verdict {
	for err == nil {
		event, wrong := e.reader.Next()
		err = wrong
		if wrong == nil && event.Kind == NeedMore {
			if _, err = e.writer.TryFlush(); err == ErrWouldBlock {
				_, err = e.writer.Flush() // TLS; a test may wait here
			}
			e.reader.Rest()
			if err == nil && e.reader.Unfinished() {
				return ReadMore
			}
			if err == nil {
				return Park
			}
		}
		if event.Kind == Message {
			_, _ = e.writer.Send(event.Buffer)
		}
	}
	_ = e.reader.End(err)
	e.writer.Shut()
	_ = e.transport.Close()
	e.ended()
	return Stop
}

// open accepts the handshake and echoes.
func (a *acceptTest) open(h *Handshake, answer wscore.Answer) error {
	reader, writer, err := New(wscore.Server, a.config, wscore.DeflateParams{})
	if err != nil {
		return err
	}
	e := &echo{reader: reader, writer: writer, ended: a.conns.Done}
	if e.transport, err = h.Accept(answer, e); err != nil {
		return err
	}
	a.conns.Add(1)
	writer.Bind(e.transport)
	select {
	case a.remotes <- e.transport.RemoteAddr().String():
	default:
	}
	e.transport.Start()
	return nil
}

// kindsOfAcceptor are the ways that a handshake can take.
var kindsOfAcceptor = map[string]func() (Readiness, bool){
	"readiness": func() (Readiness, bool) { return NewReadiness(), false },
	"parked":    func() (Readiness, bool) { return NewParked(), false },
	"TLS":       func() (Readiness, bool) { return NewReadiness(), true },
}

// everyAcceptor runs a test for each way.
func everyAcceptor(t *testing.T, config AcceptConfig, run func(*acceptTest)) {
	for name, kind := range kindsOfAcceptor {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			config := config
			var secured bool
			config.Readiness, secured = kind()
			var certificate *tls.Config
			if secured {
				certificate = selfSigned(t)
			}
			a := newAcceptTest(t, config, certificate)
			defer a.end()
			run(a)
			a.quiet()
		})
	}
}

func newAcceptTest(t *testing.T, config AcceptConfig, secured *tls.Config) *acceptTest {
	t.Helper()
	a := &acceptTest{t: t, tls: secured, ended: make(chan error, 1), failed: make(chan error, 128), panicked: make(chan any, 8), starved: make(chan time.Duration, 1024), remotes: make(chan string, 128)}
	a.config, _ = newConfig(t, Config{})
	t.Cleanup(a.awaitConns) // after the clients have closed, before buffers are counted
	config.Decide = func(h *Handshake) error {
		if decide := a.decide.Load(); decide != nil {
			return (*decide)(h)
		}
		return a.open(h, wscore.Answer{})
	}
	config.Observer = a
	var err error
	a.Acceptor, err = NewAcceptor(config)
	must(t, err)
	a.listener, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	a.addr = a.listener.Addr().String()
	go func() {
		if secured != nil {
			a.ended <- a.ServeTLS(a.listener, secured)
		} else {
			a.ended <- a.Serve(a.listener)
		}
	}()
	return a
}

// end shuts the acceptor down.
func (a *acceptTest) end() {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	must(a.t, a.Shutdown(ctx))
	if err := receive(a.t, "the end of Serve", a.ended); err != ErrAcceptorClosed {
		a.t.Errorf("Serve returned %v", err)
	}
	equal(a.t, "handshakes in progress", a.Underway(), 0)
}

// awaitConns waits until every connection that was accepted has ended.
func (a *acceptTest) awaitConns() {
	ended := make(chan struct{})
	go func() { a.conns.Wait(); close(ended) }()
	receive(a.t, "the end of the connections", ended)
}

// dial connects, closing what is left at the end of the test.
func (a *acceptTest) dial() net.Conn {
	a.t.Helper()
	conn := a.dialRaw()
	if a.tls == nil {
		return conn
	}
	secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // #nosec: its own certificate
	must(a.t, secured.Handshake())
	return secured
}

func (a *acceptTest) dialRaw() net.Conn {
	a.t.Helper()
	conn, err := net.DialTimeout("tcp", a.addr, patience)
	must(a.t, err)
	must(a.t, conn.SetDeadline(time.Now().Add(patience)))
	a.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// send writes, and does not mind a server that has gone.
func send(conn net.Conn, text string) { _, _ = io.WriteString(conn, text) }

// hears demands that exactly these bytes come.
func (a *acceptTest) hears(conn net.Conn, want string) {
	a.t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(conn, got)
	if err != nil || string(got) != want {
		a.t.Fatalf("heard %q, %v, want %q", got[:n], err, want)
	}
}

// refused demands an HTTP answer with that status, and the end of the stream.
func (a *acceptTest) refused(conn net.Conn, status int) *http.Response {
	a.t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		a.t.Fatalf("no answer: %v", err)
	}
	equal(a.t, "status", response.StatusCode, status)
	equal(a.t, "connection is to be closed", response.Close || response.Header.Get("Connection") == "close", true)
	_, err = io.Copy(io.Discard, response.Body)
	must(a.t, err)
	_, err = conn.Read(make([]byte, 1))
	if err != io.EOF {
		a.t.Errorf("after the refusal: %v", err)
	}
	_ = conn.Close()
	return response
}

func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}}
}

// frame is an unmasked text frame, as a server sends it.
func frame(text string) string { return string([]byte{0x81, byte(len(text))}) + text }

// masked is a masked text frame, as a client sends it.
func masked(text string) string {
	return string([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}) + text
}
