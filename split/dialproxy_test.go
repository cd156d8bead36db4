package split

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

// connectProxy is an HTTP proxy for CONNECT, whatever it is asked for, to one
// address.
func connectProxy(to string, asked chan<- *rawpeer.Request, response string) func(net.Conn) {
	return func(conn net.Conn) {
		request, err := rawpeer.New(conn, rawpeer.Server).ReadRequest()
		asked <- request
		if err != nil {
			return
		}
		if _, err := io.WriteString(conn, response); err == nil {
			relay(conn, to)
		}
	}
}

// relay copies bytes both ways until one side ends.
func relay(conn net.Conn, to string) {
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(conn, server)
		_ = conn.Close()
	})
	_, _ = io.Copy(server, conn)
	_ = server.Close()
	back.Wait()
}

func proxyAt(scheme, userinfo, addr string) func(*url.URL) (*url.URL, error) {
	return func(*url.URL) (*url.URL, error) { return url.Parse(scheme + "://" + userinfo + addr) }
}

func TestDialThroughHTTPProxies(t *testing.T) {
	secure, clients := behindTLS(t, greet(nil, nil, "early"))
	plainAddr, secureAddr := listen(t, greet(nil, nil, "early")), listen(t, secure)
	for _, test := range []struct {
		name, url, tunneled, to, response string
		proxyTLS                          bool
	}{
		{"ws", "ws://chat.example/x", "chat.example:80", plainAddr, "HTTP/1.1 200 OK\r\n\r\n", false},
		{"wss", "wss://example.com:8443/x", "example.com:8443", secureAddr, "HTTP/1.1 200 OK\r\n\r\n", false},
		{"ws by a proxy behind TLS", "ws://chat.example/x", "chat.example:80", plainAddr, "HTTP/1.1 200 OK\r\n\r\n", true},
		{"wss by a proxy behind TLS", "wss://example.com/x", "example.com:443", secureAddr, "HTTP/1.1 200 OK\r\n\r\n", true},
		{"another success and fields without meaning", "ws://chat.example", "chat.example:80", plainAddr, "HTTP/1.1 204 x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false},
		{"old HTTP", "ws://chat.example", "chat.example:80", plainAddr, "HTTP/1.0 200 Connection established\r\n\r\n", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := make(chan *rawpeer.Request, 1)
			server, scheme := connectProxy(test.to, asked, test.response), "http"
			config := DialConfig{URL: test.url, TLS: clients, ProxyHeader: http.Header{"X-Team": {"a"}}}
			if test.proxyTLS {
				server, config.ProxyTLS = behindTLS(t, server)
				scheme = "https"
			}
			config.Proxy = proxyAt(scheme, "us%3Aer:pass@", listen(t, server))
			dialed := dial(t, config)
			request := receive(t, "the proxy", asked)
			equal(t, "method", request.Method, "CONNECT")
			equal(t, "target", request.Target, test.tunneled)
			equal(t, "Host", request.Header.Get("Host"), test.tunneled)
			equal(t, "Proxy-Authorization", request.Header.Get("Proxy-Authorization"), "Basic dXM6ZXI6cGFzcw==")
			equal(t, "X-Team", request.Header.Get("X-Team"), "a")
			equal(t, "early bytes", string(dialed.Early), "early")
			echoes(t, dialed.Conn)
			if _, plain := dialed.Conn.(*net.TCPConn); plain == (test.proxyTLS || strings.HasPrefix(test.url, "wss")) {
				t.Errorf("the stream is a %T", dialed.Conn)
			}
		})
	}
}

