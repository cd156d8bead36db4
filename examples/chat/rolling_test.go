package main

import (
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// talkUntil lets everybody say something now and then until f returns.
func (c *crowd) talkUntil(pause time.Duration, f func()) {
	over := make(chan struct{})
	var talking sync.WaitGroup
	for i, m := range c.members {
		talking.Go(func() {
			for {
				select {
				case <-over:
					return
				case <-time.After(rand.N(2 * pause)):
				}
				m.look(func() { m.waiting++ })
				if _, err := m.Say("still here"); err != nil {
					c.t.Errorf("client %d: %v", i, err)
				}
			}
		})
	}
	defer talking.Wait()
	defer close(over)
	f()
}

// away returns how long clients were without their room, shortest first.
func (c *crowd) away() (times []time.Duration) {
	for _, m := range c.members {
		m.look(func() { times = append(times, m.away...) })
	}
	slices.Sort(times)
	return times
}

// Three nodes are replaced one after the other, under traffic, and each client
// is moved at least once.
func TestRollingRestartLosesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	began := time.Now()
	_, natsURLs := startNATS(t, 3)
	type node struct {
		*program
		process *os.Process
		ended   <-chan int
	}
	balancer := startBalancer(t)
	start := func() node {
		p, process, ended := startChild(t, "-nats", strings.Join(natsURLs, ","), "-replicas", "3", "-log-level", "info",
			"-drain-delay", "300ms", "-drain-spread", "1s", "-drain-timeout", "20s")
		balancer.add(p)
		return node{p, process, ended}
	}
	var nodes []node
	for range 3 {
		nodes = append(nodes, start())
	}
	c := newCrowd(t, 150, 5, []string{"ws://" + balancer.listener.Addr().String() + "/ws"})
	t.Logf("everybody is in after %v", time.Since(began))

	c.talkUntil(2*time.Second, func() {
		for _, old := range nodes {
			start()
			if err := old.process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if code := awaitExit(t, old.ended); code != exitOK {
				t.Errorf("a node ended with %d", code)
			}
			if log := old.log.String(); strings.Contains(log, `"stage":"cut"`) {
				t.Errorf("a node cut connections off:\n%s", log)
			}
		}
		c.until("everybody to be in a room of a new node", func(m *crowdMember) bool { return m.joins > 1 && m.left.IsZero() })
	})
	c.judge()
	away := c.away()
	if len(away) < len(c.members) {
		t.Errorf("%d clients were moved %d times", len(c.members), len(away))
	}
	t.Logf("clients were away %d times: p50 %v, p99 %v, at most %v", len(away),
		away[len(away)/2].Round(time.Millisecond), away[len(away)*99/100].Round(time.Millisecond), away[len(away)-1].Round(time.Millisecond))
	t.Logf("took %v", time.Since(began))
}
