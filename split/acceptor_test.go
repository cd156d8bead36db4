package split

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

func TestHandshakeBringsAnEchoHoweverItsBytesCome(t *testing.T) {
	request := handshakeHead + masked("early") + masked("too")
	for name, pieces := range map[string][]string{
		"at once":            {request},
		"byte by byte":       strings.Split(request, ""),
		"cut in the head":    {request[:40], request[40:]},
		"cut behind it":      {handshakeHead, masked("early") + masked("too")},
		"cut in a frame":     {handshakeHead + masked("early")[:3], masked("early")[3:], masked("too")},
		"before the last LF": {handshakeHead[:len(handshakeHead)-1], "\n" + masked("early") + masked("too")},
	} {
		t.Run(name, func(t *testing.T) {
			everyAcceptor(t, AcceptConfig{}, func(a *acceptTest) {
				conn := a.dial()
				for _, piece := range pieces {
					send(conn, piece)
				}
				a.hears(conn, switched+frame("early")+frame("too"))
				send(conn, masked("later"))
				a.hears(conn, frame("later"))
				equal(a.t, "handshakes in progress", a.Underway(), 0)
				_ = conn.Close()
			})
		})
	}
}

func TestHandshakeTellsWhatTheClientAskedFor(t *testing.T) {
	head := strings.Replace(handshakeHead, "Upgrade: websocket\r\n", "Upgrade: websocket\r\nX-Twice: one\r\nx-twice:  two \r\nSec-WebSocket-Protocol: chat, other\r\n", 1)
	head = strings.Replace(head, "/chat?room=1", "/a%20b/c?room=1&x=%zz", 1)
	everyAcceptor(t, AcceptConfig{}, func(a *acceptTest) {
		asked := make(chan *http.Request, 1)
		peers := make(chan netip.AddrPort, 1)
		a.decides(func(h *Handshake) error {
			request := h.Request()
			asked <- request
			peers <- h.Remote()
			equal(a.t, "the request is made once", h.Request(), request)
			equal(a.t, "path", string(h.Path()), "/a%20b/c")
			equal(a.t, "query", string(h.Query()), "room=1&x=%zz")
			equal(a.t, "a field", string(h.Head().Get("host")), "example.com")
			equal(a.t, "offered", h.Offers("other"), true)
			equal(a.t, "not offered", h.Offers("Chat"), false)
			equal(a.t, "TLS", h.TLS() != nil, a.tls != nil)
			return a.open(h, wscore.Answer{Subprotocol: "chat", Headers: []wscore.HeaderField{{Name: "X-Mine", Value: "1"}}})
		})
		conn := a.dial()
		send(conn, head)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		must(a.t, err)
		equal(a.t, "subprotocol", response.Header.Get("Sec-WebSocket-Protocol"), "chat")
		equal(a.t, "field of the application", response.Header.Get("X-Mine"), "1")

		got := receive(a.t, "the request", asked)
		want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
		must(a.t, err)
		equal(a.t, "remote address", got.RemoteAddr, conn.LocalAddr().String())
		equal(a.t, "remote", (<-peers).String(), conn.LocalAddr().String())
		equal(a.t, "state of TLS", got.TLS != nil, a.tls != nil)
		got.RemoteAddr, got.TLS = "", nil
		want.Pattern = ""
		if !reflect.DeepEqual(got.URL, want.URL) || !reflect.DeepEqual(got.Header, want.Header) || got.Body != http.NoBody ||
			got.Host != want.Host || got.RequestURI != want.RequestURI || got.Method != want.Method || got.Proto != want.Proto ||
			got.ProtoMajor != want.ProtoMajor || got.ProtoMinor != want.ProtoMinor || got.ContentLength != want.ContentLength {
			a.t.Errorf("request is\n%+v, net/http makes\n%+v", got, want)
		}
		_ = conn.Close()
	})
}

