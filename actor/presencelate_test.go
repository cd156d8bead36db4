package actor_test

import (
	"maps"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

// slowBroker takes its time to subscribe, as one does whose servers are far
// away or not there for a moment.
type slowBroker struct{ actor.Broker }

func (b slowBroker) Subscribe(subject string, h actor.BrokerHandler) (func(), error) {
	cancel, err := b.Broker.Subscribe(subject, h)
	time.Sleep(time.Second)
	return cancel, err
}

// The first look waits for the others from when they can be heard.
func TestPresenceWaitsForOthersAlsoBehindASlowBroker(t *testing.T) {
	inCluster(t, 2, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
		must(t, nodes[0].JoinAs("room", actor.Member{ID: "a", Metadata: "x"}))
		settleHubs()
		nodes[1].broker.set(func() { nodes[1].broker.Broker = slowBroker{nodes[1].broker.Broker} })
		if got, want := nodes[1].present("room"), map[string]string{"a": "x"}; !maps.Equal(got, want) {
			t.Errorf("the first look sees %v, want %v", got, want)
		}
	})
}
