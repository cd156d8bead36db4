package actor

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// feed is a broker's subscription that a hub shares among all who want it: the
// first one makes it, and some time after the last one has left it is ended, so
// that coming and going does not reach the broker.
type feed struct {
	name    string
	subject []byte
	owner   feedOwner
	ready   chan struct{} // closed once the subscription is made
	err     error         // why it could not be; set before ready is closed
	cancel  func()        // as err

	pins int       // those who are about to use it; guarded by the shard
	idle time.Time // since when nobody has been seen to use it, zero if somebody does
}

// feedOwner is what a feed is for.
type feedOwner interface {
	BrokerHandler
	inUse() bool
}

// feeds are those of one kind, by name.
type feeds struct {
	hub    *Hub
	infix  string
	make   func(*feed) feedOwner
	seed   maphash.Seed
	shards [feedShards]feedShard
}

const feedShards = 64

type feedShard struct {
	mu     sync.RWMutex
	byName map[string]*feed
	closed bool
}

func (r *feeds) init(hub *Hub, infix string, owner func(*feed) feedOwner) {
	r.hub, r.infix, r.make, r.seed = hub, infix, owner, maphash.MakeSeed()
}

func (r *feeds) shard(name string) *feedShard {
	return &r.shards[maphash.String(r.seed, name)%feedShards]
}

// appendSubject appends the broker's subject of a name.
func (r *feeds) appendSubject(to []byte, name string) []byte {
	return append(append(append(to, r.hub.config.Prefix...), r.infix...), name...)
}

// peek returns the feed of a name, or nil.
func (r *feeds) peek(name string) *feed {
	shard := r.shard(name)
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	return shard.byName[name]
}

// pin returns the feed of a name once its subscription is made. It stays until
// unpin and as long as it is in use.
func (r *feeds) pin(name string) (*feed, error) {
	if err := checkName(name, MaxTopicName); err != nil {
		return nil, err
	}
	shard := r.shard(name)
	shard.mu.Lock()
	if shard.closed {
		shard.mu.Unlock()
		return nil, ErrHubClosed
	}
	f := shard.byName[name]
	first := f == nil
	if first {
		if r.hub.feedCount.Add(1) > int64(r.hub.config.MaxTopics) {
			r.hub.feedCount.Add(-1)
			shard.mu.Unlock()
			return nil, ErrTooManyTopics
		}
		f = &feed{name: name, subject: r.appendSubject(nil, name), ready: make(chan struct{})}
		f.owner = r.make(f)
		if shard.byName == nil {
			shard.byName = make(map[string]*feed)
		}
		shard.byName[name] = f
	}
	f.pins++
	f.idle = time.Time{}
	shard.mu.Unlock()
	if first {
		r.subscribe(shard, f)
	}
	<-f.ready
	return f, f.err // with an error nobody holds it any more
}

// subscribe makes the subscription of a feed, without a lock.
func (r *feeds) subscribe(shard *feedShard, f *feed) {
	f.cancel = func() {}
	if broker := r.hub.out.broker; broker != nil {
		cancel, err := broker.Subscribe(string(f.subject), f.owner)
		if err != nil {
			r.hub.failed("subscribe", f.subject, err)
			f.err = &BrokerError{Operation: "subscribe", Err: err}
		} else {
			f.cancel = cancel
		}
	}
	shard.mu.Lock()
	if shard.closed && f.err == nil {
		f.cancel()
		f.err = ErrHubClosed
	}
	if f.err != nil && !shard.closed {
		delete(shard.byName, f.name)
		r.hub.feedCount.Add(-1)
	}
	close(f.ready)
	shard.mu.Unlock()
}

func (r *feeds) unpin(f *feed) {
	shard := r.shard(f.name)
	shard.mu.Lock()
	f.pins--
	shard.mu.Unlock()
}

// sweep ends the subscriptions that nobody has used for that long.
func (r *feeds) sweep(now time.Time, grace time.Duration) {
	var over []*feed
	for i := range r.shards {
		shard := &r.shards[i]
		shard.mu.Lock()
		for name, f := range shard.byName {
			switch {
			case f.pins > 0 || f.owner.inUse():
				f.idle = time.Time{}
			case f.idle.IsZero():
				f.idle = now
			case now.Sub(f.idle) >= grace:
				delete(shard.byName, name)
				over = append(over, f)
			}
		}
		shard.mu.Unlock()
	}
	for _, f := range over {
		f.cancel()
	}
	r.hub.feedCount.Add(-int64(len(over)))
}

// each visits every feed that is ready, without a lock.
func (r *feeds) each(visit func(*feed)) {
	var list []*feed
	for i := range r.shards {
		shard := &r.shards[i]
		shard.mu.RLock()
		for _, f := range shard.byName {
			list = append(list, f)
		}
		shard.mu.RUnlock()
		for _, f := range list {
			select {
			case <-f.ready:
				if f.err == nil {
					visit(f)
				}
			default: // whoever makes the subscription sees to it
			}
		}
		clear(list)
		list = list[:0]
	}
}

// close ends all subscriptions and lets nobody in any more.
func (r *feeds) close(visit func(*feed)) {
	for i := range r.shards {
		shard := &r.shards[i]
		shard.mu.Lock()
		shard.closed = true
		shard.mu.Unlock()
	}
	r.each(func(f *feed) {
		visit(f)
		f.cancel()
	})
	for i := range r.shards {
		shard := &r.shards[i]
		shard.mu.Lock()
		r.hub.feedCount.Add(-int64(len(shard.byName)))
		shard.byName = nil
		shard.mu.Unlock()
	}
}

// agenda is what a hub has to do soon. Each thing stands in it once.
type agenda struct {
	mu   sync.Mutex
	list []chore
	kick chan struct{}
}

// chore is something on the agenda.
type chore interface {
	// listed says whether it stands in the agenda.
	listed() *atomic.Bool
	// work does it; again means that the rest has to wait for the next tick.
	work(now time.Time) (again bool)
}

func (a *agenda) add(c chore) {
	if c.listed().Swap(true) {
		return
	}
	a.mu.Lock()
	a.list = append(a.list, c)
	a.mu.Unlock()
	select {
	case a.kick <- struct{}{}:
	default:
	}
}

func (a *agenda) take() []chore {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.list
	a.list = nil
	return list
}
