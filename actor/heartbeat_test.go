package actor

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// closes keeps how connections ended.
type closes struct {
	NopObserver
	mu     sync.Mutex
	closed []Closed
	trips  []time.Duration
}

func (o *closes) ConnectionClosed(c Closed, _ time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = append(o.closed, c)
}

func (o *closes) PingRoundTrip(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.trips = append(o.trips, d)
}

// inBubble runs a test over an in-memory stream with fake time.
func inBubble(t *testing.T, config ServerConfig, receiver Receiver, test func(*Server, *rawpeer.Peer, *closes)) {
	synctest.Test(t, func(t *testing.T) {
		engine, err := NewEngine()
		if err != nil {
			t.Fatal(err)
		}
		observer := &closes{}
		config.Observer = observer
		server, err := NewServer(engine, func(*Handshake) (Receiver, error) { return receiver, nil }, config)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := net.Pipe()
		peer := rawpeer.New(theirs, rawpeer.Client)
		peer.Timeout = time.Hour
		peer.KeepPings = true
		if err := server.AttachForTest(ours, receiver); err != nil {
			t.Fatal(err)
		}
		test(server, peer, observer)
		_ = theirs.Close()
		if err := server.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if n := server.BuffersInUse(); n != 0 {
			t.Errorf("%d buffers in use", n)
		}
	})
}

func TestFirstPingLeavesWithinASecondAndTheNextAfterTheInterval(t *testing.T) {
	inBubble(t, ServerConfig{ConnConfig: ConnConfig{PingInterval: 20 * time.Second}}, receiverFunc(func(*Context) {}), func(s *Server, peer *rawpeer.Peer, o *closes) {
		began := time.Now()
		for beat := range 3 {
			event, err := peer.ReadEvent()
			if err != nil || event.Opcode != rawpeer.OpPing {
				t.Fatalf("beat %d: %v, %v", beat, event, err)
			}
			waited := time.Since(began)
			began = time.Now()
			if beat == 0 && waited > firstPingWithin {
				t.Errorf("first ping after %v", waited)
			}
			if beat > 0 && (waited < 17*time.Second || waited > 23*time.Second) {
				t.Errorf("ping after %v", waited)
			}
			time.Sleep(70 * time.Millisecond) // the peer's distance, in fake time
			if err := peer.Pong(event.Payload); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.trips) != 3 {
			t.Fatalf("%d round trips", len(o.trips))
		}
		for _, trip := range o.trips {
			if trip < 70*time.Millisecond || trip > 71*time.Millisecond {
				t.Errorf("round trip %v, want 70ms", trip)
			}
		}
	})
}

func TestSilentPeerIsClosedWith1011(t *testing.T) {
	inBubble(t, ServerConfig{ConnConfig: ConnConfig{PingInterval: 10 * time.Second, PingMisses: 2}}, receiverFunc(func(*Context) {}), func(s *Server, peer *rawpeer.Peer, o *closes) {
		began := time.Now()
		for {
			event, err := peer.ReadEvent()
			if err != nil {
				t.Fatal(err)
			}
			if event.Opcode == rawpeer.OpClose {
				if event.Code != 1011 {
					t.Errorf("closed with %d", event.Code)
				}
				break
			}
		}
		if waited := time.Since(began); waited < 25*time.Second || waited > 40*time.Second {
			t.Errorf("closed after %v", waited)
		}
		_ = peer.Shut()
		synctest.Wait()
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.closed) != 1 || o.closed[0].Cause != CauseHeartbeat {
			t.Errorf("closed with %+v", o.closed)
		}
	})
}

func TestAnyByteIsASignOfLife(t *testing.T) {
	inBubble(t, ServerConfig{ConnConfig: ConnConfig{PingInterval: 10 * time.Second, PingMisses: 1}}, receiverFunc(func(*Context) {}), func(s *Server, peer *rawpeer.Peer, o *closes) {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				if event, err := peer.ReadEvent(); err != nil || event.Opcode == rawpeer.OpClose {
					return // pings are read and never answered
				}
			}
		}()
		for range 30 {
			time.Sleep(5 * time.Second)
			if err := peer.Text("not a pong"); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case <-ended:
			t.Error("a peer that speaks was closed")
		default:
		}
		_ = peer.Shut()
		<-ended
	})
}

// A stuck session is not the peer's fault.
func TestMissedPongsDoNotCountWhileReadingIsPaused(t *testing.T) {
	var release chan struct{}
	session := receiverFunc(func(c *Context) {
		switch c.Message().(type) {
		case Opened:
			release = make(chan struct{}) // made in the bubble
		case *Message:
			<-release
		}
	})
	config := ServerConfig{ConnConfig: ConnConfig{PingInterval: 10 * time.Second, PingMisses: 1, InboundMessages: 1, SessionStallTimeout: time.Hour}}
	inBubble(t, config, session, func(s *Server, peer *rawpeer.Peer, o *closes) {
		if err := peer.Text("busy"); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for {
				if event, err := peer.ReadEvent(); err != nil || event.Opcode == rawpeer.OpClose {
					return // pings are read and never answered
				}
			}
		}()
		time.Sleep(5 * time.Minute)
		if n := s.Len(); n != 1 {
			t.Errorf("%d connections open", n)
		}
		synctest.Wait() // orders the session's making of the channel before this
		close(release)
		_ = peer.Shut()
		<-ended
	})
}
