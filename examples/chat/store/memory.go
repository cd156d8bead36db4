package store

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store] in this process.
type Memory struct {
	mu     sync.Mutex
	now    func() time.Time
	last   uint64
	rooms  map[string]*memoryRoom
	claims map[string]string
}

type memoryRoom struct {
	messages  []Message
	trimmed   uint64 // the last one that is gone
	known     map[string]knownKey
	followers map[*func(Message)]struct{}
}

type knownKey struct {
	seq uint64
	at  time.Time
}

var _ Store = (*Memory)(nil)

// NewMemory makes an empty store with a clock.
func NewMemory(now func() time.Time) *Memory {
	return &Memory{now: now, rooms: make(map[string]*memoryRoom), claims: make(map[string]string)}
}

// Epoch is always the same: the store ends with its process.
func (m *Memory) Epoch() string { return "memory" }

func (m *Memory) room(name string) *memoryRoom {
	r := m.rooms[name]
	if r == nil {
		r = &memoryRoom{known: make(map[string]knownKey), followers: make(map[*func(Message)]struct{})}
		m.rooms[name] = r
	}
	return r
}

// Append stores at once, and tells in another goroutine.
func (m *Memory) Append(d Draft, done func(Stored, error)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rooms[d.Room] == nil && len(m.rooms) >= MaxRooms {
		go done(Stored{}, ErrRoomsFull)
		return
	}
	r, now := m.room(d.Room), m.now()
	maps.DeleteFunc(r.known, func(_ string, k knownKey) bool { return now.Sub(k.at) > Window })
	if k, again := r.known[d.Key]; again {
		go done(Stored{Seq: k.seq, Again: true}, nil)
		return
	}
	m.last++
	said := Message{Room: d.Room, Seq: m.last, Prev: r.trimmed, Nick: d.Nick, Text: d.Text, ID: d.ID, Conn: d.Conn, At: now}
	if n := len(r.messages); n > 0 {
		said.Prev = r.messages[n-1].Seq
	}
	r.messages = append(r.messages, said)
	if over := len(r.messages) - PerRoom; over > 0 {
		r.trimmed = r.messages[over-1].Seq
		r.messages = slices.Delete(r.messages, 0, over)
	}
	r.known[d.Key] = knownKey{m.last, now}
	for f := range r.followers {
		(*f)(said)
	}
	go done(Stored{Seq: said.Seq}, nil)
}

// After never fails.
func (m *Memory) After(_ context.Context, room string, after uint64) (Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rooms[room]
	if r == nil {
		return Page{Complete: after == 0}, nil
	}
	at, _ := slices.BinarySearchFunc(r.messages, after+1, func(m Message, seq uint64) int { return int(int64(m.Seq) - int64(seq)) })
	return Page{Messages: slices.Clone(r.messages[at:]), Complete: after == 0 || r.trimmed <= after}, nil
}

// Follow calls f while the message is being stored.
func (m *Memory) Follow(room string, f func(Message)) (stop func(), err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, key := m.room(room), &f
	r.followers[key] = struct{}{}
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(r.followers, key)
		if len(r.followers) == 0 && r.messages == nil {
			delete(m.rooms, room)
		}
	}, nil
}

// Rooms returns those in which something was said.
func (m *Memory) Rooms(context.Context) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for name, r := range m.rooms {
		if len(r.messages) > 0 {
			names = append(names, name)
		}
	}
	return names, nil
}

// Claim never waits.
func (m *Memory) Claim(_ context.Context, room, nick, owner string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if has, taken := m.claims[room+"/"+nick]; taken && has != owner {
		return ErrTaken
	}
	m.claims[room+"/"+nick] = owner
	return nil
}

// Release frees what the owner has.
func (m *Memory) Release(room, nick, owner string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.claims[room+"/"+nick] == owner {
		delete(m.claims, room+"/"+nick)
	}
}

// Watch does nothing: memory is always there.
func (m *Memory) Watch(func(bool)) {}

// Close does nothing.
func (m *Memory) Close() {}
