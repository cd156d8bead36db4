package actor

import (
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// Gap tells a session that messages of a topic from other nodes may be
// missing. Those who need all of them load the topic's state anew. It is sent
// at most once a second for each topic, as any message from another actor: a
// session whose own queue is full loses it, as a counted dead letter.
type Gap struct {
	Topic string
	// Missed is how many messages are missing at least, 0 if nobody knows.
	Missed uint64
}

// hubTopic is a topic by name: the subscribers of this node, and what comes
// from the other nodes.
type hubTopic struct {
	hub     *Hub
	feed    *feed
	topic   Topic
	sources sources // the broker delivers one at a time

	inAgenda atomic.Bool
	missed   atomic.Uint64
	told     time.Time // when sessions were told of a gap; the hub's goroutine only
}

// Subscribe adds the connection to the topic of that name; it leaves by itself
// when it ends. The first one on a node waits for the broker's subscription.
// Subscribing twice is as good as once. The error is a [*NameError], that of
// [Conn.Subscribe], [ErrTooManyTopics], [ErrHubClosed] or a [*BrokerError].
//
// A topic named after a user, which each of the user's connections subscribes
// to, reaches a user on whatever nodes.
func (h *Hub) Subscribe(c *Conn, name string) error {
	f, err := h.topics.pin(name)
	if err != nil {
		return err
	}
	defer h.topics.unpin(f)
	t := f.owner.(*hubTopic)
	if err := c.Subscribe(&t.topic); err != nil {
		return err
	}
	select {
	case <-h.closing: // which may not have seen this one
		c.Unsubscribe(&t.topic)
		return ErrHubClosed
	default:
		return nil
	}
}

// Unsubscribe takes the connection out of the topic.
func (h *Hub) Unsubscribe(c *Conn, name string) {
	if f := h.topics.peek(name); f != nil {
		c.Unsubscribe(&f.owner.(*hubTopic).topic)
	}
}

// Publish sends a message to all subscribers of the topic on all nodes, takes
// ownership of its buffer whatever the outcome, and returns how many on this
// node took it. It does not wait. The error is a [*NameError],
// [wscore.ErrNotDataOpcode], [ErrMessageTooLong] or [ErrHubClosed], and then
// nobody got it; or a [*BrokerError], and then only this node did.
func (h *Hub) Publish(name string, b *Buffer) (taken int, err error) {
	return h.publish(name, b, nil)
}

// PublishFrom is [Hub.Publish] from a connection's own session; see
// [Conn.Publish].
func (h *Hub) PublishFrom(c *Conn, name string, b *Buffer) (taken int, err error) {
	return h.publish(name, b, &c.session)
}

func (h *Hub) publish(name string, b *Buffer, from *sessionProcess) (taken int, err error) {
	kind, err := h.checkMessage(b)
	if err == nil {
		err = checkName(name, MaxTopicName)
	}
	if err != nil {
		b.Release()
		return 0, err
	}
	var space [maxPrefix + 3 + MaxTopicName]byte
	err = h.send(h.topics.appendSubject(space[:0], name), kind, nil, b.Payload())
	f := h.topics.peek(name)
	if f == nil {
		b.Release()
		return 0, err
	}
	return f.owner.(*hubTopic).topic.publish(b, from), err
}

// checkMessage refuses what may not be sent between nodes.
func (h *Hub) checkMessage(b *Buffer) (kind byte, err error) {
	select {
	case <-h.closing:
		return 0, ErrHubClosed
	default:
	}
	switch b.Opcode() {
	case wscore.OpText:
		kind = kindText
	case wscore.OpBinary:
		kind = kindBinary
	default:
		return 0, wscore.ErrNotDataOpcode
	}
	if b.Len() > h.config.MaxMessageBytes {
		return 0, ErrMessageTooLong
	}
	return kind, nil
}

// message makes a buffer of what came from another node, or returns nil if it
// is nothing that may be sent on.
func (h *Hub) message(kind byte, payload []byte) *Buffer {
	var b *Buffer
	switch {
	case len(payload) > h.config.MaxMessageBytes:
	case kind == kindText && utf8.Valid(payload):
		b = h.pool.Binary(payload)
		b.SetOpcode(wscore.OpText)
	case kind == kindBinary:
		b = h.pool.Binary(payload)
	}
	if b == nil {
		h.config.Observer.BrokerFailed("receive")
		return nil
	}
	h.config.Observer.BrokerReceived(len(payload))
	return b
}

func (t *hubTopic) inUse() bool { return t.topic.Len() > 0 }

// Deliver takes a message from another node.
func (t *hubTopic) Deliver(payload []byte) {
	if !t.hub.enter() {
		return
	}
	defer t.hub.leave()
	head, message, missed, ok := t.hub.receive(payload, &t.sources)
	if !ok {
		return
	}
	if missed > 0 {
		t.gap(missed)
	}
	if b := t.hub.message(head.kind, message); b != nil {
		t.topic.Publish(b)
	}
}

// Missed says that the broker has lost something.
func (t *hubTopic) Missed() { t.gap(0) }

func (t *hubTopic) gap(missed uint64) {
	t.hub.config.Observer.BrokerGap()
	t.missed.Add(missed)
	t.hub.agenda.add(t)
}

func (t *hubTopic) listed() *atomic.Bool { return &t.inAgenda }

// work tells the sessions of a gap.
func (t *hubTopic) work(now time.Time) (again bool) {
	if now.Sub(t.told) < gapPace {
		return true
	}
	t.told = now
	t.inAgenda.Store(false) // before the number is taken, so that none is forgotten
	gap := Gap{Topic: t.feed.name, Missed: t.missed.Swap(0)}
	for _, c := range t.conns() {
		if !c.over.Load() {
			c.session.post(envelope{message: gap})
		}
	}
	return false
}

// conns returns the subscribers of this node.
func (t *hubTopic) conns() (list []*Conn) {
	for i := range t.topic.shards {
		list = t.topic.shards[i].appendTo(list)
	}
	return list
}

// dismiss takes everybody out.
func (t *hubTopic) dismiss() {
	for _, c := range t.conns() {
		c.Unsubscribe(&t.topic)
	}
}

// Attach makes the connections of a server known to the hub, so that
// [Hub.Send] reaches them from everywhere. The error is [ErrHubClosed] or a
// [*BrokerError].
func (h *Hub) Attach(s *Server) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return ErrHubClosed
	}
	if h.inbox == nil && h.out.broker != nil {
		in := &inbox{hub: h}
		subject := h.appendInbox(nil, connPrefix)
		cancel, err := h.out.broker.Subscribe(string(subject), in)
		if err != nil {
			h.failed("subscribe", subject, err)
			return &BrokerError{Operation: "subscribe", Err: err}
		}
		h.inbox, h.unInbox = in, cancel
	}
	hosts := append(append([]*host(nil), *h.hosts.Load()...), &s.host)
	h.hosts.Store(&hosts)
	return nil
}

