package actor_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
)

// entrances are the ways into a server.
var entrances = []string{"http", "own", "own parked", "own TLS"}

type dialer func(http.Header) (*rawpeer.Peer, *rawpeer.Response, error)

// everyWay runs a test for each way. The peers that dial makes send the fields
// given.
func everyWay(t *testing.T, newSession actor.NewSession, config actor.ServerConfig, run func(t *testing.T, h *harness, dial dialer)) {
	t.Helper()
	files := writeCertificate(t, t.TempDir(), "first")
	pair, err := actor.NewCertificate(files[0], files[1], nil)
	must(t, err)
	certificate := pair.Config()
	for _, way := range entrances {
		t.Run(way, func(t *testing.T) {
			config := config
			engine, err := actor.NewEngine()
			must(t, err)
			h := &harness{engine: engine, observer: newRecorder()}
			config.Observer = h.observer
			if way == "own parked" {
				config.Readiness = split.Parked{}
			}
			h.Server, err = actor.NewServer(engine, newSession, config)
			must(t, err)
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			h.addr = listener.Addr().String()
			ended := make(chan error, 1)
			web := &http.Server{Handler: h.Server, ReadHeaderTimeout: time.Second}
			go func() {
				switch way {
				case "http":
					ended <- web.Serve(listener)
				case "own TLS":
					ended <- h.ServeTLS(listener, certificate)
				default:
					ended <- h.Serve(listener)
				}
			}()
			t.Cleanup(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				must(t, h.Shutdown(ctx), web.Close())
				if err := <-ended; err != http.ErrServerClosed && err != actor.ErrServerClosed {
					t.Errorf("Serve returned %v", err)
				}
				if n := h.BuffersInUse(); n != 0 || h.Len() != 0 {
					t.Errorf("%d buffers in use, %d connections", n, h.Len())
				}
			})
			run(t, h, func(fields http.Header) (*rawpeer.Peer, *rawpeer.Response, error) {
				conn, err := net.Dial("tcp", h.addr)
				must(t, err)
				t.Cleanup(func() { _ = conn.Close() })
				if way == "own TLS" {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // #nosec: its own certificate
				}
				return rawpeer.OpenClient(conn, h.addr, "/chat/a%20b?x=1", fields)
			})
		})
	}
}

// writeCertificate writes a certificate of that name and its key.
func writeCertificate(t *testing.T, dir, name string) (files [2]string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	for i, block := range []*pem.Block{{Type: "CERTIFICATE", Bytes: certificate}, {Type: "PRIVATE KEY", Bytes: encoded}} {
		files[i] = filepath.Join(dir, []string{"tls.crt", "tls.key"}[i])
		must(t, os.WriteFile(files[i], pem.EncodeToMemory(block), 0o600))
	}
	return files
}

func TestHandshakeIsTheSameEitherWay(t *testing.T) {
	var secured atomic.Bool
	seen := make(chan error, 1)
	newSession := func(h *actor.Handshake) (actor.Receiver, error) {
		var wrong []error
		for what, pair := range map[string][2]string{
			"path":         {h.Path(), "/chat/a%20b"},
			"query":        {h.Query(), "x=1"},
			"field":        {h.Header("x-field"), "value"},
			"host":         {h.Header("host"), h.Request().Host},
			"absent field": {h.Header("X-Absent"), ""},
			"URL":          {h.Request().URL.String(), "/chat/a%20b?x=1"},
			"subprotocol":  {h.SelectSubprotocol("new", "old"), "old"},
			"address":      {h.RemoteAddr().String(), h.Request().RemoteAddr},
		} {
			if pair[0] != pair[1] {
				wrong = append(wrong, fmt.Errorf("%s is %q, want %q", what, pair[0], pair[1]))
			}
		}
		if has := h.Request().TLS != nil; has != secured.Load() {
			wrong = append(wrong, fmt.Errorf("TLS: %v", has))
		}
		h.AddHeader("X-Mine", "1")
		seen <- errors.Join(wrong...)
		return &receive{f: echo}, nil
	}
	everyWay(t, newSession, actor.ServerConfig{}, func(t *testing.T, h *harness, dial dialer) {
		secured.Store(strings.HasSuffix(t.Name(), "TLS"))
		peer, response, err := dial(http.Header{"X-Field": {"value"}, "Sec-WebSocket-Protocol": {"older, old"}})
		must(t, err, <-seen)
		if response.Header.Get("Sec-WebSocket-Protocol") != "old" || response.Header.Get("X-Mine") != "1" {
			t.Errorf("answered %v", response.Header)
		}
		must(t, peer.Text("x"), peer.ExpectText("x"), peer.Close(1000, ""), peer.ExpectClose(1000))
	})
}

