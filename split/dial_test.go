package split

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

func TestDialOpensAStream(t *testing.T) {
	requests := make(chan *rawpeer.Request, 1)
	addr := listen(t, greet(requests, http.Header{
		"Sec-WebSocket-Protocol":   {"b"},
		"Sec-WebSocket-Extensions": {"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12"},
		"X-Node":                   {"7", "8"},
	}, "early bytes"))
	ctx, cancel := context.WithCancel(context.Background())
	dialed, err := Dial(ctx, DialConfig{
		URL: "ws://" + addr + "/room/1%2F2?since=7", Subprotocols: []string{"a", "b"}, Deflate: &wscore.DeflateConfig{ReceiveWindowBits: 12},
		Header: http.Header{"Origin": {"https://a.example"}, "X-A": {"1", "2"}},
	})
	must(t, err)
	defer dialed.Conn.Close()
	cancel() // has no effect any more
	if _, plain := dialed.Conn.(*net.TCPConn); !plain {
		t.Errorf("the stream is a %T", dialed.Conn)
	}
	equal(t, "early bytes", string(dialed.Early), "early bytes")
	equal(t, "subprotocol", dialed.Subprotocol, "b")
	equal(t, "window", dialed.Deflate.ReceiveWindowBits, 12)
	equal(t, "compression", dialed.Deflate.Agreed, true)
	equal(t, "header", strings.Join(dialed.Header["X-Node"], ","), "7,8")
	echoes(t, dialed.Conn)

	request := receive(t, "the request", requests)
	equal(t, "target", request.Target, "/room/1%2F2?since=7")
	equal(t, "Host", request.Header.Get("Host"), addr)
	equal(t, "Origin", request.Header.Get("Origin"), "https://a.example")
	equal(t, "X-A", strings.Join(request.Header["X-A"], ","), "1,2")
	equal(t, "offered", request.Header.Get("Sec-WebSocket-Protocol"), "a, b")
	equal(t, "Authorization", request.Header.Get("Authorization"), "")
}

func TestDialSaysWhoAsks(t *testing.T) {
	requests := make(chan *rawpeer.Request, 1)
	addr := listen(t, greet(requests, nil, ""))
	for _, test := range []struct {
		name, user    string
		header        http.Header
		authorization string
	}{
		{"user and password", "us%3Aer:p%40ss@", nil, "Basic dXM6ZXI6cEBzcw=="},
		{"user alone", "user@", nil, "Basic dXNlcjo="},
		{"a header in small letters", "user:pass@", http.Header{"authorization": {"Bearer token"}}, "Bearer token"},
		{"a header of their own", "user:pass@", http.Header{"Authorization": {"Bearer token"}}, "Bearer token"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dial(t, DialConfig{URL: "ws://" + test.user + addr, Header: test.header, Host: "virtual.example"})
			request := receive(t, "the request", requests)
			equal(t, "Authorization", strings.Join(request.Header["Authorization"], ","), test.authorization)
			equal(t, "Host", request.Header.Get("Host"), "virtual.example")
			equal(t, "target", request.Target, "/")
		})
	}
}

// What an URL means, without connecting.
func TestDialReadsTheURL(t *testing.T) {
	for _, test := range []struct{ url, address, host, name string }{
		{"ws://a.example", "a.example:80", "a.example", "a.example"},
		{"wss://a.example/x", "a.example:443", "a.example", "a.example"},
		{"ws://a.example:80", "a.example:80", "a.example", "a.example"},
		{"ws://a.example:443", "a.example:443", "a.example:443", "a.example"},
		{"WSS://a.example:", "a.example:443", "a.example", "a.example"},
		{"ws://[::1]:8080", "[::1]:8080", "[::1]:8080", "::1"},
		{"ws://[::1]", "[::1]:80", "[::1]", "::1"},
		{"ws://[fe80::1%25eth0]:81", "[fe80::1%eth0]:81", "[fe80::1]:81", "fe80::1"},
		{"ws://Bücher.example", "xn--bcher-kva.example:80", "xn--bcher-kva.example", "xn--bcher-kva.example"},
	} {
		got, err := parseTarget(test.url)
		if err != nil || got.address != test.address || got.hostField != test.host || got.name != test.name {
			t.Errorf("%s: %+v, %v", test.url, got, err)
		}
	}
}

