package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	hollywood "github.com/anthdm/hollywood/actor"
	"github.com/tandem-ws/tandem/actor"
)

const (
	// maxRooms is how many rooms there may be at once. Over it: rooms_full.
	maxRooms = 1000
	// maxMembers is how many may be in a room, or on their way into it.
	// Over it: room_full.
	maxMembers = 500
	// roomInbox is what a room's inbox holds before it has to grow.
	roomInbox = 64
	// roomLinger is how long a room that nobody is in stays open, which holds for
	// those who come back, and for who only wants to know what is unread.
	roomLinger = 30 * time.Second
)

// rooms is the directory: it starts a room for the first who wants in and
// stops it some time after the last has left. Whoever wants in takes a place
// first, and a room with a place taken is never stopped, so that no message to
// it is lost. It is safe for use from many goroutines.
type rooms struct {
	node *node

	closing bool

	mu      sync.Mutex
	byName  map[string]*roomEntry
	started uint64        // how many rooms there have been
	live    int           // room actors that have not ended
	idle    chan struct{} // closed when live falls to 0; nil before the first room
}

// roomEntry is a room as others know it.
type roomEntry struct {
	name  string
	pid   *actor.PID
	topic *actor.Topic
	taken int         // places; guarded by the directory's lock
	idle  *time.Timer // runs while none is taken
}

// place is the right to be in a room. It is given back once, by the room
// itself.
type place struct {
	rooms *rooms
	room  *roomEntry
	once  sync.Once
}

func newRooms(node *node) *rooms { return &rooms{node: node, byName: make(map[string]*roomEntry)} }

// take takes a place in the room of that name. With no place to be had it
// returns the error code that says why.
func (r *rooms) take(name string) (*place, errorCode) {
	r.mu.Lock()
	defer r.mu.Unlock()
	entry := r.byName[name]
	switch {
	case r.closing: // nobody is left to be in it; who asks what is unread comes too late
		return nil, codeUnavailable
	case entry == nil && len(r.byName) >= maxRooms && !r.stopIdle():
		return nil, codeRoomsFull
	case entry == nil:
		entry = r.start(name)
	case entry.taken >= maxMembers:
		return nil, codeRoomFull
	}
	if entry.idle != nil {
		entry.idle.Stop()
		entry.idle = nil
	}
	entry.taken++
	return &place{rooms: r, room: entry}, ""
}

// start starts a room. The caller holds the lock.
func (r *rooms) start(name string) *roomEntry {
	r.started++
	if r.live == 0 {
		r.idle = make(chan struct{})
	}
	r.live++
	receiver := newRoom(name, r)
	// The actor's id is used once only: a room of that name may still be ending.
	pid := r.node.engine.Spawn(func() actor.Receiver { return receiver }, "room",
		hollywood.WithID(name+"/"+strconv.FormatUint(r.started, 10)), hollywood.WithInboxSize(roomInbox))
	entry := &roomEntry{name: name, pid: pid, topic: &receiver.topic}
	r.byName[name] = entry
	return entry
}

// leave gives the place back. More than one call does no harm.
func (p *place) leave() {
	p.once.Do(func() {
		r := p.rooms
		r.mu.Lock()
		defer r.mu.Unlock()
		p.room.taken--
		switch {
		case p.room.taken > 0:
		case r.closing:
			r.stop(p.room)
		default:
			p.room.idle = time.AfterFunc(roomLinger, func() { r.expire(p.room) })
		}
	})
}

// expire stops a room that has been idle for long.
func (r *rooms) expire(entry *roomEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if entry.taken == 0 {
		r.stop(entry)
	}
}

// stopIdle stops some room that nobody is in, to make place for another.
func (r *rooms) stopIdle() bool {
	for _, entry := range r.byName {
		if entry.taken == 0 {
			r.stop(entry)
			return true
		}
	}
	return false
}

// stop stops a room, which is the only place that does. The caller holds the
// lock.
func (r *rooms) stop(entry *roomEntry) {
	if r.byName[entry.name] != entry {
		return
	}
	delete(r.byName, entry.name)
	if entry.idle != nil {
		entry.idle.Stop()
	}
	r.node.engine.Poison(entry.pid)
}

// ended counts a room out.
func (r *rooms) ended() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live--; r.live == 0 {
		close(r.idle)
	}
}

// len returns the number of rooms.
func (r *rooms) len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.byName)
}

// wait stops the rooms that nobody is in, and the others as they are left, and
// waits until there is none.
func (r *rooms) wait(ctx context.Context) error {
	r.mu.Lock()
	r.closing = true
	for _, entry := range r.byName {
		if entry.taken == 0 {
			r.stop(entry)
		}
	}
	idle := r.idle
	r.mu.Unlock()
	if idle == nil {
		return nil
	}
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
