package actor

import (
	"crypto/rand"
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/split"
)

// Hub connects the connections of all nodes of a service: topics by name,
// messages to a connection wherever it is, and who is present. One hub serves
// the servers of a process; a service without connections may have one too. All
// methods may be called from any goroutine.
//
// What is published reaches each subscriber at most once, and what one
// goroutine publishes to a topic reaches every node in its order. What is lost
// between nodes is never lost silently: the sessions that subscribed receive a
// [Gap].
type Hub struct {
	engine *Engine
	config HubConfig
	pool   *split.Pool
	out    outbox

	topics    feeds
	presences feeds
	feedCount atomic.Int64
	versions  atomic.Uint64 // of presences

	agenda  agenda
	closing chan struct{}
	ended   chan struct{} // the hub's goroutine has ended
	over    chan struct{} // Close is done
	unwatch func()
	unping  func()

	mu      sync.Mutex
	closed  bool
	hosts   atomic.Pointer[[]*host]
	inbox   *inbox // nil until a server is attached
	unInbox func()

	deliveries sync.RWMutex // held for reading while a delivery is handled
}

// NewHub makes a hub. With a nil broker it knows only its own process. The
// error is a [*ConfigError] that names a field out of its range. [Hub.Close]
// ends what it starts.
func NewHub(engine *Engine, broker Broker, config HubConfig) (*Hub, error) {
	if engine == nil {
		return nil, &ConfigError{Field: "engine", Value: nil, Range: "an engine"}
	}
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	h := &Hub{
		engine: engine, config: config, pool: split.NewPool(config.Observer),
		closing: make(chan struct{}), ended: make(chan struct{}), over: make(chan struct{}), unwatch: func() {},
	}
	h.out = outbox{broker: broker, node: binary.BigEndian.Uint64(random[:]), pool: h.pool, seed: maphash.MakeSeed()}
	h.agenda.kick = make(chan struct{}, 1)
	h.hosts.Store(new([]*host))
	h.topics.init(h, ".t.", func(f *feed) feedOwner { return &hubTopic{hub: h, feed: f} })
	h.presences.init(h, ".p.", func(f *feed) feedOwner { return newPresence(h, f) })
	if broker != nil {
		h.unwatch = broker.Watch(func(state BrokerState) {
			config.Observer.BrokerConnected(state.Connected)
			config.Logger.Warn("broker connection", zap.Bool("connected", state.Connected), zap.Error(state.Err))
		})
	}
	h.unping = h.startPings(broker)
	go h.run()
	return h, nil
}

// Text returns a buffer with a text message, which must be UTF-8; the caller
// owns it.
func (h *Hub) Text(text string) *Buffer { return h.pool.Text(text) }

// Binary returns a buffer with a binary message, copied from payload; the
// caller owns it.
func (h *Hub) Binary(payload []byte) *Buffer { return h.pool.Binary(payload) }

// BuffersInUse returns how many of the hub's message buffers are out.
func (h *Hub) BuffersInUse() int { return h.pool.InUse() }

// Topics returns how many topics and presences have something to do with this
// node, or had within the grace.
func (h *Hub) Topics() int { return int(h.feedCount.Load()) }

// failed reports that something between nodes went wrong.
func (h *Hub) failed(operation string, subject []byte, err error) {
	h.config.Observer.BrokerFailed(operation)
	h.config.Logger.Warn("broker", zap.String("operation", operation), zap.String("subject", string(subject)), zap.Error(err))
}

// send publishes to the broker.
func (h *Hub) send(subject []byte, kind byte, first, second []byte) error {
	if h.out.broker == nil {
		return nil
	}
	if err := h.out.send(subject, kind, first, second); err != nil {
		h.failed("publish", subject, err)
		return &BrokerError{Operation: "publish", Err: err}
	}
	h.config.Observer.BrokerPublished(len(second))
	return nil
}

// receive reads what arrived at a subject; ok is false for what is not for
// this node: its own, a repetition, and what no hub sends.
func (h *Hub) receive(payload []byte, from *sources) (head brokerHead, message []byte, missed uint64, ok bool) {
	head, message, ok = parseBrokerHead(payload)
	switch {
	case !ok:
		h.config.Observer.BrokerFailed("receive")
		return head, nil, 0, false
	case head.node == h.out.node:
		return head, nil, 0, false
	}
	missed, ok = from.follow(head)
	return head, message, missed, ok
}

// enter lets a delivery in, until leave, unless the hub is closed.
func (h *Hub) enter() bool {
	h.deliveries.RLock()
	select {
	case <-h.closing:
		h.deliveries.RUnlock()
		return false
	default:
		return true
	}
}

func (h *Hub) leave() { h.deliveries.RUnlock() }

// Times of the hub's own work.
const (
	// hubPace is the least time between two rounds, so that what changes quickly
	// is told together.
	hubPace = 20 * time.Millisecond
	// gapPace is the least time between two Gaps of one topic.
	gapPace = time.Second
)

// run is the hub's goroutine: it tells gaps and presences, and ends what
// nobody uses.
func (h *Hub) run() {
	defer close(h.ended)
	tick := min(h.config.Grace/2, h.config.PresenceInterval/4, gapPace)
	ticker, pace := time.NewTicker(tick), time.NewTimer(0)
	defer ticker.Stop()
	defer pace.Stop()
	var later []chore
	var swept, kept time.Time
	for {
		ticked := false
		select {
		case <-h.closing:
			return
		case <-ticker.C:
			ticked = true
		case <-h.agenda.kick:
		}
		select {
		case <-h.closing:
			return
		case <-pace.C:
		}
		now := time.Now()
		due := h.agenda.take()
		if ticked {
			due, later = append(due, later...), nil
			if now.Sub(kept) >= h.config.PresenceInterval/4 {
				kept = now
				h.presences.each(func(f *feed) { f.owner.(*presence).upkeep(now) })
			}
			if now.Sub(swept) >= h.config.Grace/2 {
				swept = now
				h.topics.sweep(now, h.config.Grace)
				h.presences.sweep(now, h.config.Grace)
			}
		}
		for _, c := range due {
			if c.work(now) {
				later = append(later, c)
			}
		}
		pace.Reset(hubPace)
	}
}

// Close ends the hub: connections leave its topics and presences, other nodes
// are told, and all methods return [ErrHubClosed]. Connections stay open. When
// Close returns nothing that the broker delivered is being handled any more; so
// it must not be called from [Conn.SendNotify]'s function.
func (h *Hub) Close() {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		<-h.over
		return
	}
	h.closed = true
	defer close(h.over)
	unInbox := h.unInbox
	h.mu.Unlock()
	h.unwatch()
	h.unping()
	if unInbox != nil {
		unInbox()
	}
	close(h.closing)
	<-h.ended
	h.presences.close(func(f *feed) { f.owner.(*presence).farewell() })
	h.topics.close(func(f *feed) { f.owner.(*hubTopic).dismiss() })
	h.deliveries.Lock() // waits for those that were let in
	defer h.deliveries.Unlock()
}
