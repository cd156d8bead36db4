package actor_test

import (
	"context"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

// Those who were only counted are known by name once there is room for them.
func TestPresenceNamesThoseWhoWereOnlyCountedOnceThereIsRoom(t *testing.T) {
	inCluster(t, 2, actor.HubConfig{MaxMembers: 2}, func(t *testing.T, nodes []*node) {
		for i, ids := range [][]string{{"a", "b"}, {"c"}} { // at the same moment
			for _, id := range ids {
				must(t, nodes[i].JoinAs("room", actor.Member{ID: id, Metadata: id}))
			}
		}
		settleHubs()
		for _, n := range nodes {
			if p, err := n.Presence(context.Background(), "room"); err != nil || p.Count != 3 || len(p.Members) != 2 {
				t.Fatalf("%+v, %v", p, err)
			}
		}
		nodes[0].LeaveAs("room", "a")
		time.Sleep(11 * time.Second) // an interval
		agree(t, nodes, "room", map[string]string{"b": "b", "c": "c"})
	})
}
