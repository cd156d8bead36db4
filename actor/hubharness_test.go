package actor_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// faultyBroker is a node's broker that does what the test says. Its faults are
// on this node's side of the wire.
type faultyBroker struct {
	actor.Broker

	mu            sync.Mutex
	down          bool                             // nothing goes in or out
	lose          func(subject string, n int) bool // the n-th to be delivered to the subject
	twice         bool
	delay         time.Duration
	refuse        error // of Subscribe
	subscriptions map[*faultySubscription]bool
	made, ended   map[string]int // subscriptions by subject
	watchers      []func(actor.BrokerState)
}

func newFaulty(b actor.Broker) *faultyBroker {
	return &faultyBroker{Broker: b, subscriptions: make(map[*faultySubscription]bool), made: make(map[string]int), ended: make(map[string]int)}
}

type faultySubscription struct {
	broker  *faultyBroker
	subject string
	handler actor.BrokerHandler
	calls   sync.Mutex // one call at a time
	count   int
}

var errDown = errors.New("no connection")

func (b *faultyBroker) Publish(subject string, payload []byte) error {
	b.mu.Lock()
	down, twice := b.down, b.twice
	b.mu.Unlock()
	if down {
		return errDown
	}
	if twice {
		_ = b.Broker.Publish(subject, payload)
	}
	return b.Broker.Publish(subject, payload)
}

func (b *faultyBroker) Subscribe(subject string, handler actor.BrokerHandler) (func(), error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuse != nil {
		return nil, b.refuse
	}
	b.made[subject]++
	s := &faultySubscription{broker: b, subject: subject, handler: handler}
	b.subscriptions[s] = true
	cancel, err := b.Broker.Subscribe(subject, s)
	return func() {
		cancel()
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subscriptions, s)
		b.ended[subject]++
	}, err
}

func (b *faultyBroker) Watch(f func(actor.BrokerState)) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers = append(b.watchers, f)
	return func() {}
}

func (s *faultySubscription) Deliver(payload []byte) {
	b := s.broker
	b.mu.Lock()
	s.count++
	lost := b.down || b.lose != nil && b.lose(s.subject, s.count)
	delay := b.delay
	b.mu.Unlock()
	if lost {
		return
	}
	time.Sleep(delay)
	s.calls.Lock()
	defer s.calls.Unlock()
	s.handler.Deliver(payload)
}

func (s *faultySubscription) Missed() {
	s.calls.Lock()
	defer s.calls.Unlock()
	s.handler.Missed()
}

// connect loses the connection, or makes it again.
func (b *faultyBroker) connect(up bool) {
	b.mu.Lock()
	b.down = !up
	watchers := slices.Clone(b.watchers)
	b.mu.Unlock()
	if up {
		b.miss()
	}
	for _, f := range watchers {
		state := actor.BrokerState{Connected: up}
		if !up {
			state.Err = errDown
		}
		f(state)
	}
}

// miss tells every subscription that something may be lost.
func (b *faultyBroker) miss() {
	var all []*faultySubscription
	b.set(func() { all = slices.Collect(maps.Keys(b.subscriptions)) })
	for _, s := range all {
		s.Missed()
	}
}

// churn returns how often a subscription was made and ended.
func (b *faultyBroker) churn(subject string) (made, ended int) {
	b.set(func() { made, ended = b.made[subject], b.ended[subject] })
	return made, ended
}

func (b *faultyBroker) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// node is one of a service: an engine, a server and a hub.
type node struct {
	*actor.Hub
	t        *testing.T
	engine   *actor.Engine
	server   *actor.Server
	broker   *faultyBroker
	observer *hubRecorder
	streams  []*stream
}

// hubRecorder counts what a hub reports.
type hubRecorder struct {
	actor.NopObserver
	mu                                sync.Mutex
	published, received, gaps, unsent int
	failed                            map[string]int
	connected                         []bool
}

func (r *hubRecorder) note(f func()) { r.mu.Lock(); defer r.mu.Unlock(); f() }

