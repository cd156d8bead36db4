package actor

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/tandem-ws/tandem/split"
)

// Topic sends messages to all connections that subscribed to it. The zero
// value is ready; it must not be copied. Publishing encodes once and puts a
// reference into each subscriber's mailbox, without a message to any actor;
// compressed forms are made once each, when the first writer needs them.
//
// Subscribers are kept in shards, each behind a lock of its own, so that many
// can come and go at once; no lock is held while they are sent to.
type Topic struct {
	left   func(*Conn) // called as a connection leaves; nil for most
	count  atomic.Int64
	shards [topicShards]topicShard
	sample atomic.Uint32 // counts messages, to time some of them
}

const topicShards = 8

type topicShard struct {
	mu          sync.RWMutex
	subscribers []*subscription
}

// subscription is a connection's place in a topic.
type subscription struct {
	topic    *Topic
	conn     *Conn
	position int           // in its shard, guarded by the shard's lock
	next     *subscription // of the connection, guarded by its lock
}

// MaxSubscriptions is how many topics a connection may subscribe to.
const MaxSubscriptions = 1024

// Why a connection cannot subscribe.
var (
	// ErrTooManySubscriptions: it has [MaxSubscriptions] already.
	ErrTooManySubscriptions = errors.New("websocket: too many subscriptions of one connection")
	// ErrBlockingSubscriber: its policy is [split.Block], which would let one
	// slow subscriber delay the others.
	ErrBlockingSubscriber = errors.New("websocket: a connection with the policy block cannot subscribe")
)

func (t *Topic) shard(c *Conn) *topicShard { return &t.shards[c.number%topicShards] }

func (t *Topic) add(c *Conn) *subscription {
	s := &subscription{topic: t, conn: c}
	shard := t.shard(c)
	shard.mu.Lock()
	s.position = len(shard.subscribers)
	shard.subscribers = append(shard.subscribers, s)
	shard.mu.Unlock()
	t.count.Add(1)
	c.host.config.Observer.SubscribersChanged(1)
	return s
}

// remove takes a subscription out; the last one of its shard takes its place.
func (s *subscription) remove() {
	shard := s.topic.shard(s.conn)
	shard.mu.Lock()
	last := len(shard.subscribers) - 1
	moved := shard.subscribers[last]
	shard.subscribers[s.position], moved.position = moved, s.position
	shard.subscribers[last] = nil
	shard.subscribers = shard.subscribers[:last]
	if last == 0 {
		shard.subscribers = nil
	}
	shard.mu.Unlock()
	s.topic.count.Add(-1)
	if s.topic.left != nil {
		s.topic.left(s.conn)
	}
	s.conn.host.config.Observer.SubscribersChanged(-1)
}

// Len returns the number of subscribers.
func (t *Topic) Len() int { return int(t.count.Load()) }

// Publish queues a message for every subscriber and takes ownership of its
// buffer. It never blocks: a subscriber whose mailbox is full follows its
// policy and delays nobody. It returns how many subscribers took the message.
//
// What one goroutine publishes arrives everywhere in its order; messages of
// several goroutines may arrive in a different order at each subscriber. A
// connection that unsubscribes meanwhile may still be sent what is being
// published.
func (t *Topic) Publish(b *Buffer) int { return t.publish(b, nil) }

// Publish is [Topic.Publish] from this connection's session: what it publishes
// while it runs leaves together when it has handled the messages that wait for
// it, in one write for each subscriber.
func (c *Conn) Publish(t *Topic, b *Buffer) int { return t.publish(b, &c.session) }

// publish sends to a copy of the lists, without their locks: a send may end
// its connection, which then leaves the topic, or call an application's
// function.
func (t *Topic) publish(b *Buffer, from *sessionProcess) (taken int) {
	defer b.Release()
	b.Prepare()
	b.Stamp(t.sample.Add(1)%timeEvery == 1)
	list, _ := subscriberLists.Get().(*[]*Conn)
	if list == nil {
		list = new([]*Conn)
	}
	for i := range t.shards {
		*list = t.shards[i].appendTo(*list)
	}
	for _, c := range *list {
		wake, err := c.writer.half.TrySend(b.Retain())
		if wake {
			c.writer.schedulePublished(from)
		}
		switch err {
		case nil:
			taken++
		case split.ErrSlowConsumer:
			c.slowConsumer(err)
		}
	}
	if len(*list) > 0 {
		(*list)[0].host.config.Observer.Published(len(*list), taken)
	}
	clear(*list)
	*list = (*list)[:0]
	subscriberLists.Put(list)
	return taken
}

// subscriberLists lends publish its list.
var subscriberLists sync.Pool

func (shard *topicShard) appendTo(list []*Conn) []*Conn {
	shard.mu.RLock()
	defer shard.mu.RUnlock()
	for _, s := range shard.subscribers {
		list = append(list, s.conn)
	}
	return list
}

// Subscribe adds the connection to a topic; it leaves by itself when it ends.
// Subscribing twice is as good as once. The error is [split.ErrClosed],
// [ErrTooManySubscriptions] or [ErrBlockingSubscriber].
func (c *Conn) Subscribe(t *Topic) error {
	if c.host.halves.Mailbox.Policy == split.Block {
		return ErrBlockingSubscriber
	}
	return c.join(t)
}

// join is Subscribe for a topic that may not be published to.
func (c *Conn) join(t *Topic) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.phase == ended:
		return split.ErrClosed
	case *c.subscribed(t) != nil:
		return nil
	case c.topics.length() >= MaxSubscriptions:
		return ErrTooManySubscriptions
	}
	s := t.add(c)
	c.topics, s.next = s, c.topics
	return nil
}

// Unsubscribe takes the connection out of a topic.
func (c *Conn) Unsubscribe(t *Topic) {
	c.mu.Lock()
	defer c.mu.Unlock()
	place := c.subscribed(t)
	if s := *place; s != nil {
		*place = s.next
		s.remove()
	}
}

// subscribed returns what points to the connection's place in a topic, or to
// the end of the list. The caller holds the lock.
func (c *Conn) subscribed(t *Topic) **subscription {
	place := &c.topics
	for *place != nil && (*place).topic != t {
		place = &(*place).next
	}
	return place
}

func (s *subscription) length() (n int) {
	for ; s != nil; s = s.next {
		n++
	}
	return n
}