func TestRefusalsAreTheSameEitherWay(t *testing.T) {
	newSession := func(h *actor.Handshake) (actor.Receiver, error) {
		switch h.Header("X-Do") {
		case "reject":
			return nil, actor.Reject(401, "who is there?")
		case "fail":
			return nil, errors.New("secret")
		case "panic":
			panic("wrong")
		case "nothing":
			return nil, nil
		}
		return &receive{f: echo}, nil
	}
	everyWay(t, newSession, actor.ServerConfig{AllowOrigins: []string{"friend.example"}}, func(t *testing.T, h *harness, dial dialer) {
		for i, test := range []struct {
			fields http.Header
			status int
			reason string
		}{
			{http.Header{"Origin": {"https://evil.example"}}, 403, "origin"},
			{http.Header{"Upgrade": nil}, 426, "upgrade"},
			{http.Header{"X-Do": {"reject"}}, 401, "rejected"},
			{http.Header{"X-Do": {"fail"}}, 403, "rejected"},
			{http.Header{"X-Do": {"panic"}}, 500, "panic"},
			{http.Header{"X-Do": {"nothing"}}, 403, "rejected"},
		} {
			_, response, err := dial(test.fields)
			if err == nil || response == nil || response.Status != test.status || bytes.Contains(response.Body, []byte("secret")) {
				t.Errorf("%v: %v, %+v", test.fields, err, response)
			}
			var got string
			h.observer.wait(t, "the refusal", func(r *recorder) bool {
				if len(r.refused) == i+1 {
					got = r.refused[i]
				}
				return got != ""
			})
			if got != test.reason {
				t.Errorf("%v was reported as %q", test.fields, got)
			}
		}
		peer, _, err := dial(http.Header{"Origin": {"https://friend.example"}})
		must(t, err, peer.Text("x"), peer.ExpectText("x"))
		peer, _, err = dial(http.Header{"Origin": {"https://" + h.addr}})
		must(t, err, peer.Text("x"), peer.ExpectText("x"))
	})
}

func TestOwnOriginCheckIsAskedEitherWay(t *testing.T) {
	config := actor.ServerConfig{CheckOrigin: func(r *http.Request) bool { return r.Header.Get("X-Pass") == "yes" }}
	everyWay(t, sessions(echo), config, func(t *testing.T, _ *harness, dial dialer) {
		_, response, err := dial(nil)
		if err == nil || response == nil || response.Status != 403 {
			t.Errorf("%v, %+v", err, response)
		}
		_, _, err = dial(http.Header{"X-Pass": {"yes"}})
		must(t, err)
	})
}

func TestEachAddressMayHaveSoManyConnections(t *testing.T) {
	config := actor.ServerConfig{MaxConnectionsPerAddress: 2, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	everyWay(t, sessions(echo), config, func(t *testing.T, h *harness, dial dialer) {
		from := func(address string) http.Header { return http.Header{"X-Forwarded-For": {address}} }
		var first *rawpeer.Peer
		for _, address := range []string{"2001:db8::1", "2001:db8::ffff:2", "2001:db8:0:1::1", "192.0.2.1", "192.0.2.2"} {
			peer, _, err := dial(from(address))
			must(t, err)
			if first == nil {
				first = peer
			}
		}
		_, response, err := dial(from("2001:db8::3"))
		if err == nil || response == nil || response.Status != http.StatusTooManyRequests {
			t.Errorf("the third of a network: %v, %+v", err, response)
		}
		must(t, first.Close(1000, ""), first.ExpectClose(1000), first.Shut())
		h.observer.waitClosed(t, 1)
		for deadline := time.Now().Add(10 * time.Second); ; { // its place is free once its last part has ended
			_, _, err := dial(from("2001:db8::3"))
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal(err)
			}
		}
	})
}

