package main

import (
	"runtime/debug"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/examples/chat/store"
	"github.com/tandem-ws/tandem/wscore"
)

// room is the actor that a chat room is on this node: who is in it, what was
// said last, and the topic that everything said goes out on. What is said is
// stored first, and comes back from the store on every node in one order. It
// reads no JSON and keeps no client to any rule: sessions do.
type room struct {
	name   string
	rooms  *rooms
	node   *node
	topic  actor.Topic
	roster roster

	history  history
	last     uint64 // the number of the last message that went out
	expected uint64 // the highest number that somebody has heard of
	overdue  bool   // it was there at the last tick too
	ticks    int
	timer    *time.Timer

	isOpen    bool // the history is there
	opening   bool
	catching  bool // something of the store is being read
	reaching  uint64
	unfollow  func()
	entering  []enterRoom // wait for the room to open, or to catch up
	counting  []countAfter
	claiming  map[*actor.Conn]bool // whether they have left meanwhile
	announced int                  // how many members other nodes were told of
}

// Times of a room.
const (
	// leaveGrace is how long a member may be away without the others noticing.
	leaveGrace = 3 * time.Second
	// roomTick is how often a room looks whether something is overdue.
	roomTick = time.Second
	// roomLook is after how many ticks it looks even if nothing seems to be.
	roomLook = 10
	// openTimeout is how long a join waits for the room to open.
	openTimeout = operationTimeout
)

// What a session sends to a room. A session's messages arrive in order.
type (
	// enterRoom asks to be a member, or for another nickname; entered or
	// refused is the answer.
	enterRoom struct {
		conn    *actor.Conn
		session *actor.PID
		join    join
		owner   string
		place   *place // in this room
		from    *place // where the session is now; nil for nowhere
		// Of the room's own: how long it waits, and whether for more of the store.
		until     time.Time
		hasLooked bool
	}
	// speakInRoom says something to all members.
	speakInRoom struct {
		conn     *actor.Conn
		id, text string
	}
	// leaveRoom ends a membership, if there is one, and gives the place back.
	leaveRoom struct {
		conn  *actor.Conn
		place *place
		final bool // nobody is going to come back
	}
	// passOn sends a message to another actor once all before it is done.
	passOn struct {
		to      *actor.PID
		message any
	}
	// countAfter asks how many messages came after one; the answer has room.
	countAfter struct {
		seq    uint64
		answer chan<- int
	}
)

// What a room sends to itself.
type (
	opened struct {
		page     store.Page
		unfollow func()
		err      error
	}
	caughtUp struct {
		page store.Page
		err  error
	}
	claimed struct {
		enter enterRoom
		err   error
	}
	wasStored struct{ seq uint64 }
	graceOver struct {
		owner string
		away  uint64
	}
	tick struct{}
)

// What a room answers to a session.
type (
	entered struct{ place *place }
	refused struct {
		place *place
		code  errorCode
	}
)

func newRoom(name string, rooms *rooms) *room {
	return &room{name: name, rooms: rooms, node: rooms.node, roster: newRoster(), claiming: make(map[*actor.Conn]bool)}
}

// Receive handles one message. A panic ends the connection whose message it
// was, and neither the room nor the program.
func (r *room) Receive(c *actor.Context) {
	defer r.survive(nil)
	switch m := c.Message().(type) {
	case actor.Started:
		r.open(c)
		r.tick(c)
	case enterRoom:
		defer r.survive(m.conn)
		r.enter(c, m)
	case claimed:
		defer r.survive(m.enter.conn)
		r.claimed(c, m)
	case speakInRoom:
		defer r.survive(m.conn)
		r.speak(c, m)
	case leaveRoom:
		defer m.place.leave()
		defer r.survive(m.conn)
		r.leave(c, m)
	case passOn:
		c.Engine().Send(m.to, m.message)
	case countAfter:
		r.count(m)
	case store.Message:
		r.hear(c, m)
	case wasStored:
		r.expected = max(r.expected, m.seq)
	case opened:
		r.opened(c, m)
	case caughtUp:
		r.caughtUp(c, m)
	case actor.PresenceChange:
		r.roster.take(m, r.node.name)
		r.notify()
	case graceOver:
		if member := r.roster.byOwner[m.owner]; member != nil && member.conn == nil && member.away == m.away {
			r.remove(member)
		}
	case tick:
		r.tick(c)
	case actor.Stopped:
		r.end()
	}
}

