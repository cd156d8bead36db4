package actor_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
)

// A time limit ends a connection with its code, within a ping interval of its
// time, and names itself.
func TestTimeLimitsEndConnections(t *testing.T) {
	for _, test := range []struct {
		name   string
		config actor.ServerConfig
		// speaks: the peer sends a message every five seconds, until it is due.
		speaks      bool
		stuck       bool
		least, most time.Duration
		code        actor.CloseCode
		field       string
	}{
		{
			name:   "a connection that only answers pings is idle",
			config: actor.ServerConfig{ConnConfig: actor.ConnConfig{IdleTimeout: time.Minute}},
			least:  time.Minute, most: 85 * time.Second, code: 1001, field: "IdleTimeout",
		},
		{
			name:   "messages do not prolong a lifetime",
			config: actor.ServerConfig{ConnConfig: actor.ConnConfig{MaxLifetime: 10 * time.Minute, IdleTimeout: 2 * time.Minute}},
			speaks: true,
			least:  9 * time.Minute, most: 10*time.Minute + time.Second, code: 1001, field: "MaxLifetime",
		},
		{
			name:   "a session that handles nothing while its peer waits is stalled",
			config: actor.ServerConfig{ConnConfig: actor.ConnConfig{SessionStallTimeout: 2 * time.Minute, InboundMessages: 1, IdleTimeout: time.Second * 30}},
			stuck:  true,
			least:  2 * time.Minute, most: 145 * time.Second, code: 1011, field: "SessionStallTimeout",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			gate := newBarrier()
			if !test.stuck {
				gate.open()
			}
			inBubble(t, test.config, gate.session, func(s *actor.Server, peer *actortest.Peer, o *recorder) {
				defer gate.open()
				began := time.Now()
				if test.stuck {
					peer.Mute()
					peer.SendText("stuck")
				}
				for test.speaks && time.Since(began) < test.least-5*time.Second {
					peer.ExpectNothing(5 * time.Second)
					peer.SendText("still here")
				}
				peer.ExpectClose(test.code)
				if waited := time.Since(began); waited < test.least || waited > test.most {
					t.Errorf("closed after %v, want %v to %v", waited, test.least, test.most)
				}
				peer.Disconnect()
				gate.open()
				closed := o.waitClosed(t, 1)
				var limit *actor.LimitError
				if closed[0].Cause != actor.CauseLimit || !errors.As(closed[0].Err, &limit) || limit.Field != test.field {
					t.Errorf("closed with %+v", closed)
				}
			})
		})
	}
}

// Nobody is idle whose messages wait to be handled, whether reading is paused for
// that or not. Silence counts from the last one on.
func TestPeerWaitingForItsSessionIsNotIdle(t *testing.T) {
	for name, messages := range map[string]int{"reading is paused meanwhile": 2, "all of them are delivered": 8} {
		t.Run(name, func(t *testing.T) {
			reply := func(r *receive, c *actor.Context) {
				if m, ok := c.Message().(*actor.Message); ok {
					time.Sleep(50 * time.Second)
					_ = r.conn.Send(m.Take())
				}
			}
			config := actor.ServerConfig{ConnConfig: actor.ConnConfig{IdleTimeout: 30 * time.Second, InboundMessages: messages}}
			inBubble(t, config, reply, func(s *actor.Server, peer *actortest.Peer, o *recorder) {
				began := time.Now()
				for range 8 {
					peer.SendText("work")
				}
				for range 8 {
					peer.ExpectText("work")
				}
				worked := time.Since(began)
				peer.ExpectClose(1001)
				if silent := time.Since(began) - worked; silent < 30*time.Second-100*time.Millisecond || silent > 55*time.Second {
					t.Errorf("closed after %v of silence", silent)
				}
			})
		})
	}
}

// Slow is not stalled: each message that is handled begins the limit anew.
func TestSlowSessionIsNotStalled(t *testing.T) {
	slow := func(_ *receive, c *actor.Context) {
		if _, ok := c.Message().(*actor.Message); ok {
			time.Sleep(50 * time.Second)
		}
	}
	config := actor.ServerConfig{ConnConfig: actor.ConnConfig{SessionStallTimeout: time.Minute, InboundMessages: 4}}
	inBubble(t, config, slow, func(s *actor.Server, peer *actortest.Peer, o *recorder) {
		for range 20 {
			peer.SendText("work")
		}
		peer.ExpectNothing(20*50*time.Second + time.Second)
		if n := s.Len(); n != 1 {
			t.Errorf("%d connections open", n)
		}
	})
}
