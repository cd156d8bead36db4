package actor_test

import (
	"context"
	"testing"

	"github.com/tandem-ws/tandem/actor"
)

// A dialer without header fields of its own lets Prepare set some in place.
func TestDialerPreparesHeaderFieldsWhereNoneAre(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeeting(t)
		m.start(actor.DialerConfig{Prepare: func(_ context.Context, next *actor.NextDial) error {
			next.Dial.URL = "ws://server.example/"
			next.Dial.Header.Set("Authorization", "Bearer token")
			next.Dial.ProxyHeader.Set("Proxy-Authorization", "token")
			return nil
		}}, nil, m.accept(closing(1000, 0)))
		<-m.Done()
		defer m.end()
		must(t, m.Err())
		if got := m.requests[0].Header.Get("Authorization"); got != "Bearer token" {
			t.Errorf("Authorization: %q", got)
		}
	})
}
