package actor

import (
	"sync"

	"github.com/tandem-ws/tandem/split"
)

// Topic sends messages to all connections that subscribed to it. The zero
// value is ready; it must not be copied. Publishing encodes once and puts a
// reference into each subscriber's mailbox, without a message to any actor.
type Topic struct {
	mu          sync.RWMutex
	subscribers map[*Conn]struct{}
}

func (t *Topic) add(c *Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.subscribers == nil {
		t.subscribers = make(map[*Conn]struct{})
	}
	t.subscribers[c] = struct{}{}
}

func (t *Topic) remove(c *Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.subscribers, c)
}

// Len returns the number of subscribers.
func (t *Topic) Len() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.subscribers)
}

// Publish queues a message for every subscriber and takes ownership of its
// buffer. It never blocks: a subscriber whose mailbox is full follows its
// policy and delays nobody. It returns how many subscribers took the message.
func (t *Topic) Publish(b *Buffer) int {
	defer b.Release()
	b.Prepare()
	var slow []*Conn
	taken := 0
	t.mu.RLock()
	for c := range t.subscribers {
		wake, err := c.writer.half.Send(b.Retain())
		if wake {
			c.writer.schedule()
		}
		switch err {
		case nil:
			taken++
		case split.ErrSlowConsumer:
			slow = append(slow, c)
		}
	}
	t.mu.RUnlock()
	for _, c := range slow {
		c.slowConsumer(split.ErrSlowConsumer)
	}
	return taken
}