func TestRequestsThatWillNotDoAreAnsweredAndClosed(t *testing.T) {
	many := strings.Repeat("X: y\r\n", 10_000)
	for _, test := range []struct {
		name, request string
		status        int
		want          error
	}{
		{"plain HTTP", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 426, wscore.ErrNotWebSocket},
		{"keep-alive", "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 426, wscore.ErrNotWebSocket},
		{"POST", strings.Replace(handshakeHead, "GET", "POST", 1), 405, wscore.ErrMethod},
		{"10,000 fields", strings.Replace(handshakeHead, "Host:", many+"Host:", 1), 431, wscore.ErrTooManyHeaderFields},
		{"a head over the limit", strings.Replace(handshakeHead, "Host:", "X: "+strings.Repeat("y", 8<<10)+"\r\nHost:", 1), 431, wscore.ErrHeadTooLarge},
		{"a head that never ends", "GET /" + strings.Repeat("x", 100<<10), 431, wscore.ErrHeadTooLarge},
		{"malformed", "\x00\r\n\r\n", 400, wscore.ErrHeadSyntax},
		{"a bad escape", strings.Replace(handshakeHead, "/chat", "/%zz", 1), 400, wscore.ErrTargetForm},
		{"a cut escape", strings.Replace(handshakeHead, "/chat?room=1", "/%2", 1), 400, wscore.ErrTargetForm},
		{"another site", strings.Replace(handshakeHead, "Host:", "Origin: http://evil.example\r\nHost:", 1), 403, wscore.ErrOrigin},
		{"no key", strings.Replace(handshakeHead, "Sec-WebSocket-Key", "X-Key", 1), 400, wscore.ErrWebSocketKey},
		{"refused", strings.Replace(handshakeHead, "/chat", "/refused", 1), 429, wscore.Reject(429, "")},
		{"refused without a status", strings.Replace(handshakeHead, "/chat", "/error", 1), 403, errSomething},
		{"undecided", strings.Replace(handshakeHead, "/chat", "/undecided", 1), 500, ErrUndecided},
		{"a subprotocol that was not offered", strings.Replace(handshakeHead, "/chat", "/subprotocol", 1), 500, wscore.ErrSubprotocol},
		{"a field that breaks the head", strings.Replace(handshakeHead, "/chat", "/field", 1), 500, wscore.ErrHeaderField},
	} {
		t.Run(test.name, func(t *testing.T) {
			everyAcceptor(t, AcceptConfig{MaxHeadBytes: 8 << 10}, func(a *acceptTest) {
				a.decides(func(h *Handshake) error {
					switch string(h.Path()) {
					case "/refused":
						return wscore.Reject(429, "slowly")
					case "/error":
						return errSomething
					case "/undecided":
						return nil
					case "/subprotocol":
						return a.open(h, wscore.Answer{Subprotocol: "never"})
					case "/field":
						return a.open(h, wscore.Answer{Headers: []wscore.HeaderField{{Name: "A", Value: "\n"}}})
					}
					return a.open(h, wscore.Answer{})
				})
				conn := a.dial()
				go send(conn, test.request)
				response := a.refused(conn, test.status)
				a.fails(test.name, test.want)
				if test.status == 426 {
					equal(a.t, "what is spoken here", response.Header.Get("Upgrade"), "websocket")
				}
			})
		})
	}
}

var errSomething = errors.New("something")

func TestPanicInADecisionIsAnsweredWith500(t *testing.T) {
	for name, stop := range map[string]func(){
		"panic":  func() { panic("wrong") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			everyAcceptor(t, AcceptConfig{}, func(a *acceptTest) {
				a.decides(func(h *Handshake) error {
					if string(h.Path()) == "/stop" {
						stop()
					}
					return a.open(h, wscore.Answer{})
				})
				conn := a.dial()
				send(conn, strings.Replace(handshakeHead, "/chat", "/stop", 1))
				a.refused(conn, 500)
				a.fails("panic", ErrDecidePanic)
				receive(a.t, "the panic", a.panicked)
				other := a.dial()
				send(other, handshakeHead)
				a.hears(other, switched)
				_ = other.Close()
			})
		})
	}
}