func TestConnectionKnowsTheClientBehindItsProxies(t *testing.T) {
	opened := make(chan string, 2)
	newSession := func(h *actor.Handshake) (actor.Receiver, error) {
		opened <- h.RemoteAddr().String()
		return &receive{f: func(s *receive, c *actor.Context) {
			if m, ok := c.Message().(actor.Opened); ok {
				opened <- m.Conn.RemoteAddr().String()
			}
		}}, nil
	}
	config := actor.ServerConfig{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}}
	everyWay(t, newSession, config, func(t *testing.T, _ *harness, dial dialer) {
		for _, test := range []struct {
			fields []string
			want   string // "" for the peer's
		}{
			{nil, ""},
			{[]string{"192.0.2.1"}, "192.0.2.1:0"},
			{[]string{"192.0.2.1:1234"}, "192.0.2.1:1234"},
			{[]string{"198.51.100.9, 192.0.2.1, 10.1.2.3"}, "192.0.2.1:0"},
			{[]string{"198.51.100.9", "192.0.2.1", "10.1.2.3,10.0.0.1"}, "192.0.2.1:0"},
			{[]string{"10.1.2.3, 10.0.0.1"}, "10.1.2.3:0"},
			{[]string{"192.0.2.1, garbage"}, ""},
			{[]string{"garbage, 10.0.0.1"}, "10.0.0.1:0"},
			{[]string{"192.0.2.1,"}, ""},
			{[]string{"[2001:db8::1]:80"}, "[2001:db8::1]:80"},
			{[]string{"[2001:db8::1]"}, "[2001:db8::1]:0"},
			{[]string{"2001:db8::1"}, "[2001:db8::1]:0"},
			{[]string{"::ffff:192.0.2.1"}, "192.0.2.1:0"},
		} {
			peer, _, err := dial(http.Header{"X-Forwarded-For": test.fields})
			must(t, err)
			want := test.want
			if want == "" {
				want = peer.Conn().LocalAddr().String()
			}
			if handshake, conn := <-opened, <-opened; handshake != want || conn != want {
				t.Errorf("%q: the handshake is from %s, the connection from %s, want %s", test.fields, handshake, conn, want)
			}
		}
	})
}

