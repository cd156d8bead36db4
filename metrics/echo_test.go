package metrics_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/metrics"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// What observing costs an echo: the calls that echoes make are recorded and
// then repeated in memory.

const (
	echoSize  = 128
	echoConns = 8
	// askingClient makes the test program a client of the address in it.
	askingClient = "TANDEM_ECHO_CLIENT"
	echoesAsked  = 2000 // by each connection of such a client
)

// recording notes the calls that are made for frames and messages.
type recording struct {
	actor.NopObserver
	mu    sync.Mutex
	calls []func(*metrics.Collector)
}

func (r *recording) note(call func(*metrics.Collector)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
}

func (r *recording) FrameRead(opcode wscore.Opcode, n int) {
	r.note(func(c *metrics.Collector) { c.FrameRead(opcode, n) })
}
func (r *recording) FrameWritten(opcode wscore.Opcode, n int) {
	r.note(func(c *metrics.Collector) { c.FrameWritten(opcode, n) })
}
func (r *recording) MessageRead(n, compressed int) {
	r.note(func(c *metrics.Collector) { c.MessageRead(n, compressed) })
}
func (r *recording) MessageWritten(n, compressed int) {
	r.note(func(c *metrics.Collector) { c.MessageWritten(n, compressed) })
}
func (r *recording) BatchWritten(frames int) {
	r.note(func(c *metrics.Collector) { c.BatchWritten(frames) })
}

// A timed message looks at the clock twice.
func (r *recording) MailboxWaited(wait time.Duration) {
	r.note(func(c *metrics.Collector) { began := time.Now(); c.MailboxWaited(wait + time.Since(began)) })
}
func (r *recording) SessionHandled(took time.Duration) {
	r.note(func(c *metrics.Collector) { began := time.Now(); c.SessionHandled(took + time.Since(began)) })
}
func (r *recording) MailboxChanged(frames, bytes int) {
	r.note(func(c *metrics.Collector) { c.MailboxChanged(frames, bytes) })
}
func (r *recording) BufferAcquired(class int) {
	r.note(func(c *metrics.Collector) { c.BufferAcquired(class) })
}
func (r *recording) BufferReleased(class int) {
	r.note(func(c *metrics.Collector) { c.BufferReleased(class) })
}

var _ split.Observer = (*recording)(nil)

// echoServer serves echoes on a loopback address.
func echoServer(t testing.TB, observer actor.Observer) (addr string) {
	t.Helper()
	engine, err := actor.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return &echo{}, nil }
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{ConnConfig: actor.ConnConfig{Observer: observer, PingInterval: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
		listener.Close()
	})
	return strings.TrimPrefix(listener.URL, "http://")
}

// askEchoes asks for echoes, so many at once on each connection, and returns
// the exit code.
func askEchoes(addr string) int {
	inFlight := 1
	addr, pipelined := strings.CutSuffix(addr, "/16")
	if pipelined {
		inFlight = 16
	}
	var group sync.WaitGroup
	failed := make(chan error, echoConns)
	for range echoConns {
		group.Go(func() { failed <- askOn(addr, inFlight) })
	}
	group.Wait()
	for range echoConns {
		if err := <-failed; err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

func askOn(addr string, inFlight int) error {
	peer, _, err := rawpeer.DialClient(addr, "/", nil)
	if err != nil {
		return err
	}
	defer func() { _ = peer.Shut() }()
	if _, err := peer.ReadEvent(); err != nil { // its only ping
		return err
	}
	frame := rawpeer.AppendFrame(nil, rawpeer.Frame{Fin: true, Opcode: rawpeer.OpBinary, Masked: true, Key: [4]byte{1, 2, 3, 4}, Payload: make([]byte, echoSize)})
	frames, answers := bytes.Repeat(frame, inFlight), make([]byte, inFlight*(4+echoSize))
	for range echoesAsked / inFlight {
		if _, err := peer.Conn().Write(frames); err != nil {
			return err
		}
		if _, err := io.ReadFull(peer.Conn(), answers); err != nil {
			return err
		}
	}
	return nil
}

// runClient runs a client in a process of its own, whose processor time is not
// the server's.
func runClient(t testing.TB, addr string) {
	t.Helper()
	client := exec.CommandContext(t.Context(), os.Args[0])
	client.Env = append(os.Environ(), askingClient+"="+addr)
	if out, err := client.CombinedOutput(); err != nil {
		t.Fatalf("the client: %v: %s", err, out)
	}
}

// observing returns what the collector's part in an echo takes in nanoseconds:
// the least of several runs.
func observing(t testing.TB, suffix string) float64 {
	t.Helper()
	r := &recording{}
	runClient(t, echoServer(t, r)+suffix)
	r.mu.Lock()
	defer r.mu.Unlock()
	c, _ := newCollector(t)
	best := time.Duration(0)
	for range 5 {
		began := time.Now()
		for _, call := range r.calls {
			call(c)
		}
		if took := time.Since(began); best == 0 || took < best {
			best = took
		}
	}
	return float64(best) / (echoConns * echoesAsked)
}
