package actor_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is an observer that keeps what it was told.
type recorder struct {
	actor.NopObserver
	mu           sync.Mutex
	opened       int
	readiness    string // of the last one
	closed       []actor.Closed
	refused      []string
	dialFailures []string
	roundTrips   []time.Duration
	panics       []string
	unsendable   int
	unhandled    int
	dropped      map[split.DropReason]int
	depth        int
	stages       []string // of a shutdown, each with the connections left
	exceeded     []string
	changed      chan struct{}
}

func newRecorder() *recorder {
	return &recorder{changed: make(chan struct{}), dropped: make(map[split.DropReason]int)}
}

func (r *recorder) note(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *recorder) ConnectionOpened(readiness string) {
	r.note(func() { r.opened, r.readiness = r.opened+1, readiness })
}
func (r *recorder) ConnectionClosed(c actor.Closed, _ time.Duration) {
	r.note(func() { r.closed = append(r.closed, c) })
}
func (r *recorder) HandshakeRefused(reason string) {
	r.note(func() { r.refused = append(r.refused, reason) })
}
func (r *recorder) DialFailed(reason string) {
	r.note(func() { r.dialFailures = append(r.dialFailures, reason) })
}
func (r *recorder) PingRoundTrip(d time.Duration) {
	r.note(func() { r.roundTrips = append(r.roundTrips, d) })
}
func (r *recorder) Panicked(part string) { r.note(func() { r.panics = append(r.panics, part) }) }
func (r *recorder) MessageUnhandled()    { r.note(func() { r.unhandled++ }) }
func (r *recorder) MessageRefused()      { r.note(func() { r.unsendable++ }) }
func (r *recorder) Draining(stage actor.DrainStage, left int) {
	r.note(func() { r.stages = append(r.stages, fmt.Sprint(stage, " ", left)) })
}
func (r *recorder) RateExceeded(limit string) {
	r.note(func() { r.exceeded = append(r.exceeded, limit) })
}
func (r *recorder) FramesDropped(reason split.DropReason, n int) {
	r.note(func() { r.dropped[reason] += n })
}
func (r *recorder) MailboxChanged(frames, _ int) { r.note(func() { r.depth += frames }) }

// wait blocks until the condition holds, for at most ten seconds.
func (r *recorder) wait(t *testing.T, what string, condition func(*recorder) bool) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		r.mu.Lock()
		ok, changed := condition(r), r.changed
		r.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (r *recorder) waitClosed(t *testing.T, n int) []actor.Closed {
	t.Helper()
	var closed []actor.Closed
	r.wait(t, "closed connections", func(r *recorder) bool {
		closed = append([]actor.Closed(nil), r.closed...)
		return len(r.closed) >= n
	})
	return closed
}

// receive is a session made of a function; it knows its connection.
type receive struct {
	conn *actor.Conn
	f    func(s *receive, c *actor.Context)
}

func (s *receive) Receive(c *actor.Context) {
	if opened, ok := c.Message().(actor.Opened); ok {
		s.conn = opened.Conn
	}
	s.f(s, c)
}

func echo(s *receive, c *actor.Context) {
	if m, ok := c.Message().(*actor.Message); ok {
		_ = s.conn.Send(m.Take())
	}
}

func sessions(f func(s *receive, c *actor.Context)) actor.NewSession {
	return func(*actor.Handshake) (actor.Receiver, error) { return &receive{f: f}, nil }
}

// harness is a server on loopback whose end proves that nothing is left over.
type harness struct {
	*actor.Server
	engine   *actor.Engine
	observer *recorder
	addr     string
}

func serve(t *testing.T, newSession actor.NewSession, config actor.ServerConfig) *harness {
	t.Helper()
	return serveBy(t, newSession, config, os.Getenv("TANDEM_LISTENER") == "own")
}

// serveOwn is serve without net/http.
func serveOwn(t *testing.T, newSession actor.NewSession, config actor.ServerConfig) *harness {
	t.Helper()
	return serveBy(t, newSession, config, true)
}

func serveBy(t *testing.T, newSession actor.NewSession, config actor.ServerConfig, own bool) *harness {
	t.Helper()
	t.Parallel() // most of a test's time is spent waiting for streams to end
	engine, err := actor.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{engine: engine, observer: newRecorder()}
	config.Observer = h.observer
	if os.Getenv("TANDEM_READINESS") == "parked" {
		config.Readiness = split.NewParked() // the same tests, the other kind
	}
	if h.Server, err = actor.NewServer(engine, newSession, config); err != nil {
		t.Fatal(err)
	}
	stop := h.listen(t, own)
	t.Cleanup(func() {
		defer stop()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if n := h.BuffersInUse(); n != 0 {
			t.Errorf("%d buffers in use after shutdown", n)
		}
		h.observer.mu.Lock()
		defer h.observer.mu.Unlock()
		if h.observer.opened != len(h.observer.closed) {
			t.Errorf("%d connections opened, %d closed", h.observer.opened, len(h.observer.closed))
		}
		if h.observer.depth != 0 {
			t.Errorf("mailbox gauge is %d after shutdown", h.observer.depth)
		}
	})
	return h
}

// listen serves loopback through net/http, or by the server's own means: with
// TANDEM_LISTENER=own the same tests take the other way in.
func (h *harness) listen(t *testing.T, own bool) (stop func()) {
	t.Helper()
	if !own {
		web := httptest.NewServer(h.Server)
		h.addr = strings.TrimPrefix(web.URL, "http://")
		return web.Close
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	h.addr = listener.Addr().String()
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(listener) }()
	return func() {
		if err := <-ended; err != actor.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	}
}

func (h *harness) dial(t *testing.T) *rawpeer.Peer {
	t.Helper()
	peer, response, err := rawpeer.DialClient(h.addr, "/", http.Header{})
	if err != nil {
		t.Fatalf("dial: %v (%+v)", err, response)
	}
	t.Cleanup(func() { _ = peer.Shut() })
	return peer
}

// must fails the test at the first error.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func dialTCP(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