// appendInbox appends the subject of a process: what its connections' ids begin
// with, without the dash.
func (h *Hub) appendInbox(to []byte, prefix string) []byte {
	return append(append(append(to, h.config.Prefix...), ".c."...), prefix[:len(prefix)-1]...)
}

// conn returns the open connection of an attached server with that id, or nil.
func (h *Hub) conn(id []byte) *Conn {
	for _, host := range *h.hosts.Load() {
		if c := host.conn(string(id)); c != nil {
			return c
		}
	}
	return nil
}

// maxConnID bounds the ids of connections.
const maxConnID = 64

// Send sends a message to the connection with that id, on whatever node, and
// takes ownership of its buffer whatever the outcome. It does not wait. For a
// connection of this process the error is that of [Conn.TrySend]; otherwise nil
// means that it is on its way, and that a connection which is gone by then does
// not get it. The error is also [ErrNoConnection] for an id that no other
// process can have, [wscore.ErrNotDataOpcode], [ErrMessageTooLong],
// [ErrHubClosed] or a [*BrokerError].
func (h *Hub) Send(id string, b *Buffer) error {
	kind, err := h.checkMessage(b)
	if err != nil {
		b.Release()
		return err
	}
	if c := h.conn([]byte(id)); c != nil {
		return c.TrySend(b)
	}
	defer b.Release()
	length := len(connPrefix)
	if h.out.broker == nil || len(id) <= length || len(id) > maxConnID || id[length-1] != '-' || checkName(id[:length-1], length) != nil {
		return ErrNoConnection
	}
	var space [maxPrefix + 3 + maxConnID]byte
	var addressed [1 + maxConnID]byte
	return h.send(h.appendInbox(space[:0], id[:length]), kind, append(append(addressed[:0], byte(len(id))), id...), b.Payload())
}

// inbox takes what is sent to the connections of this process.
type inbox struct {
	hub     *Hub
	sources sources
}

// Deliver hands a message to its connection.
func (in *inbox) Deliver(payload []byte) {
	h := in.hub
	if !h.enter() {
		return
	}
	defer h.leave()
	head, message, missed, ok := h.receive(payload, &in.sources)
	if missed > 0 {
		h.config.Observer.BrokerGap()
	}
	if !ok {
		return
	}
	if len(message) == 0 || len(message) < 1+int(message[0]) {
		h.config.Observer.BrokerFailed("receive")
		return
	}
	id, rest := message[1:1+int(message[0])], message[1+int(message[0]):]
	c := h.conn(id)
	if c == nil {
		h.config.Observer.MessageRefused()
		return
	}
	if b := h.message(head.kind, rest); b != nil {
		if err := c.TrySend(b); err == split.ErrClosed {
			h.config.Observer.MessageRefused()
		}
	}
}

// Missed says that the broker has lost something.
func (in *inbox) Missed() { in.hub.config.Observer.BrokerGap() }
