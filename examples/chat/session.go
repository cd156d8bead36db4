package main

import (
	"net/http"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

const (
	// joinTimeout is how long a client may take over its first join.
	// Over it: close 1008.
	joinTimeout = 10 * time.Second
	// maxWaiting is how many requests may wait while a room decides about a
	// join. Over it: too_fast.
	maxWaiting = messageBurst
	// serviceNick is what the service beside the chat goes by: nobody else does.
	serviceNick = "bot"
)

// session is one connection's end of the chat: it reads what the client asks
// for, keeps it to its rate, and passes it on to the room that it is in.
type session struct {
	rooms *rooms
	node  *node
	conn  *actor.Conn
	user  string // whose token it is, "" without tokens
	aside string // the topic that it is subscribed to beside its room's
	nick  string // in the room that the client is in
	typed time.Time

	limiter      limiter
	refusedInRow int
	joinTimer    *time.Timer
	hasAsked     bool // to join, whatever the answer
	closing      bool // we close the connection: nothing more is read

	place     *place // in the room that the client is in; nil for none
	asked     *place // in the room that has not answered yet; nil for none
	askedNick string
	waiting   []any // what the client asked for meanwhile, oldest first
}

// joinOverdue tells a session that its client took too long to join.
type joinOverdue struct{}

// newSession lets a client in that speaks the chat's subprotocol, and shows a
// token if they are needed.
func newSession(rooms *rooms) actor.NewSession {
	return func(h *actor.Handshake) (actor.Receiver, error) {
		user := ""
		if a := rooms.node.auth; a != nil {
			var err error
			if user, err = a.check(tokenOf(h), rooms.node.now()); err != nil {
				return nil, actor.Reject(http.StatusUnauthorized, err.Error())
			}
		}
		if h.SelectSubprotocol(subprotocol) == "" {
			return nil, actor.Reject(http.StatusBadRequest, "the subprotocol "+subprotocol+" is needed")
		}
		return &session{rooms: rooms, node: rooms.node, user: user}, nil
	}
}

// Receive handles one message, from the client or from a room.
func (s *session) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.open(c, m.Conn)
	case *actor.Message:
		s.read(c, m)
	case entered:
		s.entered(c, m)
	case refused:
		s.refused(c, m)
	case joinOverdue:
		if !s.hasAsked {
			s.close(wscore.ClosePolicyViolation, "no join in time")
		}
	case actor.Closed:
		// Who says goodbye is not coming back; who is lost may be.
		s.end(c, m.Initiator == actor.Remote && m.Code == wscore.CloseNormal)
	case actor.Stopped:
		s.end(c, false)
	}
}

func (s *session) open(c *actor.Context, conn *actor.Conn) {
	s.conn = conn
	_ = conn.Subscribe(&s.node.everybody) // fails only when it has ended
	s.send(newWelcome(conn.ID(), s.node.name, s.node.storing.Load()))
	engine, self := c.Engine(), c.PID()
	s.joinTimer = time.AfterFunc(joinTimeout, func() { engine.Send(self, joinOverdue{}) })
}

// read takes one message from the client.
func (s *session) read(c *actor.Context, m *actor.Message) {
	if s.closing {
		return
	}
	if !m.IsText() {
		s.close(wscore.CloseUnsupportedData, "text messages only")
		return
	}
	request, problem := readMessage(m.Bytes())
	if !s.limiter.allow(time.Now()) {
		s.tooFast(request, problem)
		return
	}
	s.refusedInRow = 0
	if problem != nil {
		s.send(problem)
		return
	}
	if _, ok := request.(join); ok && !s.hasAsked {
		s.hasAsked = true
		s.joinTimer.Stop()
	}
	if s.asked == nil {
		s.do(c, request)
		return
	}
	if len(s.waiting) == maxWaiting {
		s.tooFast(request, nil)
		return
	}
	s.waiting = append(s.waiting, request)
}

// tooFast refuses a message whatever it says, and ends the connection of a
// client that does not slow down.
func (s *session) tooFast(request any, problem *errorMessage) {
	if s.refusedInRow++; s.refusedInRow >= maxRefusedInRow {
		s.close(wscore.ClosePolicyViolation, "too many messages")
		return
	}
	id := ""
	if said, ok := request.(say); ok {
		id = said.id
	} else if problem != nil {
		id = problem.ID
	}
	s.send(newError(codeTooFast, id))
}

// do carries out a request.
func (s *session) do(c *actor.Context, request any) {
	switch r := request.(type) {
	case join:
		s.join(c, r)
	case say:
		if s.place == nil {
			s.send(newError(codeNotJoined, r.id))
			return
		}
		c.Engine().Send(s.place.room.pid, speakInRoom{conn: s.conn, id: r.id, text: r.text})
	case typing:
		s.showTyping()
	case ping:
		s.send(pongMessage{Type: "pong", ID: r.id})
	case listRooms:
		go s.rooms.list(s.conn, r)
	}
}

