package actor_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
)

const (
	drainedPeers = 2000
	drainSpread  = 2 * time.Second
	// drainWindow is how many messages each peer has on the way, and drainPace
	// the time between them.
	drainWindow = 3
	drainPace   = 100 * time.Millisecond
)

// drainedSession answers every message and counts those that the connection
// has accepted.
type drainedSession struct {
	conn     *actor.Conn
	accepted *atomic.Int64
}

func (s *drainedSession) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
	case *actor.Message:
		if s.conn.Send(m.Take()) == nil {
			s.accepted.Add(1)
		}
	}
}

// drainedPeer talks until it gets a close frame, which it answers.
func drainedPeer(peer *rawpeer.Peer, talking chan<- struct{}) (echoes int64, err error) {
	defer func() { _ = peer.Shut() }()
	said := 0
	say := func() error {
		said++
		return peer.Text(fmt.Sprint(said - 1))
	}
	for range drainWindow {
		if err := say(); err != nil {
			break // reading tells
		}
	}
	talking <- struct{}{}
	pace := time.NewTicker(drainPace)
	defer pace.Stop()
	for {
		event, err := peer.ReadEvent()
		switch {
		case err != nil:
			return echoes, fmt.Errorf("after %d echoes: %w", echoes, err)
		case event.Opcode == rawpeer.OpPing:
			err = peer.Pong(event.Payload)
		case event.Opcode == rawpeer.OpClose:
			if event.Code != 1012 || event.Reason != "new version" {
				return echoes, fmt.Errorf("closed with %d %q", event.Code, event.Reason)
			}
			return echoes, peer.Close(event.Code, "")
		case event.Opcode == rawpeer.OpText:
			if string(event.Payload) != fmt.Sprint(echoes) {
				return echoes, fmt.Errorf("echo %d is %q", echoes, event.Payload)
			}
			echoes++
			<-pace.C
			err = say()
		}
		if err != nil {
			return echoes, err
		}
	}
}

// Two thousand peers under traffic get their close frame with the right code,
// behind the answers to everything that their connection accepted before.
func TestDrainOfTwoThousandLosesNothing(t *testing.T) {
	var accepted [drainedPeers]atomic.Int64
	var opened atomic.Int64
	h := serve(t, func(*actor.Handshake) (actor.Receiver, error) {
		return &drainedSession{accepted: &accepted[opened.Add(1)-1]}, nil // the peers connect one after the other
	}, actor.ServerConfig{
		Drain:      actor.DrainConfig{Spread: drainSpread, Code: 1012, Reason: "new version"},
		ConnConfig: actor.ConnConfig{CloseTimeout: time.Minute}, // a busy machine is not a late peer
	})
	var dialed [drainedPeers]*rawpeer.Peer
	for i := range dialed {
		dialed[i] = h.dial(t)
		dialed[i].Timeout = time.Minute
	}
	var peers sync.WaitGroup
	var echoes [drainedPeers]int64
	talking := make(chan struct{}, drainedPeers)
	for i, peer := range dialed {
		peers.Go(func() {
			var err error
			if echoes[i], err = drainedPeer(peer, talking); err != nil {
				t.Errorf("peer %d: %v", i, err)
			}
		})
	}
	for range drainedPeers {
		<-talking
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	began := time.Now()
	must(t, h.Shutdown(ctx))
	if took := time.Since(began); took < drainSpread-2*50*time.Millisecond { // the last batch begins in the last tick
		t.Errorf("drained in %v", took)
	}
	peers.Wait()
	for i := range echoes {
		if n := accepted[i].Load(); n != echoes[i] {
			t.Errorf("peer %d: %d messages were accepted and %d answered", i, n, echoes[i])
		}
	}
	if report := h.DrainReport(); report != (actor.DrainReport{Acknowledged: drainedPeers}) {
		t.Errorf("report: %+v", report)
	}
	h.observer.mu.Lock()
	defer h.observer.mu.Unlock()
	for _, closed := range h.observer.closed {
		if closed.Cause != actor.CauseDrain || closed.Code != 1012 || closed.Initiator != actor.Local {
			t.Fatalf("closed with %+v", closed)
		}
	}
}
