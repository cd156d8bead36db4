package actor_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

// Topics that come and go while they are published to: nothing is left, no
// message goes to somebody who is not subscribed, and none is called a gap.
func TestTopicsComeAndGoUnderLoad(t *testing.T) {
	t.Parallel()
	const names, connections, rounds = 20, 30, 150
	nodes := cluster(t, 3, actor.HubConfig{Grace: 10 * time.Millisecond, PresenceInterval: 100 * time.Millisecond})
	defer endCluster(t, nodes)
	var conns []*actor.Conn
	for i := range connections {
		c, _, _ := nodes[i%3].open()
		conns = append(conns, c)
	}
	ctx, stop := context.WithCancel(t.Context())
	var publishers, users sync.WaitGroup
	var published atomic.Int64
	for i, n := range nodes {
		publishers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for ctx.Err() == nil {
				if _, err := n.Publish(fmt.Sprint("room.", random.IntN(names)), n.Text("x")); err != nil {
					t.Error(err)
					return
				}
				_ = n.Send(conns[random.IntN(connections)].ID(), n.Text("y")) // some mailbox may be full
				published.Add(1)
			}
		})
	}
	for i, c := range conns {
		users.Go(func() {
			n, random := nodes[i%3], rand.New(rand.NewPCG(uint64(i), 2))
			for range rounds {
				name := fmt.Sprint("room.", random.IntN(names))
				switch random.IntN(6) {
				case 0:
					n.Unsubscribe(c, name)
				case 1:
					n.Leave(c, name)
				case 2:
					_ = n.Join(c, name, fmt.Sprint(i)) // a slow connection may have been closed
				case 3:
					_ = n.Watch(name, c.SessionPID())
				case 4:
					time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
				default:
					_ = n.Subscribe(c, name)
				}
			}
		})
	}
	users.Wait()
	stop()
	publishers.Wait()
	if published.Load() == 0 {
		t.Error("nothing was published")
	}
	for _, n := range nodes {
		if failed := n.observer.of(func(r *hubRecorder) int { return r.failed["receive"] + r.failed["subscribe"] + r.failed["publish"] }); failed != 0 {
			t.Errorf("%d failures", failed)
		}
	}
}

// Closing a hub meets everything that it is asked to do at the same time.
func TestHubIsClosedWhileItIsUsed(t *testing.T) {
	t.Parallel()
	for range 20 {
		nodes := cluster(t, 2, actor.HubConfig{})
		n := nodes[0]
		var conns []*actor.Conn
		for range 8 {
			c, _, _ := n.open()
			conns = append(conns, c)
		}
		begin := make(chan struct{})
		var group sync.WaitGroup
		for i, c := range conns {
			group.Go(func() {
				<-begin
				for j := range 20 {
					name := fmt.Sprint("room.", (i+j)%5)
					_ = n.Subscribe(c, name) // the hub may be closed, here and below
					_ = n.Join(c, name, "")
					_ = n.Watch(name, c.SessionPID())
					_, _ = n.Publish(name, n.Text("x"))
					_ = n.JoinAs(name, actor.Member{ID: fmt.Sprint(i)})
				}
			})
		}
		group.Go(func() {
			<-begin
			n.Close()
		})
		close(begin)
		group.Wait()
		for _, c := range conns {
			if topics := c.Info().Topics; topics != 0 {
				t.Errorf("a connection is in %d topics of a closed hub", topics)
			}
		}
		endCluster(t, nodes)
	}
}
