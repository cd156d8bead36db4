package actor_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
)

// inBubble runs a test with fake time over a stream in memory.
func inBubble(t *testing.T, config actor.ServerConfig, session func(*receive, *actor.Context), test func(*actor.Server, *actortest.Peer, *recorder)) {
	synctest.Test(t, func(t *testing.T) {
		observer := newRecorder()
		config.Observer = observer
		server := actortest.NewServer(t, sessions(session), config)
		peer := actortest.Connect(t, server, actortest.Options{})
		peer.Timeout = time.Hour
		test(server, peer, observer)
	})
}

func silent(*receive, *actor.Context) {}

// barrier holds up a session at each message until it is opened. It may be made
// outside of the bubble that it is used in.
type barrier struct {
	mu      sync.Mutex
	changed *sync.Cond
	isOpen  bool
}

func newBarrier() *barrier {
	g := &barrier{}
	g.changed = sync.NewCond(&g.mu)
	return g
}

func (g *barrier) session(_ *receive, c *actor.Context) {
	if _, ok := c.Message().(*actor.Message); !ok {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for !g.isOpen {
		g.changed.Wait()
	}
}

func (g *barrier) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.isOpen = true
	g.changed.Broadcast()
}

func TestFirstPingLeavesWithinASecondAndTheNextAfterTheInterval(t *testing.T) {
	inBubble(t, actor.ServerConfig{ConnConfig: actor.ConnConfig{PingInterval: 20 * time.Second}}, silent, func(s *actor.Server, peer *actortest.Peer, o *recorder) {
		peer.Mute()
		began := time.Now()
		for beat := range 3 {
			payload := peer.ExpectPing()
			waited := time.Since(began)
			began = time.Now()
			if beat == 0 && waited > time.Second {
				t.Errorf("first ping after %v", waited)
			}
			if beat > 0 && (waited < 17*time.Second || waited > 23*time.Second) {
				t.Errorf("ping after %v", waited)
			}
			time.Sleep(70 * time.Millisecond) // the peer's distance, in fake time
			peer.Pong(payload)
			synctest.Wait()
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		if len(o.roundTrips) != 3 {
			t.Fatalf("%d round trips", len(o.roundTrips))
		}
		for _, trip := range o.roundTrips {
			if trip < 70*time.Millisecond || trip > 71*time.Millisecond {
				t.Errorf("round trip %v, want 70ms", trip)
			}
		}
	})
}

func TestSilentPeerIsClosedWith1011(t *testing.T) {
	inBubble(t, actor.ServerConfig{ConnConfig: actor.ConnConfig{PingInterval: 10 * time.Second, PingMisses: 2}}, silent, func(s *actor.Server, peer *actortest.Peer, o *recorder) {
		peer.Mute()
		began := time.Now()
		peer.ExpectClose(1011)
		if waited := time.Since(began); waited < 25*time.Second || waited > 40*time.Second {
			t.Errorf("closed after %v", waited)
		}
		peer.Disconnect()
		if closed := o.waitClosed(t, 1); closed[0].Cause != actor.CauseHeartbeat {
			t.Errorf("closed with %+v", closed)
		}
	})
}

func TestAnyByteIsASignOfLife(t *testing.T) {
	inBubble(t, actor.ServerConfig{ConnConfig: actor.ConnConfig{PingInterval: 10 * time.Second, PingMisses: 1}}, silent, func(s *actor.Server, peer *actortest.Peer, o *recorder) {
		peer.Mute()
		for range 30 {
			peer.ExpectNothing(5 * time.Second) // pings are never answered
			peer.SendText("not a pong")
		}
	})
}

// A stuck session is not the peer's fault.
func TestMissedPongsDoNotCountWhileReadingIsPaused(t *testing.T) {
	stuck := newBarrier()
	config := actor.ServerConfig{ConnConfig: actor.ConnConfig{PingInterval: 10 * time.Second, PingMisses: 1, InboundMessages: 1, SessionStallTimeout: time.Hour}}
	inBubble(t, config, stuck.session, func(s *actor.Server, peer *actortest.Peer, o *recorder) {
		peer.Mute()
		defer stuck.open()
		peer.SendText("busy")
		peer.ExpectNothing(5 * time.Minute)
		if n := s.Len(); n != 1 {
			t.Errorf("%d connections open", n)
		}
	})
}

// A ping that waits behind what a slow peer takes in its own time is not missed.
func TestPingsThatCannotLeaveAreNotMissed(t *testing.T) {
	config := actor.ServerConfig{ConnConfig: actor.ConnConfig{PingInterval: time.Second, PingMisses: 1, WriteTimeout: time.Minute}}
	inBubble(t, config, func(r *receive, c *actor.Context) {
		if _, ok := c.Message().(*actor.Message); ok {
			_ = r.conn.SendBinary(make([]byte, 4*actortest.PipeBuffer))
		}
	}, func(s *actor.Server, peer *actortest.Peer, o *recorder) {
		peer.SendText("send me more than fits")
		peer.StopReading()
		time.Sleep(30 * time.Second)
		if n := s.Len(); n != 1 {
			t.Fatalf("%d connections, %+v", n, o.closed)
		}
		peer.StartReading()
		peer.ExpectBinary(make([]byte, 4*actortest.PipeBuffer))
		peer.Mute()
		peer.ExpectClose(1011)
	})
}