func TestDialReportsWhatAnHTTPProxyDoes(t *testing.T) {
	for _, test := range []struct {
		name, response string
		status         int
		want           error // that is wrapped, if any
	}{
		{"asks who it is", "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic\r\n\r\n", 407, nil},
		{"cannot reach the server", "HTTP/1.1 502 x\r\n\r\nno", 502, nil},
		{"redirects", "HTTP/1.1 302 x\r\nLocation: /\r\n\r\n", 302, nil},
		{"switches protocols", "HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n", 101, nil},
		{"speaks something else", "220 smtp\r\n\r\n", 0, nil},
		{"answers for the server", "HTTP/1.1 200 x\r\n\r\nHTTP/1.1 101 x\r\n\r\n", 0, ErrProxyBytes},
		{"breaks off", "HTTP/1.1 200", 0, wscore.ErrHandshakeEnded},
		{"sends a malformed head", "HTTP/1.1 200 x\n\n", 0, wscore.ErrHeadSyntax},
		{"sends fields without end", "HTTP/1.1 200 x\r\n" + strings.Repeat("A: b\r\n", 1000), 0, wscore.ErrTooManyHeaderFields},
		{"sends a field without end", "HTTP/1.1 200 x\r\nA:" + strings.Repeat("b", MaxResponseHead), 0, wscore.ErrHeadTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			addr := listen(t, answer(test.response))
			_, err := Dial(context.Background(), DialConfig{URL: "ws://a.example", Proxy: proxyAt("http", "user:secret@", addr)})
			var proxy *ProxyError
			if !errors.As(err, &proxy) || proxy.Status != test.status || test.want != nil && !errors.Is(err, test.want) {
				t.Fatalf("got %v", err)
			}
			equal(t, "proxy", proxy.Proxy, "http://user:xxxxx@"+addr)
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells the password: %v", err)
			}
			if test.status == 407 {
				equal(t, "Proxy-Authenticate", proxy.Header.Get("Proxy-Authenticate"), "Basic")
			}
		})
	}
}

// A proxy that opens the way to another server than asked for, or to none,
// shows by what comes from there.
func TestDialJudgesWhatLiesBehindAProxy(t *testing.T) {
	secure, clients := behindTLS(t, greet(nil, nil, ""))
	asked := make(chan *rawpeer.Request, 1)
	proxy := proxyAt("http", "", listen(t, connectProxy(listen(t, secure), asked, "HTTP/1.1 200 x\r\n\r\n")))
	_, err := Dial(context.Background(), DialConfig{URL: "wss://bank.example", TLS: clients, Proxy: proxy})
	receive(t, "the proxy", asked)
	if !isHostnameError(err) {
		t.Errorf("got %v", err)
	}
}

// socksProxy is a SOCKS 5 proxy as RFC 1928 and 1929 describe it, to one
// address.
func socksProxy(to string, asked chan<- string, user string, reply byte) func(net.Conn) {
	return func(conn net.Conn) {
		read := func(n int) string {
			b := make([]byte, n)
			_, _ = io.ReadFull(conn, b)
			return string(b)
		}
		counted := func() string { return read(int(read(1)[0])) }
		read(1) // the version
		methods := counted()
		method := byte(0)
		if user != "" {
			method = 2
		}
		if !strings.Contains(methods, string(rune(method))) {
			_, _ = conn.Write([]byte{5, 0xFF})
			return
		}
		_, _ = conn.Write([]byte{5, method})
		if user != "" {
			read(1) // the version
			if got := counted() + ":" + counted(); got != user {
				_, _ = conn.Write([]byte{1, 1})
				return
			}
			_, _ = conn.Write([]byte{1, 0})
		}
		head := read(4)
		if head != "\x05\x01\x00\x03" { // a connection to a name
			asked <- head
			return
		}
		name, port := counted(), read(2)
		asked <- name + ":" + port
		_, _ = conn.Write(append([]byte{5, reply, 0, 1}, make([]byte, 6)...))
		if reply == 0 {
			relay(conn, to)
		}
	}
}

