package actor_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// hearing is a client's session that hands on what it receives.
func hearing(heard chan<- string) func(*actor.Established) (actor.Receiver, error) {
	return func(*actor.Established) (actor.Receiver, error) {
		return &receive{f: func(s *receive, c *actor.Context) { heard <- kindOf(c.Message()) }}, nil
	}
}

// keep starts a dialer that ends with the test and leaves nothing.
func keep(t *testing.T, producer actor.NewDialedSession, config actor.DialerConfig) (*actor.Dialer, *recorder) {
	t.Helper()
	engine, err := actor.NewEngine()
	must(t, err)
	observer := newRecorder()
	config.Observer = observer
	dialer, err := actor.NewDialer(engine, producer, config)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		must(t, dialer.Shutdown(ctx))
		if n := dialer.BuffersInUse(); n != 0 {
			t.Errorf("%d buffers in use", n)
		}
	})
	return dialer, observer
}

func expectHeard(t *testing.T, heard <-chan string, want ...string) {
	t.Helper()
	for _, want := range want {
		select {
		case got := <-heard:
			if got != want {
				t.Fatalf("received %q, want %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("waited in vain for %q", want)
		}
	}
}

// A plain stream goes to the poller where there is one, also through a dialer.
func TestDialerUsesTheCheapestReadiness(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{})
	heard := make(chan string, 10)
	dialer, observer := keep(t, hearing(heard), actor.DialerConfig{Dial: split.DialConfig{URL: "ws://" + h.addr}})
	expectHeard(t, heard, "initialized", "started", "opened")
	must(t, dialer.Conn().SendText("over and back"))
	expectHeard(t, heard, "message over and back")
	want := "parked"
	if runtime.GOOS == "linux" {
		want = "epoll"
	}
	if observer.readiness != want {
		t.Errorf("readiness is %q", observer.readiness)
	}
	observer.wait(t, "a round trip", func(r *recorder) bool { return len(r.roundTrips) > 0 })
}

// A topic reaches the clients of several dialers, whose frames are masked each
// for itself.
func TestDialersSubscribeToTopics(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{Deflate: &wscore.DeflateConfig{Threshold: 1}}})
	var topic actor.Topic
	heard := make(chan string, 100)
	var dialers []*actor.Dialer
	for range 3 {
		d, _ := keep(t, func(*actor.Established) (actor.Receiver, error) {
			return &receive{f: func(s *receive, c *actor.Context) {
				switch m := c.Message().(type) {
				case actor.Opened:
					must(t, m.Conn.Subscribe(&topic))
					heard <- "opened"
				case *actor.Message:
					heard <- m.Text()
				}
			}}, nil
		}, actor.DialerConfig{Dial: split.DialConfig{URL: "ws://" + h.addr}, ConnConfig: actor.ConnConfig{Deflate: &wscore.DeflateConfig{Threshold: 1}}})
		dialers = append(dialers, d)
	}
	expectHeard(t, heard, "opened", "opened", "opened")
	text := strings.Repeat("to everybody ", 100)
	topic.Publish(dialers[0].Conn().Text(text)) // comes back from the echo
	expectHeard(t, heard, text, text, text)
}

func TestDialerOverTLSKnowsWhatWasAgreed(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	server, err := actor.NewServer(engine, func(h *actor.Handshake) (actor.Receiver, error) {
		h.SelectSubprotocol("chat")
		h.AddHeader("X-Node", h.Request().Header.Get("Authorization"))
		return &receive{f: echo}, nil
	}, actor.ServerConfig{})
	must(t, err)
	web := httptest.NewTLSServer(server)
	defer web.Close()
	defer func() { must(t, server.Shutdown(context.Background())) }()
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	told := make(chan string, 10)
	keep(t, func(e *actor.Established) (actor.Receiver, error) {
		told <- e.Subprotocol()
		told <- e.Header().Get("X-Node")
		told <- tls.VersionName(e.TLS().Version)
		if e.Attempt() != 1 {
			t.Errorf("attempt %d", e.Attempt())
		}
		return &receive{f: func(s *receive, c *actor.Context) {
			switch m := c.Message().(type) {
			case actor.Opened:
				told <- m.Conn.Subprotocol()
				must(t, m.Conn.SendText("secret"))
			case *actor.Message:
				told <- m.Text()
			}
		}}, nil
	}, actor.DialerConfig{Dial: split.DialConfig{
		URL: "wss" + strings.TrimPrefix(web.URL, "https"), TLS: &tls.Config{RootCAs: pool}, Subprotocols: []string{"news", "chat"},
		Header: http.Header{"Authorization": {"Bearer token"}},
	}})
	expectHeard(t, told, "chat", "Bearer token", "TLS 1.3", "chat", "secret")
}

// A server that drains sends its clients away, and they come back to the next.
func TestDialerSurvivesARollout(t *testing.T) {
	old := serve(t, sessions(echo), actor.ServerConfig{})
	next := serveBeside(t, sessions(echo))
	heard := make(chan string, 20)
	dialer, _ := keep(t, hearing(heard), actor.DialerConfig{
		Dial: split.DialConfig{URL: "ws://" + old.addr},
		Prepare: func(_ context.Context, n *actor.NextDial) error {
			if n.Last != nil {
				n.Dial.URL = "ws://" + next
			}
			return nil
		},
	})
	expectHeard(t, heard, "initialized", "started", "opened")
	must(t, old.Shutdown(context.Background()))
	expectHeard(t, heard, "closed", "stopped", "initialized", "started", "opened")
	must(t, dialer.Conn().SendText("again"))
	expectHeard(t, heard, "message again")
}

// serveBeside is another server on loopback.
func serveBeside(t *testing.T, newSession actor.NewSession) (addr string) {
	t.Helper()
	engine, err := actor.NewEngine()
	must(t, err)
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{})
	must(t, err)
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		must(t, server.Shutdown(context.Background()))
		web.Close()
	})
	return strings.TrimPrefix(web.URL, "http://")
}