// Nothing is dialed for what cannot be asked for.
func TestDialRefusesBadSettingsBeforeItDials(t *testing.T) {
	const good = "ws://a.example"
	field := func(name string) func(error) bool {
		return func(err error) bool {
			var config *wscore.ConfigError
			return errors.As(err, &config) && config.Field == name
		}
	}
	is := func(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }
	for _, test := range []struct {
		name   string
		config DialConfig
		want   func(error) bool
	}{
		{"no URL", DialConfig{}, field("URL")},
		{"no scheme", DialConfig{URL: "a.example"}, field("URL")},
		{"another scheme", DialConfig{URL: "http://a.example"}, field("URL")},
		{"no host", DialConfig{URL: "ws:///x"}, field("URL")},
		{"a port alone", DialConfig{URL: "ws://:80"}, field("URL")},
		{"opaque", DialConfig{URL: "ws:a.example"}, field("URL")},
		{"fragment", DialConfig{URL: good + "/#x"}, field("URL")},
		{"empty fragment", DialConfig{URL: good + "/#"}, field("URL")},
		{"malformed", DialConfig{URL: "ws://user:secret@a b"}, field("URL")},
		{"CR LF in the URL", DialConfig{URL: good + "/\r\nX: y"}, field("URL")},
		{"CR LF in a zone", DialConfig{URL: "ws://[fe80::1%25%0d%0aX]"}, field("URL")},
		{"no name in any alphabet", DialConfig{URL: "ws://\u200d.example"}, field("URL")},
		{"query beyond ASCII", DialConfig{URL: good + "/?a=é"}, is(wscore.ErrTarget)},
		{"CR LF in the host", DialConfig{URL: good, Host: "a\r\nX: y"}, is(wscore.ErrTarget)},
		{"CR LF in a value", DialConfig{URL: good, Header: http.Header{"X": {"a\r\nY: b"}}}, is(wscore.ErrHeaderField)},
		{"CR LF in a name", DialConfig{URL: good, Header: http.Header{"X\r\nY": {"a"}}}, is(wscore.ErrHeaderField)},
		{"reserved name", DialConfig{URL: good, Header: http.Header{"Sec-Websocket-Key": {"a"}}}, is(wscore.ErrHeaderField)},
		{"reserved name for the proxy", DialConfig{URL: good, ProxyHeader: http.Header{"host": {"a"}}}, is(wscore.ErrHeaderField)},
		{"subprotocol twice", DialConfig{URL: good, Subprotocols: []string{"a", "a"}}, is(wscore.ErrSubprotocol)},
		{"timeout", DialConfig{URL: good, Timeout: -1}, field("Timeout")},
		{"compression", DialConfig{URL: good, Deflate: &wscore.DeflateConfig{Level: 10}}, field("Deflate.Level")},
		{"proxy scheme", DialConfig{URL: good, Proxy: ProxyURL(&url.URL{Scheme: "ftp", Host: "p"})}, field("Proxy")},
		{"proxy without host", DialConfig{URL: good, Proxy: ProxyURL(&url.URL{Scheme: "http"})}, field("Proxy")},
		{"no proxy to be found", DialConfig{URL: good, Proxy: func(*url.URL) (*url.URL, error) { return nil, io.ErrClosedPipe }}, is(io.ErrClosedPipe)},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.config.DialContext = func(context.Context, string, string) (net.Conn, error) {
				t.Error("dialed")
				return nil, net.ErrClosed
			}
			dialed, err := Dial(context.Background(), test.config)
			if dialed != nil || !test.want(err) || !test.want(test.config.Check()) {
				t.Errorf("got %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
	must(t, DialConfig{URL: good}.Check())
}

func TestDialJudgesTheAnswer(t *testing.T) {
	fields := func(header http.Header) func(net.Conn) { return greet(nil, header, "") }
	for _, test := range []struct {
		name   string
		server func(net.Conn)
		want   error
	}{
		{"wrong accept key", fields(http.Header{"Sec-WebSocket-Accept": {"HSmrc0sMlYUkAGmm5OPpG2HaGWk="}}), wscore.ErrResponseAccept},
		{"no Upgrade", fields(http.Header{"Upgrade": nil}), wscore.ErrResponseUpgrade},
		{"no Connection", fields(http.Header{"Connection": nil}), wscore.ErrResponseConnection},
		{"a subprotocol that was not offered", fields(http.Header{"Sec-WebSocket-Protocol": {"c"}}), wscore.ErrUnrequestedProtocol},
		{"an extension that was not offered", fields(http.Header{"Sec-WebSocket-Extensions": {"permessage-deflate"}}), wscore.ErrUnrequestedExtension},
		{"malformed head", answer("HTTP/1.1 101 x\n\n"), wscore.ErrHeadSyntax},
		{"not HTTP", answer("SSH-2.0-x\r\n\r\n"), wscore.ErrNotUpgraded},
		{"end before the answer", answer(""), wscore.ErrHandshakeEnded},
		{"end inside the answer", answer("HTTP/1.1 101 x\r\nUpgrade"), wscore.ErrHandshakeEnded},
		{"too many fields", answer("HTTP/1.1 101 x\r\n" + strings.Repeat("A: b\r\n", wscore.MaxHeaderFields+1)), wscore.ErrTooManyHeaderFields},
		{"an endless field", answer("HTTP/1.1 101 x\r\nA: " + strings.Repeat("b", MaxResponseHead)), wscore.ErrHeadTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			dialed, err := Dial(context.Background(), DialConfig{URL: "ws://" + listen(t, test.server), Subprotocols: []string{"a", "b"}})
			var judged *wscore.HandshakeError
			if dialed != nil || !errors.Is(err, test.want) || !errors.As(err, &judged) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestDialShowsWhyAServerRefuses(t *testing.T) {
	long := strings.Repeat("why ", MaxRefusalBody)
	for _, test := range []struct {
		name, response string
		status         int
		body, location string
		header         http.Header
	}{
		{"body with a length", "HTTP/1.1 403 x\r\nContent-Length: 3\r\n\r\nwhy", 403, "why", "", nil},
		{"body to the end", "HTTP/1.1 429 x\r\nRetry-After: 7\r\n\r\nwhy", 429, "why", "", http.Header{"Retry-After": {"7"}}},
		{"body in chunks", "HTTP/1.1 401 x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nwh\r\n1\r\ny\r\n0\r\n\r\n", 401, "why", "", nil},
		{"body cut short", "HTTP/1.1 503 x\r\nContent-Length: 30\r\n\r\nwhy", 503, "why", "", nil},
		{"more than is kept", "HTTP/1.1 500 x\r\n\r\n" + long, 500, long[:MaxRefusalBody], "", nil},
		{"no body", "HTTP/1.1 304 x\r\nContent-Length: 30\r\n\r\n", 304, "", "", nil},
		{"old HTTP", "HTTP/1.0 404 x\r\n\r\nwhy", 404, "why", "", nil},
		{"redirect", "HTTP/1.1 302 x\r\nLocation: /other?x\r\nContent-Length: 0\r\n\r\n", 302, "", "/other?x", nil},
		{"redirect elsewhere", "HTTP/1.1 308 x\r\nLocation: wss://b.example/y\r\nContent-Length: 0\r\n\r\n", 308, "", "wss://b.example/y", nil},
		{"redirect to nowhere", "HTTP/1.1 302 x\r\nLocation: ://\r\nContent-Length: 0\r\n\r\n", 302, "", "", nil},
		{"200", "HTTP/1.1 200 x\r\nLocation: /x\r\nContent-Length: 2\r\n\r\nhi", 200, "hi", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			addr := listen(t, answer(test.response))
			_, err := Dial(context.Background(), DialConfig{URL: "ws://" + addr + "/room"})
			var refusal *RefusalError
			if !errors.As(err, &refusal) || !errors.Is(err, wscore.ErrNotUpgraded) {
				t.Fatalf("got %v", err)
			}
			equal(t, "status", refusal.Status, test.status)
			equal(t, "body", string(refusal.Body), test.body)
			location := ""
			if refusal.Location != nil {
				location = strings.TrimPrefix(refusal.Location.String(), "ws://"+addr)
			}
			equal(t, "location", location, test.location)
			for name := range test.header {
				equal(t, name, refusal.Header.Get(name), test.header.Get(name))
			}
		})
	}
}

// A server that redirects to itself is asked once.
func TestDialFollowsNoRedirect(t *testing.T) {
	asked := make(chan struct{}, 10)
	addr := listen(t, func(conn net.Conn) {
		asked <- struct{}{}
		answer("HTTP/1.1 307 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")(conn)
	})
	_, err := Dial(context.Background(), DialConfig{URL: "ws://" + addr})
	var refusal *RefusalError
	if !errors.As(err, &refusal) || refusal.Location.String() != "ws://"+addr+"/" {
		t.Errorf("got %v", err)
	}
	equal(t, "times asked", len(asked), 1)
}

// A refusal is known before its body, whose end may never come.
func TestDialDoesNotWaitLongForARefusalsBody(t *testing.T) {
	addr := listen(t, func(conn net.Conn) {
		_, _ = rawpeer.New(conn, rawpeer.Server).ReadRequest()
		_, _ = io.WriteString(conn, "HTTP/1.1 403 x\r\nContent-Length: 100\r\n\r\nwhy")
		_, _ = io.Copy(io.Discard, conn)
	})
	_, err := Dial(context.Background(), DialConfig{URL: "ws://" + addr, Timeout: time.Hour})
	var refusal *RefusalError
	if !errors.As(err, &refusal) || string(refusal.Body) != "why" {
		t.Errorf("got %v", err)
	}
}

func TestDialReportsANetworkThatFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	_, err = Dial(context.Background(), DialConfig{URL: "ws://" + listener.Addr().String()})
	var transport *TransportError
	if !errors.As(err, &transport) || transport.Operation != "connect" || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v", err)
	}
}

// forever writes over and over until the client has gone.
func forever(first, again string, gone chan<- error) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = rawpeer.New(conn, rawpeer.Server).ReadRequest()
		_, err := io.WriteString(conn, first)
		for err == nil {
			_, err = io.WriteString(conn, again)
			time.Sleep(time.Millisecond) // the pace of a slow peer
		}
		gone <- err
	}
}

func TestDialEndsInTime(t *testing.T) {
	gone := make(chan error, 1)
	reached := make(chan struct{}, 1)
	for _, test := range []struct {
		name   string
		server func(net.Conn)
	}{
		{"a server that never answers", silent(reached, gone)},
		{"a server that answers byte by byte for ever", forever("HTTP/1.1 101 x\r\nA: ", "b", gone)},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := Dial(context.Background(), DialConfig{URL: "ws://" + listen(t, test.server), Timeout: 100 * time.Millisecond})
			var transport *TransportError
			if !errors.As(err, &transport) || transport.Operation != "handshake" || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			receive(t, "the end of the stream", gone)
		})
	}
}