func (r *room) survive(conn *actor.Conn) {
	if v := recover(); v != nil {
		r.node.logger.Error("room panicked", zap.String("room", r.name), zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
		if conn == nil {
			return
		}
		_ = conn.Close(wscore.CloseInternalError, "internal error") // it may be closing already
	}
}

// tick looks whether the room could open, or something is overdue.
func (r *room) tick(c *actor.Context) {
	engine, self := c.Engine(), c.PID()
	r.timer = time.AfterFunc(roomTick, func() { engine.Send(self, tick{}) })
	r.ticks++
	switch isLate := r.expected > r.last; {
	case !r.isOpen:
		r.giveUp(c)
		r.open(c)
	case isLate && r.overdue, r.ticks%roomLook == 0:
		r.catchUp(c)
		r.overdue = false
	default:
		r.overdue = isLate
	}
	if n := len(r.roster.byOwner); n != r.announced {
		r.announced = n
		if n == 0 {
			r.node.hub.LeaveAs(roomsName, r.announceID())
		} else if r.node.hub.JoinAs(roomsName, actor.Member{ID: r.announceID(), Metadata: r.name + " " + strconv.Itoa(n)}) != nil {
			r.announced = -1 // again at the next tick
		}
	}
}

func (r *room) announceID() string { return r.node.name + "/" + r.name }

// open reads the history and follows what is said and who comes and goes. That
// may wait for the network, so that it is done by the way.
func (r *room) open(c *actor.Context) {
	if r.opening {
		return
	}
	r.opening = true
	engine, self, node := c.Engine(), c.PID(), r.node
	go func() {
		var result opened
		result.unfollow, result.err = node.store.Follow(r.name, func(m store.Message) { engine.Send(self, m) })
		if result.err == nil {
			ctx, cancel := operation()
			defer cancel()
			result.page, result.err = node.store.After(ctx, r.name, 0)
			if result.err == nil {
				result.err = node.hub.Watch(hereName(r.name), self)
			}
			if result.err != nil {
				result.unfollow()
			}
		}
		engine.Send(self, result)
	}()
}

func (r *room) opened(c *actor.Context, m opened) {
	r.opening = false
	if m.err != nil {
		r.node.logger.Warn("room cannot open", zap.String("room", r.name), zap.Error(m.err))
		return // at the next tick again
	}
	r.isOpen, r.unfollow = true, m.unfollow
	for _, said := range m.page.Messages {
		r.accept(said)
	}
	r.letIn(c)
	for _, waiting := range r.counting {
		r.count(waiting)
	}
	r.counting = nil
	if r.expected > r.last {
		r.catchUp(c)
	}
}

// giveUp refuses those who have waited too long.
func (r *room) giveUp(c *actor.Context) {
	var left []enterRoom
	for _, m := range r.entering {
		if r.node.now().Before(m.until) {
			left = append(left, m)
		} else {
			r.refuse(c, m, codeUnavailable)
		}
	}
	r.entering = left
}

func (r *room) letIn(c *actor.Context) {
	waiting := r.entering
	r.entering = nil
	for _, m := range waiting {
		r.enter(c, m)
	}
}

// hear takes what the store publishes again. What is not next shows that
// something is missing.
func (r *room) hear(c *actor.Context, m store.Message) {
	r.expected = max(r.expected, m.Seq)
	switch {
	case !r.isOpen:
	case m.Seq > r.last && m.Prev == r.last:
		r.accept(m)
	case m.Seq == 0 || m.Seq > r.last:
		r.catchUp(c)
	}
}

// catchUp reads what was missed.
func (r *room) catchUp(c *actor.Context) {
	if r.catching || !r.isOpen {
		return
	}
	r.catching, r.reaching = true, r.expected
	engine, self, node, last := c.Engine(), c.PID(), r.node, r.last
	go func() {
		ctx, cancel := operation()
		defer cancel()
		page, err := node.store.After(ctx, r.name, last)
		engine.Send(self, caughtUp{page: page, err: err})
	}()
}

func (r *room) caughtUp(c *actor.Context, m caughtUp) {
	r.catching = false
	if m.err == nil {
		for _, said := range m.page.Messages {
			r.accept(said)
		}
		if r.expected <= r.reaching {
			r.expected = r.last // what was heard of and is not there is not going to come
		}
	}
	r.letIn(c)
	if m.err == nil && r.expected > r.last {
		r.catchUp(c)
	}
}

// accept sends a message out to all members, once and in order.
func (r *room) accept(m store.Message) {
	if m.Seq <= r.last {
		return
	}
	message := encode(chatMessage{Type: "message", Room: r.name, Seq: m.Seq, Prev: m.Prev, Nick: m.Nick, Text: m.Text, At: formatTime(m.At), ID: m.ID})
	if m.Prev != r.last || len(r.history.messages) == 0 {
		r.history = history{before: m.Prev}
	}
	r.last = m.Seq
	r.history.add(m.Seq, message)
	if r.topic.Len() > 0 {
		r.topic.Publish(r.node.hub.Text(message))
	}
}

// notify tells all who listen that somebody came or went.
func (r *room) notify() {
	joined, left := r.roster.update()
	if r.topic.Len() == 0 {
		return
	}
	n := len(left) + len(joined)
	tell := func(kind, nick string) {
		notice := noticeMessage{Type: "notice", Kind: kind, Room: r.name, Nick: nick, At: formatTime(r.node.now())}
		if n--; n == 0 {
			notice.Members = r.roster.names()
		}
		r.topic.Publish(r.node.hub.Text(encode(notice)))
	}
	for _, nick := range left {
		tell(noticeLeave, nick)
	}
	for _, nick := range joined {
		tell(noticeJoin, nick)
	}
}

// end gives back all that the room has.
func (r *room) end() {
	r.timer.Stop()
	if r.unfollow != nil {
		r.unfollow()
	}
	for _, who := range r.roster.byOwner {
		r.giveBack(who, "")
	}
	r.node.hub.LeaveAs(roomsName, r.announceID())
	r.rooms.ended()
}
