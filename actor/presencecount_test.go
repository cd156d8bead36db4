package actor_test

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/tandem-ws/tandem/actor"
)

// No node can have more members than HubConfig.MaxMembers may be; such a number
// would be negative where an int has 32 bits.
func TestPresenceTakesNoNumberThatNoNodeCanHave(t *testing.T) {
	inCluster(t, 1, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
		n := nodes[0]
		n.present("room")
		for sequence, members := range []uint32{1 << 31, 1<<32 - 1, 1_000_001} {
			state := binary.BigEndian.AppendUint64([]byte{1, 4}, 7)                              // version, kind; node
			state = binary.BigEndian.AppendUint64(append(state, 0, 0, 0, 0), uint64(sequence+1)) // epoch
			state = binary.BigEndian.AppendUint64(state, uint64(sequence+1))
			state = append(binary.BigEndian.AppendUint32(state, members), 0, 0, 1, 0, 0) // part, last, number
			must(t, n.broker.Broker.Publish("tandem.p.room", state))
			settleHubs()
			p, err := n.Presence(context.Background(), "room")
			must(t, err)
			if p.Count != 0 {
				t.Errorf("of %d members %d are counted", members, p.Count)
			}
		}
		if failed := n.observer.of(func(r *hubRecorder) int { return r.failed["receive"] }); failed != 3 {
			t.Errorf("%d were reported", failed)
		}
	})
}