// A context that ends the attempt closes the stream, wherever it stands.
func TestDialCanBeEndedAtEveryStage(t *testing.T) {
	reached, gone := make(chan struct{}, 1), make(chan error, 1)
	stuck := silent(reached, gone)
	secureStuck, clients := behindTLS(t, stuck)
	tunnel := func(conn net.Conn) {
		_, _ = rawpeer.New(conn, rawpeer.Server).ReadRequest()
		_, _ = io.WriteString(conn, "HTTP/1.1 200 x\r\n\r\n")
		stuck(conn)
	}
	at := func(scheme, addr string) func(*url.URL) (*url.URL, error) {
		return ProxyURL(&url.URL{Scheme: scheme, Host: addr})
	}
	for _, test := range []struct {
		name      string
		server    func(net.Conn)
		config    func(addr string) DialConfig
		operation string // of a TransportError; "" for a ProxyError
	}{
		{"head", stuck, func(a string) DialConfig { return DialConfig{URL: "ws://" + a} }, "handshake"},
		{"TLS", stuck, func(a string) DialConfig { return DialConfig{URL: "wss://" + a} }, "tls"},
		{"head behind TLS", secureStuck, func(a string) DialConfig { return DialConfig{URL: "wss://" + a, TLS: clients} }, "handshake"},
		{"proxy", stuck, func(a string) DialConfig { return DialConfig{URL: "ws://a.example", Proxy: at("http", a)} }, ""},
		{"proxy's TLS", stuck, func(a string) DialConfig { return DialConfig{URL: "ws://a.example", Proxy: at("https", a)} }, ""},
		{"proxy behind TLS", secureStuck, func(a string) DialConfig {
			return DialConfig{URL: "ws://a.example", Proxy: at("https", a), ProxyTLS: clients}
		}, ""},
		{"SOCKS", stuck, func(a string) DialConfig { return DialConfig{URL: "ws://a.example", Proxy: at("socks5", a)} }, ""},
		{"head behind a proxy", tunnel, func(a string) DialConfig { return DialConfig{URL: "ws://a.example", Proxy: at("http", a)} }, "handshake"},
		{"TLS behind a proxy", tunnel, func(a string) DialConfig { return DialConfig{URL: "wss://a.example", Proxy: at("http", a)} }, "tls"},
	} {
		t.Run(test.name, func(t *testing.T) {
			config := test.config(listen(t, test.server))
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			failed := make(chan error, 1)
			go func() {
				_, err := Dial(ctx, config)
				failed <- err
			}()
			receive(t, "the stage", reached)
			cancel()
			err := receive(t, "Dial", failed)
			var transport *TransportError
			var proxy *ProxyError
			switch {
			case !errors.Is(err, context.Canceled):
				t.Errorf("got %v", err)
			case test.operation == "" && !errors.As(err, &proxy):
				t.Errorf("got %#v", err)
			case test.operation != "" && (!errors.As(err, &transport) || transport.Operation != test.operation):
				t.Errorf("got %v", err)
			}
			receive(t, "the end of the stream", gone)
		})
	}
}