func TestSlowHandshakesEndAtTheirTime(t *testing.T) {
	for _, test := range []struct {
		name, sent string
		status     int // 0 for no answer
	}{
		{"nothing", "", 0},
		{"a part", "GET / HTTP/1.1\r\nHost:", 408},
	} {
		t.Run(test.name, func(t *testing.T) {
			everyAcceptor(t, AcceptConfig{Timeout: 150 * time.Millisecond}, func(a *acceptTest) {
				conn := a.dial()
				send(conn, test.sent)
				if test.status == 0 {
					if _, err := conn.Read(make([]byte, 1)); err != io.EOF {
						a.t.Errorf("the end: %v", err)
					}
					return
				}
				a.refused(conn, test.status)
				a.fails("time", wscore.ErrHandshakeTimeout)
			})
		})
	}
}

// A decision that comes too late finds the stream closed.
func TestDecisionMayNotOutlastTheHandshake(t *testing.T) {
	const limit = time.Second // long enough for a busy machine to come to the decision
	everyAcceptor(t, AcceptConfig{Timeout: limit}, func(a *acceptTest) {
		goOn, result := make(chan struct{}), make(chan error, 1)
		a.decides(func(h *Handshake) error {
			time.AfterFunc(limit+limit/10, func() { close(goOn) })
			<-goOn
			err := a.open(h, wscore.Answer{})
			result <- err
			return err
		})
		conn := a.dial()
		send(conn, handshakeHead)
		err := receive(a.t, "the decision", result)
		var transport *TransportError
		if !errors.As(err, &transport) {
			a.t.Errorf("accepted too late: %v", err)
		}
		if n, err := conn.Read(make([]byte, 1)); err == nil {
			a.t.Errorf("heard %d bytes", n)
		}
		a.failsWith("time", func(err error) bool { return errors.Is(err, wscore.ErrHandshakeTimeout) || errors.As(err, &transport) })
	})
}

func TestClientsThatVanishLeaveNothing(t *testing.T) {
	for _, test := range []struct {
		name, sent string
		reset      bool
		reported   bool
	}{
		{"before the first byte", "", false, false},
		{"with a reset before the first byte", "", true, false},
		{"inside the head", handshakeHead[:50], false, true},
		{"with a reset inside the head", handshakeHead[:50], true, true},
		{"behind the head", handshakeHead, false, false},
		{"inside the first frame", handshakeHead + masked("text")[:4], false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			everyAcceptor(t, AcceptConfig{}, func(a *acceptTest) {
				raw := a.dialRaw()
				var conn net.Conn = raw
				if a.tls != nil {
					secured := tls.Client(raw, &tls.Config{InsecureSkipVerify: true}) // #nosec: its own certificate
					must(a.t, secured.Handshake())
					conn = secured
				}
				send(conn, test.sent)
				if len(test.sent) >= len(handshakeHead) {
					a.hears(conn, switched)
				}
				if test.reset {
					must(a.t, raw.(*net.TCPConn).SetLinger(0))
				}
				_ = raw.Close()
				if test.reported {
					a.failsWith("the end", func(error) bool { return true })
				}
				for a.Underway() > 0 {
					runtime.Gosched()
				}
				select { // whether a reset before the first byte is seen as such is up to the system
				case <-a.failed:
				default:
				}
			})
		})
	}
}

func TestDecisionsThatBlockHoldUpNobody(t *testing.T) {
	everyAcceptor(t, AcceptConfig{}, func(a *acceptTest) {
		goOn, waiting := make(chan struct{}), make(chan struct{}, 8)
		free := sync.OnceFunc(func() { close(goOn) })
		defer free()
		a.decides(func(h *Handshake) error {
			if string(h.Path()) == "/wait" {
				waiting <- struct{}{}
				<-goOn
			}
			return a.open(h, wscore.Answer{})
		})
		var blocked []net.Conn
		for range 5 {
			conn := a.dial()
			send(conn, strings.Replace(handshakeHead, "/chat", "/wait", 1)+masked("early"))
			blocked = append(blocked, conn)
		}
		for range blocked {
			receive(a.t, "a decision that waits", waiting)
		}
		for range 5 {
			conn := a.dial()
			send(conn, handshakeHead+masked("quick"))
			a.hears(conn, switched+frame("quick"))
			_ = conn.Close()
		}
		for _, conn := range blocked {
			send(conn, masked("meanwhile"))
		}
		free()
		for _, conn := range blocked {
			a.hears(conn, switched+frame("early")+frame("meanwhile"))
			_ = conn.Close()
		}
	})
}

