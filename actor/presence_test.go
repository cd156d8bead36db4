package actor_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

// present returns who is present as the node knows it: metadata by id.
func (n *node) present(name string) map[string]string {
	n.t.Helper()
	p, err := n.Presence(context.Background(), name)
	must(n.t, err)
	if p.Count != len(p.Members) {
		n.t.Errorf("%d members, count is %d", len(p.Members), p.Count)
	}
	if !slices.IsSortedFunc(p.Members, func(a, b actor.Member) int { return strings.Compare(a.ID, b.ID) }) {
		n.t.Errorf("members are not sorted: %v", p.Members)
	}
	list := make(map[string]string)
	for _, m := range p.Members {
		list[m.ID] = m.Metadata
	}
	return list
}

// agree fails unless all nodes know the same.
func agree(t *testing.T, nodes []*node, name string, want map[string]string) {
	t.Helper()
	for i, n := range nodes {
		if got := n.present(name); !maps.Equal(got, want) {
			t.Errorf("node %d knows %d: %.200s, want %d: %.200s", i, len(got), fmt.Sprint(got), len(want), fmt.Sprint(want))
		}
	}
}

func TestPresenceIsTheSameOnAllNodes(t *testing.T) {
	for _, fault := range []struct {
		name string
		set  func(*faultyBroker)
		heal time.Duration // the fault is mended for that long
	}{
		{"sound broker", func(*faultyBroker) {}, 0},
		{"deliveries are late", func(b *faultyBroker) { b.delay = 5 * time.Millisecond }, 0},
		{"each is delivered twice", func(b *faultyBroker) { b.twice = true }, 0},
		{"a third is lost", func(b *faultyBroker) {
			chance := rand.New(rand.NewPCG(rand.Uint64(), 2))
			b.lose = func(string, int) bool { return chance.IntN(3) == 0 }
		}, 45 * time.Second},
	} {
		t.Run(fault.name, func(t *testing.T) {
			inCluster(t, 3, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
				for _, n := range nodes {
					n.broker.set(func() { fault.set(n.broker) })
				}
				settled := func(nodes []*node, want map[string]string) {
					t.Helper()
					settleHubs()
					if fault.heal > 0 {
						for _, n := range nodes {
							n.broker.set(func() { n.broker.lose = nil })
						}
						time.Sleep(fault.heal)
					}
					agree(t, nodes, "room", want)
					for _, n := range nodes {
						n.broker.set(func() { fault.set(n.broker) })
					}
				}
				a, aStream, _ := nodes[0].open()
				b, _, _ := nodes[1].open()
				must(t, nodes[0].Join(a, "room", "ann"))
				agree(t, nodes[:1], "room", map[string]string{a.ID(): "ann"})
				must(t, nodes[1].Join(b, "room", "bob"), nodes[2].JoinAs("room", actor.Member{ID: "bot", Metadata: "42"}))
				settled(nodes, map[string]string{a.ID(): "ann", b.ID(): "bob", "bot": "42"})

				must(t, nodes[0].Join(a, "room", "ann, away"))
				nodes[2].LeaveAs("room", "bot")
				nodes[2].LeaveAs("room", "nobody")
				settled(nodes, map[string]string{a.ID(): "ann, away", b.ID(): "bob"})

				_ = aStream.Close() // the end of a connection is a leave
				nodes[1].Leave(b, "room")
				settled(nodes, map[string]string{})

				must(t, nodes[1].Join(b, "room", "bob again"), nodes[2].JoinAs("room", actor.Member{ID: "bot"}))
				settled(nodes, map[string]string{b.ID(): "bob again", "bot": ""})
				nodes[1].Close() // which tells the others, or they notice
				settled([]*node{nodes[0], nodes[2]}, map[string]string{"bot": ""})
			})
		})
	}
}

func TestMembersOfASilentNodeLeaveAfterThreeIntervals(t *testing.T) {
	inCluster(t, 2, actor.HubConfig{PresenceInterval: 10 * time.Second}, func(t *testing.T, nodes []*node) {
		must(t, nodes[0].JoinAs("room", actor.Member{ID: "a"}), nodes[1].JoinAs("room", actor.Member{ID: "b"}))
		time.Sleep(5 * time.Minute) // digests keep what does not change
		agree(t, nodes, "room", map[string]string{"a": "", "b": ""})
		nodes[0].broker.connect(false)
		time.Sleep(15 * time.Second)
		agree(t, nodes, "room", map[string]string{"a": "", "b": ""})
		time.Sleep(25 * time.Second)
		agree(t, nodes[:1], "room", map[string]string{"a": ""})
		agree(t, nodes[1:], "room", map[string]string{"b": ""})
		must(t, nodes[0].JoinAs("room", actor.Member{ID: "meanwhile"}))
		settleHubs()
		nodes[0].broker.connect(true)
		settleHubs()
		agree(t, nodes, "room", map[string]string{"a": "", "b": "", "meanwhile": ""})
	})
}

func TestPresenceOfManyTravelsInParts(t *testing.T) {
	inCluster(t, 3, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
		want := make(map[string]string)
		for i := range 3000 {
			m := actor.Member{ID: fmt.Sprint("member ", i), Metadata: strings.Repeat("m", i%100)}
			want[m.ID] = m.Metadata
			must(t, nodes[i%2].JoinAs("room", m))
		}
		settleHubs()
		agree(t, nodes, "room", want)
		for i := range 2900 {
			id := fmt.Sprint("member ", i)
			delete(want, id)
			nodes[i%2].LeaveAs("room", id)
		}
		settleHubs()
		agree(t, nodes, "room", want)
	})
}