// typingPause is how often others are told that somebody is typing.
const typingPause = 2 * time.Second

// showTyping tells the others in the room, on all nodes, without the room: it is not
// kept, and it does not matter if it is lost.
func (s *session) showTyping() {
	if s.place == nil || s.aside == "" || time.Since(s.typed) < typingPause {
		return
	}
	s.typed = time.Now()
	message := encode(typingMessage{Type: "typing", Room: s.place.room.name, Nick: s.nick})
	_, _ = s.node.hub.PublishFrom(s.conn, s.aside, s.conn.Text(message)) // as above
}

// listen subscribes to what is not kept of a room, or to none.
func (s *session) listen(room string) {
	wanted := ""
	if room != "" {
		wanted = asideName(room)
	}
	if s.aside == wanted {
		return
	}
	if s.aside != "" {
		s.node.hub.Unsubscribe(s.conn, s.aside)
		s.aside = ""
	}
	if wanted != "" && s.node.hub.Subscribe(s.conn, wanted) == nil { // without, nobody is seen typing
		s.aside = wanted
	}
}

// join asks a room to let the client in; the client stays where it is until
// the room has.
func (s *session) join(c *actor.Context, r join) {
	if s.user != "" && s.user != r.nick {
		s.send(newError(codeNotYours, ""))
		return
	}
	if foldNick(r.nick) == foldNick(serviceNick) {
		s.send(newError(codeNickTaken, ""))
		return
	}
	owner := digest("connection", s.conn.ID())
	switch {
	case s.user != "" && r.client != "":
		owner = digest("user", s.user, r.client)
	case r.client != "":
		owner = digest("client", r.client)
	}
	wanted := s.place
	if wanted == nil || wanted.room.name != r.room {
		var code errorCode
		if wanted, code = s.rooms.take(r.room); wanted == nil {
			s.send(newError(code, ""))
			return
		}
	}
	s.asked, s.askedNick = wanted, r.nick
	s.tellAsked(c, enterRoom{conn: s.conn, session: c.PID(), join: r, owner: owner, place: wanted, from: s.place})
}

// tellAsked sends to the room that was asked, by way of the room that the
// client is in: what it said there is sent out before the other room answers.
func (s *session) tellAsked(c *actor.Context, message any) {
	if s.place == nil {
		c.Engine().Send(s.asked.room.pid, message)
		return
	}
	c.Engine().Send(s.place.room.pid, passOn{to: s.asked.room.pid, message: message})
}

// entered: the room that was asked let the client in.
func (s *session) entered(c *actor.Context, m entered) {
	if s.asked != m.place {
		return // the session has ended meanwhile
	}
	if s.place != nil && s.place != m.place {
		s.leave(c, s.place, true)
	}
	s.place, s.asked, s.nick = m.place, nil, s.askedNick
	s.listen(m.place.room.name)
	s.catchUp(c)
}

// refused: the room that was asked did not.
func (s *session) refused(c *actor.Context, m refused) {
	if s.asked != m.place {
		return
	}
	s.asked = nil
	s.send(newError(m.code, ""))
	s.catchUp(c)
}

// catchUp carries out what had to wait, up to the next join.
func (s *session) catchUp(c *actor.Context) {
	for len(s.waiting) > 0 && s.asked == nil && !s.closing {
		next := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.do(c, next)
	}
	if len(s.waiting) == 0 {
		s.waiting = nil
	}
}

func (s *session) leave(c *actor.Context, p *place, final bool) {
	c.Engine().Send(p.room.pid, leaveRoom{conn: s.conn, place: p, final: final})
}

// end leaves every room. It may be called more than once.
func (s *session) end(c *actor.Context, final bool) {
	s.closing = true
	if s.joinTimer != nil {
		s.joinTimer.Stop()
	}
	if s.asked != nil && s.asked != s.place {
		s.tellAsked(c, leaveRoom{conn: s.conn, place: s.asked, final: final})
	}
	if s.place != nil {
		s.leave(c, s.place, final)
	}
	s.place, s.asked, s.waiting = nil, nil, nil
}

// send queues a message for the client. An error means that the connection is
// closing, which Closed tells soon.
func (s *session) send(message any) { _ = s.conn.SendText(encode(message)) }

// close begins to close the connection, once.
func (s *session) close(code actor.CloseCode, reason string) {
	if s.closing {
		return
	}
	s.closing = true
	_ = s.conn.Close(code, reason) // it may be closing already
}