func TestDialThroughSOCKS(t *testing.T) {
	server := listen(t, greet(nil, nil, "early"))
	for scheme, user := range map[string]string{"socks5": "", "socks5h": "user:pass"} {
		asked := make(chan string, 1)
		userinfo := user
		if user != "" {
			userinfo += "@"
		}
		proxy := proxyAt(scheme, userinfo, listen(t, socksProxy(server, asked, user, 0)))
		dialed := dial(t, DialConfig{URL: "ws://chat.example/x", Proxy: proxy})
		equal(t, "asked for", receive(t, "the proxy", asked), "chat.example:\x00\x50")
		equal(t, "early bytes", string(dialed.Early), "early")
		if _, plain := dialed.Conn.(*net.TCPConn); !plain {
			t.Errorf("the stream is a %T", dialed.Conn)
		}
		echoes(t, dialed.Conn)
	}
}

func TestDialReportsWhatASOCKSProxyDoes(t *testing.T) {
	asked := make(chan string, 10)
	write := func(reply string) func(net.Conn) {
		return func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 512))
			_, _ = io.WriteString(conn, reply)
		}
	}
	for _, test := range []struct {
		name, url string
		server    func(net.Conn)
	}{
		{"wants a user", "ws://a.example", socksProxy("", asked, "user:pass", 0)},
		{"refuses the connection", "ws://a.example", socksProxy("", asked, "", 5)},
		{"answers something unknown", "ws://a.example", socksProxy("", asked, "", 99)},
		{"speaks another version", "ws://a.example", write("\x04\x00")},
		{"breaks off", "ws://a.example", write("\x05")},
		{"is asked for a name that is too long", "ws://" + strings.Repeat("a.", 200) + "example", socksProxy("", asked, "", 0)},
	} {
		t.Run(test.name, func(t *testing.T) {
			addr := listen(t, test.server)
			_, err := Dial(context.Background(), DialConfig{URL: test.url, Proxy: proxyAt("socks5", "", addr)})
			var proxy *ProxyError
			var network *net.OpError
			if !errors.As(err, &proxy) || proxy.Proxy != "socks5://"+addr || !errors.As(err, &network) {
				t.Errorf("got %#v", err)
			}
		})
	}
}

func TestDialReportsAProxyThatIsNotThere(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, listener.Close())
	for scheme := range proxyPorts {
		_, err := Dial(context.Background(), DialConfig{URL: "ws://a.example", Proxy: proxyAt(scheme, "", listener.Addr().String())})
		var proxy *ProxyError
		var network *net.OpError
		if !errors.As(err, &proxy) || !errors.As(err, &network) {
			t.Errorf("%s: got %v", scheme, err)
		}
	}
}

func TestProxyPorts(t *testing.T) {
	for raw, want := range map[string]string{"http://p": "p:80", "https://p": "p:443", "socks5://p": "p:1080", "http://[::1]:3128": "[::1]:3128"} {
		u, err := url.Parse(raw)
		must(t, err)
		equal(t, raw, proxyAddress(u), want)
	}
}

func TestProxyFromEnvironment(t *testing.T) {
	for _, name := range []string{"http_proxy", "https_proxy", "no_proxy", "REQUEST_METHOD"} {
		t.Setenv(name, "")
	}
	t.Setenv("HTTP_PROXY", "http://plain.example:3128")
	t.Setenv("HTTPS_PROXY", "secure.example")
	t.Setenv("NO_PROXY", "inside.example")
	for raw, want := range map[string]string{
		"ws://a.example":       "http://plain.example:3128",
		"wss://a.example":      "http://secure.example",
		"wss://inside.example": "",
		"ws://127.0.0.1:1":     "",
		"ws://localhost":       "",
	} {
		u, err := url.Parse(raw)
		must(t, err)
		found, err := ProxyFromEnvironment(u)
		must(t, err)
		got := ""
		if found != nil {
			got = found.String()
		}
		equal(t, raw, got, want)
	}
	// Without being asked to, Dial does not look there.
	dial(t, DialConfig{URL: "ws://a.example", DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		equal(t, "dialed", address, "a.example:80")
		return new(net.Dialer).DialContext(ctx, network, listen(t, greet(nil, nil, "")))
	}})
}
