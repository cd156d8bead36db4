package actor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tandem-ws/tandem/actor"
)

// The reason in a peer's close frame is up to 123 bytes of whatever it likes,
// and no more to be logged than a message; that of this side explains the end.
func TestReasonsOfPeersAreNotLogged(t *testing.T) {
	for _, test := range []struct {
		name   string
		closes func(*actor.Server) bool // whether this side does
		logged string
	}{
		{"the peer closes", func(*actor.Server) bool { return false }, ""},
		{"this side closes", func(s *actor.Server) bool {
			n, err := s.DisconnectAll(nil, 1008, "known here")
			return n == 1 && err == nil
		}, "known here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			core, logs := observer.New(zapcore.DebugLevel)
			ended := make(chan struct{})
			h := serve(t, sessions(func(s *receive, c *actor.Context) {
				if _, ok := c.Message().(actor.Closed); ok {
					close(ended) // which it is told once the event is written
				}
				echo(s, c)
			}), actor.ServerConfig{ConnConfig: actor.ConnConfig{Logger: zap.New(core)}})
			peer := h.dial(t)
			must(t, peer.Text("x"), peer.ExpectText("x"))
			if test.closes(h.Server) {
				must(t, peer.ExpectClose(1008), peer.Close(1008, "said by the peer"))
			} else {
				must(t, peer.Close(4000, "said by the peer"), peer.ExpectClose(4000))
			}
			must(t, peer.Shut())
			select {
			case <-ended:
			case <-time.After(10 * time.Second):
				t.Fatal("the session is not told of the end")
			}
			events := logs.FilterMessage("websocket closed").All()
			if len(events) != 1 || events[0].ContextMap()["reason"] != test.logged {
				t.Errorf("logged %v, want the reason %q", events, test.logged)
			}
			if all := fmt.Sprint(logs.All()); strings.Contains(all, "said by the peer") {
				t.Errorf("logged: %s", all)
			}
		})
	}
}