func TestNobodyIsBelievedByDefault(t *testing.T) {
	remote := make(chan string, 1)
	newSession := func(h *actor.Handshake) (actor.Receiver, error) {
		remote <- h.RemoteAddr().String()
		return &receive{f: echo}, nil
	}
	everyWay(t, newSession, actor.ServerConfig{}, func(t *testing.T, _ *harness, dial dialer) {
		peer, _, err := dial(http.Header{"X-Forwarded-For": {"192.0.2.1"}})
		must(t, err)
		if got, want := <-remote, peer.Conn().LocalAddr().String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

func TestProxyHeaderReachesTheConnection(t *testing.T) {
	opened := make(chan string, 1)
	newSession := func(*actor.Handshake) (actor.Receiver, error) {
		return &receive{f: func(s *receive, c *actor.Context) {
			if m, ok := c.Message().(actor.Opened); ok {
				opened <- m.Conn.RemoteAddr().String()
			}
		}}, nil
	}
	config := actor.ServerConfig{ProxyProtocol: split.ProxyRequired, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	everyWay(t, newSession, config, func(t *testing.T, h *harness, dial dialer) {
		if strings.HasSuffix(t.Name(), "/http") || strings.HasSuffix(t.Name(), "TLS") {
			return // not read there, and before TLS; package split tests the latter
		}
		conn := dialTCP(t, h.addr)
		_, err := io.WriteString(conn, "PROXY TCP4 192.0.2.1 198.51.100.1 1234 80\r\n")
		must(t, err)
		_, _, err = rawpeer.OpenClient(conn, h.addr, "/", nil)
		must(t, err)
		if got := <-opened; got != "192.0.2.1:1234" {
			t.Errorf("the connection is from %s", got)
		}
		_, err = io.WriteString(dialTCP(t, h.addr), "GET / HTTP/1.1\r\n\r\n")
		must(t, err)
		h.observer.wait(t, "the refusal", func(r *recorder) bool { return len(r.refused) == 1 && r.refused[0] == "proxy_missing" })
	})
}

// A handshake that is being decided on when the shutdown begins is answered.
func TestShutdownWaitsForHandshakes(t *testing.T) {
	deciding, goOn := make(chan struct{}), make(chan struct{})
	newSession := func(*actor.Handshake) (actor.Receiver, error) {
		deciding <- struct{}{}
		<-goOn
		return &receive{f: echo}, nil
	}
	h := serveOwn(t, newSession, actor.ServerConfig{})
	dialed := make(chan error, 1)
	go func() {
		peer, _, err := rawpeer.DialClient(h.addr, "/", nil)
		if err == nil {
			err = errors.Join(peer.ExpectClose(1001), peer.Close(1001, ""), peer.ExpectEOF(), peer.Shut())
		}
		dialed <- err
	}()
	<-deciding
	ended := make(chan error, 1)
	go func() { ended <- h.Shutdown(context.Background()) }()
	for h.Ready() == nil {
		runtime.Gosched()
	}
	close(goOn)
	must(t, <-dialed, <-ended)
}

func TestServersShareAnEngine(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	const count = 20
	pids := make(chan string, 2*count)
	var servers []*actor.Server
	var peers []*rawpeer.Peer
	for range 2 {
		server, err := actor.NewServer(engine, sessions(func(s *receive, c *actor.Context) {
			if m, ok := c.Message().(actor.Opened); ok {
				pids <- m.Conn.SessionPID().ID
				pids <- m.Conn.PID().ID
			}
			echo(s, c)
		}), actor.ServerConfig{})
		must(t, err)
		servers = append(servers, server)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		ended := make(chan error, 1)
		go func() { ended <- server.Serve(listener) }()
		defer func() { <-ended }()
		for range count / 2 {
			peer, _, err := rawpeer.DialClient(listener.Addr().String(), "/", nil)
			must(t, err)
			defer func() { _ = peer.Shut() }()
			peers = append(peers, peer)
		}
	}
	seen := make(map[string]bool)
	for range 2 * count {
		id := <-pids
		if seen[id] {
			t.Errorf("%s is two addresses", id)
		}
		seen[id] = true
	}
	must(t, servers[0].Shutdown(context.Background()))
	for i, peer := range peers {
		if i >= count/2 { // those of the other server
			must(t, peer.Text("x"), peer.ExpectText("x"), peer.Shut())
		}
	}
	must(t, servers[1].Shutdown(context.Background()))
}

func TestServerSettingsOfTheListenerAreChecked(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	for field, config := range map[string]actor.ServerConfig{
		"MaxHandshakes":            {MaxHandshakes: -1},
		"MaxConnectionsPerAddress": {MaxConnectionsPerAddress: -1},
		"TrustedProxies[1]":        {TrustedProxies: []netip.Prefix{netip.MustParsePrefix("::/0"), {}}},
		"TrustedProxies":           {ProxyProtocol: split.ProxyRequired},
		"TrustedProxies[0]":        {TrustedProxies: []netip.Prefix{netip.MustParsePrefix("::ffff:0.0.0.0/95")}},
		"ProxyProtocol":            {ProxyProtocol: 7},
	} {
		_, err := actor.NewServer(engine, sessions(echo), config)
		var wrong *actor.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	server, err := actor.NewServer(engine, sessions(echo), actor.ServerConfig{})
	must(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var wrong *actor.ConfigError
	if err := server.ServeTLS(listener, &tls.Config{}); !errors.As(err, &wrong) {
		t.Errorf("TLS without a certificate: %v", err)
	}
}