func TestDialCanBeEndedWhileItConnects(t *testing.T) {
	for _, proxy := range []func(*url.URL) (*url.URL, error){nil, ProxyURL(&url.URL{Scheme: "http", Host: "p.example"})} {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := Dial(ctx, DialConfig{URL: "ws://a.example", Proxy: proxy, DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			cancel()
			<-ctx.Done()
			return nil, os.ErrDeadlineExceeded
		}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
}

// A context that ends as the handshake does closes the stream, or does not, but
// never returns a stream that it closes later.
func TestDialIsEndedOrNotInARace(t *testing.T) {
	addr := listen(t, greet(nil, nil, ""))
	opened := 0
	for i := range 200 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*5*time.Microsecond)
		dialed, err := Dial(ctx, DialConfig{URL: "ws://" + addr})
		switch {
		case err == nil:
			opened++
			<-ctx.Done()
			echoes(t, dialed.Conn)
			must(t, dialed.Conn.Close())
		case !errors.Is(err, context.DeadlineExceeded):
			t.Errorf("got %v", err)
		}
		cancel()
	}
	t.Logf("%d of 200 opened", opened)
}

// What comes from Dial fits what takes it on: the client's halves.
func TestDialFeedsTheHalves(t *testing.T) {
	addr := listen(t, greet(nil, nil, serverFrames(textFrame("early"))))
	dialed := dial(t, DialConfig{URL: "ws://" + addr})
	config, _ := newConfig(t, Config{})
	reader, _, err := New(wscore.Client, config, dialed.Deflate)
	must(t, err)
	must(t, reader.Fill(bytes.NewReader(dialed.Early)))
	event, err := reader.Next()
	must(t, err)
	equal(t, "message", string(event.Buffer.Payload()), "early")
	event.Buffer.Release()
	reader.Discard()
}

// Whatever URL is taken can stand in a request and in a CONNECT.
func FuzzDialTarget(f *testing.F) {
	for _, seed := range []string{"ws://a.example", "wss://user:pass@[fe80::1%25eth0]:81/x?y", "ws://Bücher.example:/%2F", "ws://a\r\nb", "ws://%0d%0a", "wss://]", "wss://::%25]:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := parseTarget(raw)
		if err != nil {
			return
		}
		for _, text := range []string{got.hostField, got.tunneled} {
			for i := range len(text) {
				if text[i] <= 0x20 || text[i] >= 0x7F {
					t.Fatalf("%q became %q", raw, text)
				}
			}
		}
		if _, _, err := net.SplitHostPort(got.address); err != nil || got.name == "" {
			t.Fatalf("%q is dialed as %q", raw, got.address)
		}
	})
}
