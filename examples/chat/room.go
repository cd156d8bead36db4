package main

import (
	"runtime/debug"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

// room is the actor that a chat room is: who is in it, what was said last, and
// the topic that everything said goes out on. It reads no JSON and keeps no
// client to any rule: sessions do.
type room struct {
	name    string
	rooms   *rooms
	topic   actor.Topic
	roster  roster
	history history
	seq     uint64
}

// What a session sends to a room. A session's messages arrive in order.
type (
	// enterRoom asks to be a member, or for another nickname; entered or
	// refused is the answer.
	enterRoom struct {
		conn    *actor.Conn
		session *actor.PID
		nick    string
		place   *place // in this room
		from    *place // where the session is now; nil for nowhere
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
	}
	// passOn sends a message to another actor once all before it is done.
	passOn struct {
		to      *actor.PID
		message any
	}
)

// What a room answers to a session.
type (
	entered struct{ place *place }
	refused struct {
		place *place
		code  errorCode
	}
)

func newRoom(name string, rooms *rooms) *room { return &room{name: name, rooms: rooms} }

// Receive handles one message. A panic ends the connection whose message it
// was, and neither the room nor the program.
func (r *room) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case enterRoom:
		defer r.survive(m.conn)
		r.enter(c, m)
	case speakInRoom:
		defer r.survive(m.conn)
		r.speak(m)
	case leaveRoom:
		defer m.place.leave()
		defer r.survive(m.conn)
		r.leave(m.conn)
	case passOn:
		c.Engine().Send(m.to, m.message)
	case actor.Stopped:
		r.rooms.ended()
	}
}

func (r *room) survive(conn *actor.Conn) {
	if v := recover(); v != nil {
		r.rooms.logger.Error("room panicked", zap.String("room", r.name), zap.String("connection", conn.ID()),
			zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
		_ = conn.Close(wscore.CloseInternalError, "internal error") // it may be closing already
	}
}

func (r *room) enter(c *actor.Context, m enterRoom) {
	before, isMember := r.roster.nick(m.conn)
	if !r.roster.isFree(m.nick, m.conn) {
		if !isMember {
			m.place.leave()
		}
		c.Engine().Send(m.session, refused{place: m.place, code: codeNickTaken})
		return
	}
	// The session knows before its client does, so that whatever the client
	// says next finds it in this room; and what the old room says ends here.
	c.Engine().Send(m.session, entered{place: m.place})
	if m.from != nil {
		m.conn.Unsubscribe(m.from.room.topic)
	}
	if before != m.nick {
		if isMember {
			r.roster.remove(m.conn)
			r.notify(noticeLeave, before, m.conn)
		}
		r.roster.add(m.conn, m.nick)
		r.notify(noticeJoin, m.nick, m.conn)
	}
	_ = m.conn.SendText(encode(joinedMessage{ // an error means that it is closing
		Type: "joined", Room: r.name, Nick: m.nick, Members: r.roster.names(), History: r.history.all(),
	}))
	_ = m.conn.Subscribe(&r.topic) // fails only when it has ended, which leave deals with
}

func (r *room) speak(m speakInRoom) {
	nick, ok := r.roster.nick(m.conn)
	if !ok {
		return // a session speaks only where it was let in
	}
	r.seq++
	message := encode(chatMessage{Type: "message", Room: r.name, Seq: r.seq, Nick: nick, Text: m.text, At: r.at(), ID: m.id})
	r.history.add(message)
	r.topic.Publish(m.conn.Text(message))
}

func (r *room) leave(conn *actor.Conn) {
	nick, ok := r.roster.remove(conn)
	if !ok {
		return
	}
	conn.Unsubscribe(&r.topic)
	r.notify(noticeLeave, nick, conn)
}

// notify tells all who listen that somebody came or went.
func (r *room) notify(kind, nick string, conn *actor.Conn) {
	if r.topic.Len() == 0 {
		return
	}
	r.topic.Publish(conn.Text(encode(noticeMessage{
		Type: "notice", Kind: kind, Room: r.name, Nick: nick, At: r.at(), Members: r.roster.names(),
	})))
}

func (r *room) at() string { return formatTime(r.rooms.now()) }
