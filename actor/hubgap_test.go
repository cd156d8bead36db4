package actor_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

// Whatever is lost between nodes, the sessions are told.
func TestLossBetweenNodesIsNeverSilent(t *testing.T) {
	publish := func(n *node, from, to int) {
		for i := from; i < to; i++ {
			_, _ = n.Publish("room", n.Text(fmt.Sprint(i))) // some may be lost
		}
		settleHubs()
	}
	for _, test := range []struct {
		name   string
		fault  func(from, to *node)
		missed uint64 // 0 if nobody can know
		got    []string
	}{
		{"three deliveries are lost", func(from, to *node) {
			to.broker.set(func() {
				to.broker.lose = func(subject string, n int) bool { return subject == "tandem.t.room" && n > 2 && n <= 5 }
			})
			publish(from, 2, 8)
		}, 3, []string{"0", "1", "5", "6", "7"}},
		{"the receiver's connection is lost and made again", func(from, to *node) {
			to.broker.connect(false)
			publish(from, 2, 4)
			to.broker.connect(true)
		}, 0, []string{"0", "1"}},
		{"the publisher's connection is lost and made again", func(from, to *node) {
			from.broker.connect(false)
			if taken, err := from.Publish("room", from.Text("refused")); err == nil || taken != 0 {
				t.Errorf("published without a connection: %d, %v", taken, err)
			}
			publish(from, 2, 4)
			from.broker.connect(true)
			publish(from, 4, 5)
		}, 3, []string{"0", "1", "4"}},
		{"the broker says so", func(from, to *node) {
			to.broker.miss()
		}, 0, []string{"0", "1"}},
		{"somebody publishes what no hub does", func(from, to *node) {
			for _, junk := range []string{"", "x", "a text that is longer than the head of a message"} {
				must(t, from.broker.Broker.Publish("tandem.t.room", []byte(junk)))
			}
			publish(from, 2, 3)
		}, 42, []string{"0", "1", "2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			inCluster(t, 2, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
				from, to := nodes[0], nodes[1]
				c, s, g := to.open()
				_, _, unconcerned := to.open()
				must(t, to.Subscribe(c, "room"))
				publish(from, 0, 2)
				test.fault(from, to)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if got := s.texts(t); !slices.Equal(got, test.got) {
					t.Errorf("got %q, want %q", got, test.got)
				}
				told := g.take()
				if test.missed == 42 {
					if n := to.observer.of(func(r *hubRecorder) int { return r.failed["receive"] }); len(told) != 0 || n != 3 {
						t.Errorf("told of %v, counted %d", told, n)
					}
					return
				}
				if !slices.Equal(told, []actor.Gap{{Topic: "room", Missed: test.missed}}) {
					t.Errorf("told of %+v, want %d missing", told, test.missed)
				}
				if n := to.observer.of(func(r *hubRecorder) int { return r.gaps }); n == 0 {
					t.Error("no gap was counted")
				}
				if told := unconcerned.take(); len(told) != 0 {
					t.Errorf("somebody who did not subscribe was told of %v", told)
				}
			})
		})
	}
}

// Many losses are told together, once a second, and none is forgotten.
func TestGapsAreToldOnceASecond(t *testing.T) {
	inCluster(t, 2, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
		from, to := nodes[0], nodes[1]
		c, _, g := to.open()
		must(t, to.Subscribe(c, "room"))
		to.broker.set(func() { to.broker.lose = func(subject string, n int) bool { return n > 1 && n%2 == 0 } })
		for range 1001 {
			_, err := from.Publish("room", from.Text("x"))
			must(t, err)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		told, missed := g.take(), uint64(0)
		for _, gap := range told {
			missed += gap.Missed
		}
		if missed != 500 || len(told) < 5 || len(told) > 12 {
			t.Errorf("%d missed, told %d times", missed, len(told))
		}
	})
}

func TestConnectionOfTheBrokerIsObserved(t *testing.T) {
	inCluster(t, 1, actor.HubConfig{}, func(t *testing.T, nodes []*node) {
		nodes[0].broker.connect(false)
		nodes[0].broker.connect(true)
		if got := nodes[0].observer.connected; !slices.Equal(got, []bool{false, true}) {
			t.Errorf("observed %v", got)
		}
	})
}
