package main

import (
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/examples/chat/store"
)

func (r *room) refuse(c *actor.Context, m enterRoom, code errorCode) {
	if r.roster.byConn[m.conn] == nil {
		m.place.leave()
	}
	c.Engine().Send(m.session, refused{place: m.place, code: code})
}

// enter asks for the nickname, unless the client has it already.
func (r *room) enter(c *actor.Context, m enterRoom) {
	if m.until.IsZero() {
		m.until = r.node.now().Add(openTimeout)
	}
	// A client may have seen more than this node has.
	isBehind := m.join.epoch == r.node.store.Epoch() && m.join.after > r.last && !m.hasLooked
	if !r.isOpen || isBehind {
		m.hasLooked = r.isOpen
		r.entering = append(r.entering, m)
		r.catchUp(c)
		return
	}
	member := r.roster.byOwner[m.owner]
	if member != nil && member.nick == m.join.nick {
		r.admit(c, m)
		return
	}
	if !r.roster.isFree(m.join.nick, m.owner) {
		r.refuse(c, m, codeNickTaken)
		return
	}
	r.claiming[m.conn] = false
	engine, self, node := c.Engine(), c.PID(), r.node
	go func() {
		ctx, cancel := operation()
		defer cancel()
		err := node.store.Claim(ctx, r.name, foldNick(m.join.nick), m.owner)
		engine.Send(self, claimed{enter: m, err: err})
	}()
}

func (r *room) claimed(c *actor.Context, m claimed) {
	hasLeft := r.claiming[m.enter.conn]
	delete(r.claiming, m.enter.conn)
	switch {
	case errors.Is(m.err, store.ErrTaken):
		r.refuse(c, m.enter, codeNickTaken)
	case m.err != nil:
		r.refuse(c, m.enter, codeUnavailable)
	case hasLeft:
		r.node.store.Release(r.name, foldNick(m.enter.join.nick), m.enter.owner)
	default:
		r.admit(c, m.enter)
	}
}

// admit makes the client a member, and shows it what it has missed.
func (r *room) admit(c *actor.Context, m enterRoom) {
	// The session knows before its client does, so that whatever the client
	// says next finds it in this room; and what the old room says ends here.
	c.Engine().Send(m.session, entered{place: m.place})
	if m.from != nil {
		m.conn.Unsubscribe(m.from.room.topic)
	}
	who := r.roster.byOwner[m.owner]
	switch {
	case who == nil:
		who = &member{owner: m.owner}
		r.roster.byOwner[m.owner] = who
	case who.conn != nil && who.conn != m.conn:
		who.conn.Unsubscribe(&r.topic)
		delete(r.roster.byConn, who.conn)
		_ = who.conn.SendText(encode(newError(codeReplaced, ""))) // it may be closing
	}
	if before := r.roster.byConn[m.conn]; before != nil && before != who {
		delete(r.roster.byConn, m.conn) // it has become somebody else
		before.conn = nil
		r.remove(before)
	}
	if who.nick != m.join.nick {
		if who.nick != "" {
			r.giveBack(who, m.join.nick)
		}
		who.nick = m.join.nick
		// An error means that other nodes do not see the member, until it comes again.
		_ = r.node.hub.JoinAs(hereName(r.name), actor.Member{ID: memberID(who.owner, who.nick, r.node.name), Metadata: who.nick})
	}
	who.conn = m.conn
	r.roster.byConn[m.conn] = who
	m.conn.Unsubscribe(&r.topic) // what it missed comes with joined
	r.notify()
	r.show(m)
	_ = m.conn.Subscribe(&r.topic) // fails only when it has ended, which leave deals with
}

// show sends the client the room, in parts if it has missed much.
func (r *room) show(m enterRoom) {
	epoch := r.node.store.Epoch()
	shown := joinedMessage{Type: "joined", Room: r.name, Nick: m.join.nick, Members: r.roster.names(), Epoch: epoch, Seq: r.last}
	list, complete := r.history.recent(), true
	switch {
	case m.join.after == 0:
	case m.join.epoch != epoch:
		complete = false
	case m.join.after >= r.last:
		list = nil
	default:
		list, complete = r.history.after(m.join.after)
	}
	shown.Gap = !complete
	if m.join.after > 0 {
		m.conn.Recovered(complete)
	}
	first := list[:min(len(list), historyPart)]
	shown.History = append(rawMessages(nil), first...)
	_ = m.conn.SendText(encode(shown)) // an error means that it is closing
	for rest := list[len(first):]; len(rest) > 0; {
		n := min(len(rest), historyPart)
		_ = m.conn.SendText(encode(historyMessage{Type: "history", Room: r.name, History: rest[:n]}))
		rest = rest[n:]
	}
}

// speak stores what somebody says; the store publishes it to all.
func (r *room) speak(c *actor.Context, m speakInRoom) {
	who := r.roster.byConn[m.conn]
	if who == nil {
		_ = m.conn.SendText(encode(newError(codeNotJoined, m.id))) // it may be closing
		return
	}
	r.node.now() // the room's clock is the store's; a broken one shows here
	engine, self := c.Engine(), c.PID()
	r.node.store.Append(store.Draft{
		Room: r.name, Nick: who.nick, Text: m.text, ID: m.id, Conn: m.conn.ID(), Key: digest(who.owner, r.name, m.id),
	}, func(stored store.Stored, err error) {
		switch {
		case errors.Is(err, store.ErrRoomsFull):
			_ = m.conn.SendText(encode(newError(codeRoomsFull, m.id))) // as above
		case err != nil:
			r.node.logger.Warn("not stored", zap.String("room", r.name), zap.Error(err))
			_ = m.conn.SendText(encode(newError(codeUnavailable, m.id)))
		default:
			_ = m.conn.SendText(encode(ackMessage{Type: "ack", Room: r.name, ID: m.id, Seq: stored.Seq}))
			engine.Send(self, wasStored{stored.Seq})
		}
	})
}

func (r *room) count(m countAfter) {
	if !r.isOpen {
		r.counting = append(r.counting, m)
		return
	}
	m.answer <- r.history.countAfter(m.seq)
}

// leave lets a member go, at once or for a while.
func (r *room) leave(c *actor.Context, m leaveRoom) {
	if _, isClaiming := r.claiming[m.conn]; isClaiming {
		r.claiming[m.conn] = true
	}
	for i := 0; i < len(r.entering); i++ {
		if r.entering[i].conn == m.conn {
			r.entering = append(r.entering[:i:i], r.entering[i+1:]...)
			i--
		}
	}
	who := r.roster.byConn[m.conn]
	if who == nil {
		return
	}
	m.conn.Unsubscribe(&r.topic)
	delete(r.roster.byConn, m.conn)
	who.conn = nil
	who.away++
	if m.final {
		r.remove(who)
		return
	}
	over, engine, self := graceOver{who.owner, who.away}, c.Engine(), c.PID()
	time.AfterFunc(leaveGrace, func() { engine.Send(self, over) })
}

func (r *room) remove(who *member) {
	delete(r.roster.byOwner, who.owner)
	r.giveBack(who, "")
	r.notify()
}

// giveBack ends what others know of a member, who may have another nickname now.
func (r *room) giveBack(who *member, next string) {
	r.node.hub.LeaveAs(hereName(r.name), memberID(who.owner, who.nick, r.node.name))
	if foldNick(who.nick) != foldNick(next) {
		r.node.store.Release(r.name, foldNick(who.nick), who.owner)
	}
}