func TestTooManyMembersElsewhereAreOnlyCounted(t *testing.T) {
	shared := actor.HubConfig{MaxMembers: 50}
	inCluster(t, 3, shared, func(t *testing.T, nodes []*node) {
		nodes[0].broker.connect(false) // so that they do not know of each other
		for i := range 40 {
			must(t, nodes[0].JoinAs("room", actor.Member{ID: fmt.Sprint("a", i)}), nodes[1].JoinAs("room", actor.Member{ID: fmt.Sprint("b", i)}))
		}
		nodes[0].broker.connect(true)
		settleHubs()
		p, err := nodes[2].Presence(t.Context(), "room")
		must(t, err)
		if p.Count != 80 || len(p.Members) != 50 {
			t.Errorf("%d members, count %d", len(p.Members), p.Count)
		}
		if err := nodes[2].JoinAs("room", actor.Member{ID: "c"}); err != actor.ErrTooManyMembers {
			t.Errorf("one more: %v", err)
		}
	})
}

func TestWatchersAreToldWhoComesAndGoes(t *testing.T) {
	inCluster(t, 3, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
		watcher, stream, seen := nodes[0].open()
		must(t, nodes[1].JoinAs("room", actor.Member{ID: "early", Metadata: "1"}))
		settleHubs()
		must(t, nodes[0].Watch("room", watcher.SessionPID()), nodes[0].Watch("room", watcher.SessionPID()))
		settleHubs()
		known := make(map[string]string)
		follow := func(want map[string]string, most int) {
			t.Helper()
			changes := seen.takeChanges()
			for _, change := range changes {
				if change.Topic != "room" {
					t.Errorf("told of %q", change.Topic)
				}
				for _, m := range change.Left {
					if known[m.ID] != m.Metadata {
						t.Errorf("%v left, known as %q", m, known[m.ID])
					}
					delete(known, m.ID)
				}
				for _, m := range change.Joined {
					known[m.ID] = m.Metadata
				}
				if change.Count != len(known) {
					t.Errorf("count is %d, known are %d", change.Count, len(known))
				}
			}
			if !maps.Equal(known, want) || len(changes) > most {
				t.Errorf("told of %v in %d changes, want %v", known, len(changes), want)
			}
		}
		follow(map[string]string{"early": "1"}, 2) // at first this node knows nothing

		for i := range 100 {
			must(t, nodes[1].JoinAs("room", actor.Member{ID: fmt.Sprint(i)}))
			if i < 98 {
				nodes[1].LeaveAs("room", fmt.Sprint(i))
			}
		}
		must(t, nodes[0].JoinAs("room", actor.Member{ID: "here"}), nodes[1].JoinAs("room", actor.Member{ID: "early", Metadata: "2"}))
		settleHubs()
		follow(map[string]string{"early": "2", "98": "", "99": "", "here": ""}, 3)
		nodes[1].LeaveAs("room", "98")
		nodes[0].LeaveAs("room", "here")
		settleHubs()
		follow(map[string]string{"early": "2", "99": ""}, 2)
		nodes[1].broker.connect(false)
		time.Sleep(time.Minute)
		follow(map[string]string{}, 1)
		nodes[1].broker.connect(true)
		time.Sleep(time.Minute)
		follow(map[string]string{"early": "2", "99": ""}, 1)

		nodes[0].Unwatch("room", watcher.SessionPID())
		nodes[1].LeaveAs("room", "99")
		settleHubs()
		follow(known, 0)
		must(t, nodes[0].Watch("room", watcher.SessionPID()))
		_ = stream.Close() // an actor that ends is not told any more
		settleHubs()
		nodes[1].LeaveAs("room", "early")
		time.Sleep(3 * time.Minute)
		if n := nodes[0].Topics(); n != 0 {
			t.Errorf("%d presences are kept for nobody", n)
		}
	})
}

// Who forgets to unwatch keeps nothing.
func TestEndedWatchersAreForgotten(t *testing.T) {
	inCluster(t, 1, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
		n := nodes[0]
		watcher, stream, _ := n.open()
		must(t, n.Watch("room", watcher.SessionPID()))
		ordinary := n.engine.SpawnFunc(func(*actor.Context) {}, "ordinary")
		must(t, n.Watch("room", ordinary))
		time.Sleep(5 * time.Minute)
		if n.Topics() != 1 {
			t.Error("a presence that is watched is not kept")
		}
		_ = stream.Close()
		<-n.engine.Poison(ordinary).Done()
		time.Sleep(5 * time.Minute)
		if n.Topics() != 0 {
			t.Error("a presence is kept for actors that have ended")
		}
	})
}

func TestPresenceThatIsGivenUpTellsWhatIsKnown(t *testing.T) {
	inCluster(t, 1, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
		must(t, nodes[0].JoinAs("room", actor.Member{ID: "a"}))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if p, err := nodes[0].Presence(ctx, "room"); err != context.Canceled || p.Count != 1 {
			t.Errorf("%+v, %v", p, err)
		}
	})
}
