package actor_test

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
)

// counting is a readiness that counts the gathered writes of its transports.
type counting struct {
	split.Readiness
	writes atomic.Int64
}

func (r *counting) Attach(conn net.Conn, early []byte, handler split.Handler) (split.Transport, error) {
	t, err := r.Readiness.Attach(conn, early, handler)
	return countedTransport{t, &r.writes}, err
}

type countedTransport struct {
	split.Transport
	writes *atomic.Int64
}

func (t countedTransport) Write(b *net.Buffers, timeout time.Duration) (int64, error) {
	t.writes.Add(1)
	return t.Transport.Write(b, timeout)
}

func (t countedTransport) TryWrite(b *net.Buffers) (int64, error) {
	t.writes.Add(1)
	return t.Transport.TryWrite(b)
}

func expectTexts(t *testing.T, peer *rawpeer.Peer, texts ...string) {
	t.Helper()
	for _, text := range texts {
		must(t, peer.ExpectText(text))
	}
}

// What a session sends before it does something long leaves while it is at it.
func TestSentBeforeALongReceiveLeavesDuringIt(t *testing.T) {
	release := make(chan struct{})
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if _, ok := c.Message().(*actor.Message); ok {
			must(t, s.conn.SendText("working"))
			<-release
			must(t, s.conn.SendText("done"))
		}
	}), actor.ServerConfig{})
	peer := h.dial(t)
	must(t, peer.Text("go"))
	expectTexts(t, peer, "working")
	close(release)
	expectTexts(t, peer, "done")
}

// The same for what it publishes to others.
func TestPublishedBeforeALongReceiveLeavesDuringIt(t *testing.T) {
	var topic actor.Topic
	release := make(chan struct{})
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		switch c.Message().(type) {
		case actor.Opened:
			must(t, s.conn.Subscribe(&topic))
		case *actor.Message:
			if n := s.conn.Publish(&topic, s.conn.Text("news")); n != 2 {
				t.Errorf("%d took the message", n)
			}
			<-release
		}
	}), actor.ServerConfig{})
	speaker, listener := h.dial(t), h.dial(t)
	waitLen(t, &topic, 2)
	must(t, speaker.Text("go"))
	expectTexts(t, listener, "news")
	expectTexts(t, speaker, "news")
	close(release)
}

// What a session sends while it handles one message leaves in one write.
func TestWhatASessionSendsAtOnceLeavesInOneWrite(t *testing.T) {
	readiness := &counting{Readiness: split.NewReadiness()}
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if _, ok := c.Message().(*actor.Message); ok {
			for i := range 20 {
				must(t, s.conn.SendText(fmt.Sprint(i)))
			}
		}
	}), actor.ServerConfig{ConnConfig: actor.ConnConfig{Readiness: readiness, PingInterval: time.Hour}})
	peer := h.dial(t)
	event, err := peer.ReadEvent() // the only ping
	must(t, err, peer.Pong(event.Payload))
	before := readiness.writes.Load()
	must(t, peer.Text("go"))
	for i := range 20 {
		expectTexts(t, peer, fmt.Sprint(i))
	}
	// A machine that stalls for two looks of the watch may cost a second one.
	if n := readiness.writes.Load() - before; n > 2 {
		t.Errorf("%d writes for 20 messages", n)
	}
}

// Sessions run where their connections are read; one that does not return
// still holds up nobody, not even the pongs of its own connection.
func TestStuckSessionHoldsUpNobody(t *testing.T) {
	release := make(chan struct{})
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if m, ok := c.Message().(*actor.Message); ok {
			if m.Text() == "stuck" {
				<-release
			}
			echo(s, c)
		}
	}), actor.ServerConfig{ConnConfig: actor.ConnConfig{Readiness: oneLoop()}})
	stuck, other := h.dial(t), h.dial(t)
	must(t, stuck.Text("stuck"), stuck.Text("after it"))
	must(t, other.Text("hello"), other.ExpectText("hello"))
	must(t, stuck.Ping([]byte("there?")))
	for {
		event, err := stuck.ReadEvent()
		must(t, err)
		if event.Opcode == rawpeer.OpPong {
			break
		}
	}
	must(t, other.Text("again"), other.ExpectText("again"))
	close(release)
	expectTexts(t, stuck, "stuck", "after it")
}