func (r *hubRecorder) BrokerPublished(int)    { r.note(func() { r.published++ }) }
func (r *hubRecorder) BrokerReceived(int)     { r.note(func() { r.received++ }) }
func (r *hubRecorder) BrokerGap()             { r.note(func() { r.gaps++ }) }
func (r *hubRecorder) MessageRefused()        { r.note(func() { r.unsent++ }) }
func (r *hubRecorder) BrokerFailed(op string) { r.note(func() { r.failed[op]++ }) }
func (r *hubRecorder) BrokerConnected(up bool) {
	r.note(func() { r.connected = append(r.connected, up) })
}
func (r *hubRecorder) of(f func(*hubRecorder) int) int { r.mu.Lock(); defer r.mu.Unlock(); return f(r) }

// cluster makes nodes on one broker, and proves at the end that nothing is left.
func cluster(t *testing.T, count int, config actor.HubConfig) []*node {
	t.Helper()
	shared := &actor.LocalBroker{}
	var nodes []*node
	for range count {
		n := &node{t: t, broker: newFaulty(shared), observer: &hubRecorder{failed: make(map[string]int)}}
		var err error
		n.engine, err = actor.NewEngine()
		must(t, err)
		n.server, err = actor.NewServer(n.engine, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{Readiness: scripted{}, PingInterval: time.Hour}})
		must(t, err)
		config.Observer = n.observer
		n.Hub, err = actor.NewHub(n.engine, n.broker, config)
		must(t, err)
		must(t, n.Attach(n.server))
		nodes = append(nodes, n)
	}
	return nodes
}

// inCluster runs a test with nodes in fake time.
func inCluster(t *testing.T, count int, config actor.HubConfig, test func(t *testing.T, nodes []*node)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		nodes := cluster(t, count, config)
		defer func() {
			endCluster(t, nodes)
			settleHubs() // late deliveries
		}()
		test(t, nodes)
	})
}

func endCluster(t *testing.T, nodes []*node) {
	for _, n := range nodes {
		n.Close()
		n.Close() // once more does nothing
		for _, s := range n.streams {
			_ = s.Close()
		}
		must(t, n.server.Shutdown(context.Background()))
		if topics, buffers := n.Topics(), n.BuffersInUse()+n.server.BuffersInUse(); topics != 0 || buffers != 0 {
			t.Errorf("%d topics and %d buffers are left", topics, buffers)
		}
		n.broker.set(func() {
			if left := len(n.broker.subscriptions); left != 0 {
				t.Errorf("%d subscriptions are left at the broker", left)
			}
		})
	}
}

// open opens a connection with a session that keeps its gaps.
func (n *node) open() (*actor.Conn, *stream, *gaps) {
	n.t.Helper()
	s, g := newStream(), &gaps{}
	must(n.t, n.server.AttachForTest(streamConn{stream: s}, g))
	n.streams = append(n.streams, s)
	return s.conn, s, g
}

// gaps is a session that keeps what is no message of its peer.
type gaps struct {
	mu      sync.Mutex
	list    []actor.Gap
	changes []actor.PresenceChange
}

func (g *gaps) Receive(c *actor.Context) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch m := c.Message().(type) {
	case actor.Gap:
		g.list = append(g.list, m)
	case actor.PresenceChange:
		g.changes = append(g.changes, m)
	}
}

func (g *gaps) take() (list []actor.Gap) {
	g.mu.Lock()
	defer g.mu.Unlock()
	list, g.list = g.list, nil
	return list
}

func (g *gaps) takeChanges() (list []actor.PresenceChange) {
	g.mu.Lock()
	defer g.mu.Unlock()
	list, g.changes = g.changes, nil
	return list
}

// texts returns the messages on a stream's wire.
func (s *stream) texts(t *testing.T) (texts []string) {
	t.Helper()
	wire := rawpeer.New(recording{Reader: bytes.NewReader(s.written())}, rawpeer.Client)
	for {
		frame, err := wire.ReadFrame()
		if err == io.EOF {
			return texts
		}
		must(t, err)
		if frame.Opcode == rawpeer.OpText || frame.Opcode == rawpeer.OpBinary {
			texts = append(texts, string(frame.Payload))
		}
	}
}

// settleHubs lets hubs tell each other what they have to.
func settleHubs() {
	time.Sleep(200 * time.Millisecond)
	synctest.Wait()
}
