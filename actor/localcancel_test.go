package actor_test

import (
	"testing"
	"testing/synctest"

	"github.com/tandem-ws/tandem/actor"
)

// deliverFunc is a handler that is told of payloads only.
type deliverFunc func()

func (f deliverFunc) Deliver([]byte) { f() }
func (deliverFunc) Missed()          {}

// A handler may be called once more while its subscription ends, but not for
// all that waits.
func TestLocalBrokerDeliversNothingThatWaitedWhenItsSubscriptionEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broker actor.LocalBroker
		var cancel func()
		calls, release := 0, make(chan struct{})
		cancel, err := broker.Subscribe("s", deliverFunc(func() {
			switch calls++; calls {
			case 1:
				<-release
			case 2: // the first of those that waited together
				cancel()
			}
		}))
		must(t, err)
		for range 10 {
			must(t, broker.Publish("s", nil))
			synctest.Wait()
		}
		close(release)
		synctest.Wait()
		if calls != 2 {
			t.Errorf("%d calls, but the second ended the subscription", calls)
		}
	})
}