func TestHandshakesOverTheLimitWaitForRoom(t *testing.T) {
	everyAcceptor(t, AcceptConfig{MaxHandshakes: 2}, func(a *acceptTest) {
		var silent []net.Conn
		for range 2 {
			silent = append(silent, a.dialRaw())
		}
		for a.Underway() < 2 {
			runtime.Gosched()
		}
		waiting := a.dialRaw()
		if a.tls == nil {
			send(waiting, handshakeHead)
		}
		must(a.t, waiting.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		if n, err := waiting.Read(make([]byte, 1)); err == nil {
			a.t.Errorf("%d bytes over the limit", n)
		}
		equal(a.t, "handshakes in progress", a.Underway(), 2)
		_ = silent[0].Close()
		must(a.t, waiting.SetDeadline(time.Now().Add(patience)))
		conn := waiting
		if a.tls != nil {
			conn = tls.Client(waiting, &tls.Config{InsecureSkipVerify: true}) // #nosec: its own certificate
			send(conn, handshakeHead)
		}
		a.hears(conn, switched)
		_, _ = silent[1].Close(), conn.Close()
		for a.Underway() > 0 {
			runtime.Gosched()
		}
		for len(a.failed) > 0 { // TLS that ended before it began
			<-a.failed
		}
	})
}

// Waiting handshakes cost no goroutine where the poller has them.
func TestSlowHandshakesHoldNoGoroutineOnThePoller(t *testing.T) {
	if _, parked := NewReadiness().(Parked); parked {
		t.Log("there is no poller here: a handshake has its goroutine")
		return
	}
	a := newAcceptTest(t, AcceptConfig{}, nil)
	defer a.end()
	first := a.dial()
	send(first, "GET")
	for a.Underway() < 1 {
		runtime.Gosched()
	}
	before := runtime.NumGoroutine()
	for range 50 {
		send(a.dial(), "GET / HTTP")
	}
	for a.Underway() < 51 {
		runtime.Gosched()
	}
	if now := runtime.NumGoroutine(); now > before+2 {
		t.Errorf("%d goroutines for 50 handshakes", now-before)
	}
}

func TestServeEndsWithItsAcceptorAndItsListener(t *testing.T) {
	t.Run("acceptor", func(t *testing.T) {
		everyAcceptor(t, AcceptConfig{}, func(a *acceptTest) {
			open := a.dial()
			send(open, handshakeHead)
			a.hears(open, switched)
			silent := a.dial()
			send(silent, "GET /")
			for a.Underway() < 1 {
				runtime.Gosched()
			}
			must(a.t, a.Close())
			if _, err := silent.Read(make([]byte, 1)); err == nil {
				a.t.Error("a handshake without a request outlived the acceptor")
			}
			err := receive(a.t, "the end of Serve", a.ended)
			equal(a.t, "Serve's error", err, ErrAcceptorClosed)
			a.ended <- err // for end
			send(open, masked("still there"))
			a.hears(open, frame("still there"))
			_ = open.Close()
			other, err := net.Listen("tcp", "127.0.0.1:0")
			must(a.t, err)
			equal(a.t, "Serve afterwards", a.Serve(other), ErrAcceptorClosed)
			if _, err := net.DialTimeout("tcp", other.Addr().String(), patience); err == nil {
				a.t.Error("its listener is open")
			}
			for len(a.failed) > 0 {
				<-a.failed // a read that failed when its stream was closed
			}
		})
	})
	t.Run("listener", func(t *testing.T) {
		everyAcceptor(t, AcceptConfig{}, func(a *acceptTest) {
			conn := a.dial()
			send(conn, handshakeHead)
			a.hears(conn, switched)
			_ = conn.Close()
			_ = a.listener.Close()
			err := receive(a.t, "the end of Serve", a.ended)
			if !errors.Is(err, net.ErrClosed) {
				a.t.Errorf("Serve returned %v", err)
			}
			a.ended <- ErrAcceptorClosed // for end
		})
	})
}

func TestAcceptorSettingsOutOfRangeAreNamed(t *testing.T) {
	decide := func(*Handshake) error { return nil }
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, test := range []struct {
		field  string
		config AcceptConfig
	}{
		{"Decide", AcceptConfig{}},
		{"Timeout", AcceptConfig{Decide: decide, Timeout: time.Microsecond}},
		{"Timeout", AcceptConfig{Decide: decide, Timeout: 2 * time.Hour}},
		{"MaxHandshakes", AcceptConfig{Decide: decide, MaxHandshakes: -1}},
		{"MaxHeadBytes", AcceptConfig{Decide: decide, MaxHeadBytes: 255}},
		{"MaxHeadBytes", AcceptConfig{Decide: decide, MaxHeadBytes: 64<<10 + 1}},
		{"MaxHeaderFields", AcceptConfig{Decide: decide, MaxHeaderFields: 129}},
		{"Proxy", AcceptConfig{Decide: decide, Proxy: 3}},
		{"TrustedProxies", AcceptConfig{Decide: decide, Proxy: ProxyOptional}},
		{"TrustedProxies[0]", AcceptConfig{Decide: decide, TrustedProxies: []netip.Prefix{{}}}},
		{"", AcceptConfig{Decide: decide, Proxy: ProxyRequired, TrustedProxies: trusted, MaxHeadBytes: 256, MaxHeaderFields: 1, MaxHandshakes: 1 << 20}},
	} {
		_, err := NewAcceptor(test.config)
		var config *wscore.ConfigError
		if test.field == "" {
			must(t, err)
		} else if !errors.As(err, &config) || config.Field != test.field {
			t.Errorf("%s: %v", test.field, err)
		}
	}
}

func TestHandshakeIsAnsweredOnce(t *testing.T) {
	everyAcceptor(t, AcceptConfig{}, func(a *acceptTest) {
		again := make(chan error, 1)
		a.decides(func(h *Handshake) error {
			err := a.open(h, wscore.Answer{})
			_, second := h.Accept(wscore.Answer{}, nil)
			again <- second
			return err
		})
		conn := a.dial()
		send(conn, handshakeHead)
		a.hears(conn, switched)
		equal(a.t, "the second answer", receive(a.t, "it", again), error(ErrAnswered))
		_ = conn.Close()
	})
}

// A connection that is never started is told of its end all the same.
func TestConnectionClosedBeforeItsStartEndsItsHandler(t *testing.T) {
	a := newAcceptTest(t, AcceptConfig{}, nil)
	defer a.end()
	ended := make(chan error, 1)
	a.decides(func(h *Handshake) error {
		transport, err := h.Accept(wscore.Answer{}, endNote(ended))
		if err == nil {
			err = transport.Close()
		}
		return err
	})
	conn := a.dial()
	send(conn, handshakeHead)
	a.hears(conn, switched)
	if _, polled := a.Acceptor.config.Readiness.(Parked); !polled {
		equal(t, "its end", receive(t, "the end", ended), net.ErrClosed)
	}
}

type endNote chan error

func (n endNote) Fill(io.Reader) error { return ErrWouldBlock }

func (n endNote) Drain(err error) Verdict {
	n <- err
	return Stop
}

// The answer that does not fit a socket's buffer waits for the client.
func TestLongAnswersAreWrittenWhole(t *testing.T) {
	everyAcceptor(t, AcceptConfig{}, func(a *acceptTest) {
		long := strings.Repeat("x", 8<<20)
		a.decides(func(h *Handshake) error {
			return a.open(h, wscore.Answer{Headers: []wscore.HeaderField{{Name: "X-Long", Value: long}}})
		})
		conn := a.dial()
		send(conn, handshakeHead)
		all := make([]byte, len(switched)+len("X-Long: \r\n")+len(long))
		_, err := io.ReadFull(conn, all)
		must(a.t, err)
		equal(a.t, "the end of the head", string(all[len(all)-4:]), "\r\n\r\n")
		equal(a.t, "its length", bytes.Count(all, []byte("x")) >= len(long), true)
		send(conn, masked("works"))
		a.hears(conn, frame("works"))
		_ = conn.Close()
	})
}
