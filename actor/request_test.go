package actor_test

import (
	"net/http"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/tandem-ws/tandem/actor"
)

// An open connection keeps nothing of its request: with net/http that would keep
// its connection and buffers too.
func TestOpenConnectionKeepsNoRequest(t *testing.T) {
	for name, start := range map[string]func(*testing.T, actor.NewSession, actor.ServerConfig) *harness{"net/http": serve, "own listener": serveOwn} {
		t.Run(name, func(t *testing.T) {
			requests := make(chan weak.Pointer[http.Request], 1)
			h := start(t, func(h *actor.Handshake) (actor.Receiver, error) {
				requests <- weak.Make(h.Request())
				return &receive{f: echo}, nil
			}, actor.ServerConfig{})
			peer := h.dial(t)
			must(t, peer.Text("still open"), peer.ExpectText("still open"))
			request := <-requests
			for limit := time.Now().Add(10 * time.Second); request.Value() != nil; runtime.GC() {
				if time.Now().After(limit) {
					t.Fatal("the request is still there")
				}
			}
			must(t, peer.Text("and now"), peer.ExpectText("and now"))
		})
	}
}
