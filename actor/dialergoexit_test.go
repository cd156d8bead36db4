package actor_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// A function of the application that ends the dialer's goroutine, as a test's
// FailNow does, ends the dialer as a panic would, and leaves no stream open.
func TestDialerSurvivesFunctionsThatEndItsGoroutine(t *testing.T) {
	end := func() { runtime.Goexit() }
	for name, test := range map[string]struct {
		config   actor.DialerConfig
		producer func(*actor.Established) (actor.Receiver, error)
		server   func(*rawpeer.Peer)
	}{
		"producer": {server: staying, producer: func(*actor.Established) (actor.Receiver, error) { end(); return nil, nil }},
		"prepare": {server: staying, config: actor.DialerConfig{Prepare: func(_ context.Context, next *actor.NextDial) error {
			next.Dial.URL = "ws://server.example/"
			end()
			return nil
		}}},
		"retry": {server: closing(1001, 0), config: actor.DialerConfig{Retry: func(actor.Attempt) actor.Decision { end(); return actor.Decision{Again: true} }}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m, began := newMeeting(t), time.Now()
				m.start(test.config, test.producer, m.accept(test.server))
				<-m.Done()
				defer m.end()
				if m.servers.Wait(); time.Since(began) > time.Minute {
					t.Error("the stream stayed open")
				}
				var gaveUp *actor.GaveUpError
				if err := m.Err(); !errors.As(err, &gaveUp) || !errors.Is(err, actor.ErrSessionPanic) {
					t.Errorf("%v, want that it gave up over a panic", err)
				}
				m.observer.mu.Lock()
				defer m.observer.mu.Unlock()
				if !slices.Equal(m.observer.panics, []string{"producer"}) {
					t.Errorf("panics: %v", m.observer.panics)
				}
			})
		})
	}
}
