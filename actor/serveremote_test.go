package actor_test

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/tandem-ws/tandem/actor"
)

// What an http.Request says of its peer does not depend on the way in, nor on
// when it was asked for: X-Forwarded-For is judged in Handshake.RemoteAddr.
func TestRequestTellsItsPeerEitherWay(t *testing.T) {
	seen := make(chan string, 2)
	newSession := func(h *actor.Handshake) (actor.Receiver, error) {
		seen <- h.Request().RemoteAddr
		seen <- h.RemoteAddr().String()
		return &receive{f: echo}, nil
	}
	config := actor.ServerConfig{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}
	everyWay(t, newSession, config, func(t *testing.T, _ *harness, dial dialer) {
		peer, _, err := dial(http.Header{"X-Forwarded-For": {"192.0.2.1"}})
		must(t, err)
		if got, want := <-seen, peer.Conn().LocalAddr().String(); got != want {
			t.Errorf("the request is from %s, want %s", got, want)
		}
		if got, want := <-seen, "192.0.2.1:0"; got != want {
			t.Errorf("the client is %s, want %s", got, want)
		}
	})
}
