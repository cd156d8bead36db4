package actor_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

// What TestTimeLimitsEndConnections shows with a clock of its own holds for
// sockets and their readiness as well, and an honest connection goes on.
func TestTimeLimitsEndSockets(t *testing.T) {
	for _, test := range []struct {
		name   string
		config actor.ConnConfig
		stuck  bool
		least  time.Duration
		code   uint16 // 0: the peer reads nothing
		cause  actor.Cause
		field  string
	}{
		{
			name: "idle", config: actor.ConnConfig{PingInterval: 100 * time.Millisecond, IdleTimeout: time.Second},
			least: time.Second, code: 1001, cause: actor.CauseLimit, field: "IdleTimeout",
		},
		{
			name: "too old", config: actor.ConnConfig{PingInterval: 100 * time.Millisecond, MaxLifetime: time.Second},
			least: 900 * time.Millisecond, code: 1001, cause: actor.CauseLimit, field: "MaxLifetime",
		},
		{
			name: "stalled session", config: actor.ConnConfig{PingInterval: 100 * time.Millisecond, SessionStallTimeout: time.Second, InboundMessages: 1},
			stuck: true,
			least: time.Second, code: 1011, cause: actor.CauseLimit, field: "SessionStallTimeout",
		},
		{
			name: "pings unanswered", config: actor.ConnConfig{PingInterval: 100 * time.Millisecond, CloseTimeout: 500 * time.Millisecond},
			least: 200 * time.Millisecond, cause: actor.CauseHeartbeat,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			gate := newBarrier()
			session := echo
			if test.stuck {
				session = gate.session
			}
			h := serve(t, sessions(session), actor.ServerConfig{ConnConfig: test.config})
			t.Cleanup(gate.open)
			began := time.Now()
			peer := h.dial(t)
			if test.stuck {
				must(t, peer.Text("stuck"))
			}
			if test.code != 0 { // the wait answers pings
				must(t, peer.ExpectClose(test.code))
				if waited := time.Since(began); waited < test.least {
					t.Errorf("closed after %v", waited)
				}
				must(t, peer.Shut())
				gate.open()
			}
			closed := h.observer.waitClosed(t, 1)[0]
			if waited := time.Since(began); waited < test.least {
				t.Errorf("ended after %v", waited)
			}
			var limit *actor.LimitError
			if closed.Cause != test.cause || test.field != "" && (!errors.As(closed.Err, &limit) || limit.Field != test.field) {
				t.Errorf("closed with %+v", closed)
			}
		})
	}
}
