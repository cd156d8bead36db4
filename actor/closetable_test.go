package actor_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

// A close is begun once, by the first cause, whatever the connection is doing
// and whatever else happens on the way. The test plays every cause in every
// state, once with everybody else helping and once with nobody: then only the
// close timeout ends the connection.

// beginning is what a cause begins a close with.
type beginning struct {
	cause  actor.Cause
	code   actor.CloseCode
	reason string
	order  closeOrder
	peer   bool // by a close frame of the peer
	stop   bool // the session's own PID was stopped
}

// closeOrder is what our close frame waits for.
type closeOrder int

const (
	behindSession closeOrder = iota
	behindQueue
	atOnce
	never   // the stream is lost
	perhaps // the stream is closed while the frame leaves
)

// closeState is what a connection is doing when a cause comes.
type closeState struct {
	name   string
	config actor.ServerConfig
	enter  func(*play)

	busy    bool // the session is in Receive
	stuck   bool // the peer takes no more bytes
	unread  bool // reading is paused: what the peer says is not seen
	deaf    bool // nothing that the peer says is wanted any more
	left    bool // our close frame is out
	ended   bool
	replies []string   // of the session to what was delivered before
	queued  []string   // behind what the peer does not take
	first   *beginning // what began to close the connection before
}

// closeCause is something that ends connections.
type closeCause struct {
	name    string
	config  actor.ServerConfig
	panicOn string
	trigger func(*play)
	beginning

	spoken   bool // it is something that the peer says
	reading  bool // it ends the peer's direction only
	jams     bool // it leaves the writer stuck
	frees    bool // it ends the session's work
	occupies bool // it keeps the session at work until the end
	forgets  bool // the session is not given what was delivered before
}

func closeStates() []closeState {
	user := &beginning{cause: actor.CauseUser, code: 4001, reason: "bye", order: behindQueue}
	peer := &beginning{cause: actor.CausePeer, code: 4000, reason: "why", order: behindSession, peer: true}
	broken := &beginning{cause: actor.CauseProtocol, code: 1002, order: behindSession}
	closeByUser := func(p *play) {
		must(p.t, p.conn.Close(4001, "bye"))
		p.settle()
	}
	jam := func(p *play) {
		p.stream.block(3)
		must(p.t, p.conn.SendText("cut"))
		p.settle()
	}
	queue := func(p *play) {
		jam(p)
		must(p.t, p.conn.SendText("queued one"), p.conn.SendText("queued two"))
	}
	paused := actor.ServerConfig{ConnConfig: actor.ConnConfig{InboundMessages: 2}}
	throttled := actor.ServerConfig{ConnConfig: actor.ConnConfig{InboundRate: actor.RateConfig{Messages: 1}}}
	return []closeState{
		{name: "just opened", enter: func(*play) {}},
		{name: "idle", enter: (*play).settle},
		{name: "session at work", enter: (*play).work, busy: true},
		{name: "session's queue filled", enter: func(p *play) {
			p.work()
			p.text("say one")
			p.text("say two")
			p.settle()
		}, busy: true, replies: []string{"one", "two"}},
		{name: "writer blocked", enter: jam, stuck: true},
		{name: "messages queued", enter: queue, stuck: true, queued: []string{"queued one", "queued two"}},
		{name: "reading paused", config: paused, enter: func(p *play) {
			p.work()
			p.text("say one")
			p.text("say two")
			p.settle()
		}, busy: true, unread: true},
		{name: "reading throttled", config: throttled, enter: func(p *play) {
			for range 50 {
				p.text("fast")
			}
			p.settle()
		}, unread: true},
		{name: "fragments unfinished", enter: func(p *play) {
			p.feed(p.peer.NewFrame(false, rawpeer.OpBinary, []byte("begun")))
			p.fragments = true
			p.settle()
		}},
		{name: "frame unfinished", enter: func(p *play) {
			frame := rawpeer.AppendFrame(nil, p.peer.NewFrame(true, rawpeer.OpBinary, make([]byte, 100_000)))
			p.feedBytes(frame[:50_000])
			p.unread = frame[50_000:]
			p.settle()
		}},
		{name: "our close queued", enter: func(p *play) { queue(p); closeByUser(p) },
			stuck: true, queued: []string{"queued one", "queued two"}, first: user},
		{name: "our close sent", enter: func(p *play) { p.settle(); closeByUser(p) }, left: true, first: user},
		{name: "our close sent, session at work", enter: func(p *play) { p.work(); closeByUser(p) }, busy: true, left: true, first: user},
		{name: "peer closed, session at work", enter: func(p *play) {
			p.work()
			p.text("say one")
			p.closing(4000, "why")
			p.settle()
		}, busy: true, deaf: true, replies: []string{"one"}, first: peer},
		{name: "rule broken, session at work", enter: func(p *play) {
			p.work()
			p.text("say one")
			p.violation()
			p.settle()
		}, busy: true, deaf: true, replies: []string{"one"}, first: broken},
		{name: "both closes exchanged", enter: func(p *play) {
			p.settle()
			closeByUser(p)
			p.closing(4001, "")
			p.settle()
		}, deaf: true, left: true, first: user},
		{name: "ended", enter: func(p *play) {
			p.closing(4000, "why")
			p.settle()
			p.stream.finish(io.EOF)
			p.settle()
		}, deaf: true, left: true, ended: true, first: peer},
	}
}

func closeCauses() []closeCause {
	user := beginning{cause: actor.CauseUser, code: 1001, order: behindQueue}
	drain := beginning{cause: actor.CauseDrain, code: 1001, reason: "server is shutting down", order: behindQueue}
	lost := beginning{cause: actor.CausePeer, order: never}
	slow := beginning{cause: actor.CauseSlowConsumer, code: 1013, reason: "too slow", order: atOnce}
	panicked := beginning{cause: actor.CausePanic, code: 1011, reason: "internal error", order: atOnce}
	by := func(b beginning, change func(*beginning)) beginning { change(&b); return b }
	peer := beginning{cause: actor.CausePeer, code: 4000, reason: "why", order: behindSession, peer: true}
	closes := func(p *play) { p.closing(4000, "why") }
	causes := []closeCause{
		{name: "peer closes", beginning: peer, spoken: true, trigger: closes},
		{name: "peer closes without a code", beginning: by(peer, func(b *beginning) { b.code, b.reason = 1005, "" }), spoken: true,
			trigger: func(p *play) { p.closing(rawpeer.NoStatus, "") }},
		{name: "peer's stream ends", beginning: lost, spoken: true, reading: true, trigger: func(p *play) { p.stream.finish(io.EOF) }},
		{name: "reading fails", beginning: lost, spoken: true, reading: true, trigger: func(p *play) { p.stream.finish(syscall.ECONNRESET) }},
		{name: "peer breaks a rule", beginning: beginning{cause: actor.CauseProtocol, code: 1002, order: behindSession}, spoken: true, trigger: (*play).violation},
		{name: "message over the limit", beginning: beginning{cause: actor.CauseLimit, code: 1009, order: behindSession}, spoken: true, trigger: (*play).tooLong},
		{name: "Conn.Close", beginning: by(user, func(b *beginning) { b.code, b.reason = 4003, "done" }),
			trigger: func(p *play) { _ = p.conn.Close(4003, "done") }},
		{name: "Conn.Disconnect", beginning: by(user, func(b *beginning) { b.cause, b.code, b.reason = actor.CauseAdmin, 4006, "moved" }),
			trigger: func(p *play) { _ = p.conn.Disconnect(4006, "moved") }},
		{name: "CloseConn to the PID", beginning: by(user, func(b *beginning) { b.code, b.reason = 4002, "enough" }),
			trigger: func(p *play) { p.engine.Send(p.conn.PID(), actor.CloseConn{Code: 4002, Reason: "enough"}) }},
		{name: "mailbox full", beginning: slow, jams: true, trigger: (*play).overflow},
		{name: "write over its deadline", beginning: by(slow, func(b *beginning) { b.order = never }), jams: true, trigger: func(p *play) {
			p.stream.block(0)
			_ = p.conn.SendText("never taken")
			time.Sleep(playWriteTimeout)
		}},
		{name: "writing fails", beginning: lost, trigger: func(p *play) {
			p.stream.fail(syscall.EPIPE)
			_ = p.conn.SendText("lost")
		}},
		{name: "pings unanswered", beginning: beginning{cause: actor.CauseHeartbeat, code: 1011, reason: "no answer to pings", order: atOnce},
			config:  actor.ServerConfig{ConnConfig: actor.ConnConfig{PingInterval: 100 * time.Millisecond, PingMisses: 1}},
			trigger: func(*play) { time.Sleep(playWriteTimeout / 2) }},
		{name: "panic in Receive", beginning: panicked, frees: true, trigger: func(p *play) { p.inside(func(*actor.Context) { panic("ordered") }) }},
		{name: "Goexit in Receive", beginning: panicked, frees: true, trigger: func(p *play) { p.inside(func(*actor.Context) { runtime.Goexit() }) }},
		{name: "MaxLifetime", beginning: by(user, func(b *beginning) { b.cause, b.reason = actor.CauseLimit, "connection is too old" }),
			config:  actor.ServerConfig{ConnConfig: actor.ConnConfig{MaxLifetime: time.Second}},
			trigger: func(*play) { time.Sleep(playWriteTimeout / 2) }},
		{name: "IdleTimeout", beginning: by(user, func(b *beginning) { b.cause, b.reason = actor.CauseLimit, "idle" }),
			config:  actor.ServerConfig{ConnConfig: actor.ConnConfig{IdleTimeout: time.Second}},
			trigger: func(*play) { time.Sleep(playWriteTimeout / 2) }},
		{name: "SessionStallTimeout", beginning: beginning{cause: actor.CauseLimit, code: 1011, order: atOnce},
			config:  actor.ServerConfig{ConnConfig: actor.ConnConfig{SessionStallTimeout: time.Second}},
			trigger: func(*play) { time.Sleep(playWriteTimeout / 2) }},
		{name: "peer too fast", beginning: beginning{cause: actor.CauseLimit, code: 1008, order: behindSession}, spoken: true,
			config:  actor.ServerConfig{ConnConfig: actor.ConnConfig{InboundRate: actor.RateConfig{Messages: 20, Close: true}}},
			trigger: (*play).tooFast},
		{name: "panic in Initialized", beginning: panicked, panicOn: "initialized", trigger: func(*play) {}},
		{name: "panic in Started", beginning: panicked, panicOn: "started", trigger: func(*play) {}},
		{name: "panic in Opened", beginning: panicked, panicOn: "opened", trigger: func(*play) {}},
		{name: "peer closes, panic in Closed", panicOn: "closed", beginning: peer, spoken: true, trigger: closes},
		{name: "peer closes, panic in Stopped", panicOn: "stopped", beginning: peer, spoken: true, trigger: closes},
		{name: "Shutdown", beginning: drain, trigger: func(p *play) { p.drain(context.Background()) }},
		{name: "Shutdown without time", beginning: by(drain, func(b *beginning) { b.order = perhaps }), trigger: func(p *play) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			p.drain(ctx)
		}},
	}
	for _, stop := range []struct {
		name string
		f    func(*actor.Engine, *actor.PID) context.Context
	}{{"Poison", (*actor.Engine).Poison}, {"Stop", (*actor.Engine).Stop}} {
		for _, part := range []struct {
			name    string
			pid     func(*actor.Conn) *actor.PID
			begins  beginning
			forgets bool
		}{
			{"reader", (*actor.Conn).ReaderPID, user, false},
			{"writer", (*actor.Conn).PID, user, false},
			{"session", (*actor.Conn).SessionPID, by(user, func(b *beginning) { b.order, b.stop = behindSession, true }), stop.name == "Stop"},
		} {
			cause := closeCause{beginning: part.begins, forgets: part.forgets}
			for _, times := range []int{1, 3} {
				cause.name = fmt.Sprintf("%s of the %s, %d times", stop.name, part.name, times)
				cause.trigger = func(p *play) { p.stop(stop.f, part.pid(p.conn), times) }
				causes = append(causes, cause)
				cause.name += ", from inside"
				cause.trigger = func(p *play) { p.inside(func(*actor.Context) { p.stop(stop.f, part.pid(p.conn), times) }) }
				causes = append(causes, cause)
			}
			cause.name = fmt.Sprintf("%s of the %s, awaited from inside", stop.name, part.name)
			cause.trigger = func(p *play) { p.inside(func(*actor.Context) { <-p.stop(stop.f, part.pid(p.conn), 1).Done() }) }
			cause.occupies = true
			causes = append(causes, cause)
		}
	}
	return causes
}

// happens reports whether the cause can come in the state.
func (c closeCause) happens(s closeState) bool {
	switch {
	case s.config.InboundRate.Messages > 0 && c.spoken:
		return false // it is seen once the rate allows, and never with one this low
	case c.config.SessionStallTimeout > 0:
		return s.busy && s.unread // nobody waits for the session otherwise
	case c.panicOn == "initialized" || c.panicOn == "started" || c.panicOn == "opened":
		return s.name == "just opened"
	case c.cause == actor.CauseHeartbeat:
		// Missed pongs do not count while reading is paused, nor while the ping
		// cannot leave.
		return !s.unread && !(s.stuck && s.first == nil)
	case c.config.IdleTimeout > 0:
		return !s.busy && !s.unread // who waits for its session or its rate is not idle
	}
	return true
}

// expectation is how a play must end.
type expectation struct {
	closed actor.Closed // Err is not compared
	either bool         // the code may also be 1006
	stop   bool         // the session is only told that it was stopped
}

// allows compares what decides; for 1006 there is no reason, and what the
// peer did wrong is told in words that may change.
func (e expectation) allows(got actor.Closed) bool {
	want := e.closed
	got.Err = nil
	if e.either && got.Code == wscore.CloseAbnormal {
		want.Code = wscore.CloseAbnormal
	}
	if want.Code == wscore.CloseAbnormal || want.Cause == actor.CauseProtocol || want.Cause == actor.CauseLimit {
		got.Reason, want.Reason = "", ""
	}
	return got == want
}

// expect works out how the cause ends a connection in the state: the first
// close that began wins, and its frame leaves if nothing stands in its way.
func expect(s closeState, c closeCause, helped bool) expectation {
	winner := c.beginning
	if s.first != nil {
		winner = *s.first
	}
	want := expectation{stop: winner.stop, closed: actor.Closed{Cause: winner.cause, Code: winner.code, Reason: winner.reason, Initiator: actor.Local}}
	order := winner.order
	if c.frees && order == behindSession {
		order = atOnce
	}
	lost := c.order == never && !(c.reading && s.deaf)
	busy := s.busy && !helped && !c.frees || c.occupies
	stuck := (s.stuck || c.jams) && !helped
	switch {
	case winner.peer:
		want.closed.Initiator = actor.Remote
	case c.peer && c.spoken && !s.deaf && !s.left && s.first != nil:
		// The peer's close frame came while ours was waiting: it is the first.
		want.closed.Code, want.closed.Reason, want.closed.Initiator = c.code, c.reason, actor.Remote
	case s.left:
	case lost, stuck, order == behindSession && busy, c.order == perhaps && s.first != nil:
		want.closed.Code = 1006
		if winner.cause == actor.CausePeer {
			want.closed.Initiator = actor.Remote
		}
	case order == perhaps:
		want.either = true
	}
	return want
}

func TestEveryCauseOfACloseInEveryState(t *testing.T) {
	for _, state := range closeStates() {
		t.Run(state.name, func(t *testing.T) {
			for _, cause := range closeCauses() {
				if !cause.happens(state) {
					continue
				}
				for _, helped := range []bool{true, false} {
					name := cause.name + ", nobody helps"
					if helped {
						name = cause.name + ", all help"
					}
					t.Run(name, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { playClose(t, state, cause, helped) })
					})
				}
			}
		})
	}
}

func playClose(t *testing.T, state closeState, cause closeCause, helped bool) {
	config := state.config
	config.PingInterval, config.PingMisses = cause.config.PingInterval, cause.config.PingMisses
	config.IdleTimeout, config.MaxLifetime = cause.config.IdleTimeout, cause.config.MaxLifetime
	config.SessionStallTimeout = cause.config.SessionStallTimeout
	if config.InboundRate.Messages == 0 {
		config.InboundRate = cause.config.InboundRate
	}
	p := newPlay(t, config, cause.panicOn)
	defer p.abandon()
	state.enter(p)
	cause.trigger(p)
	p.settle()
	if !helped {
		time.Sleep(playCloseTimeout)
		p.settle()
		unseen := state.unread && cause.spoken
		if unseen == p.isDone() {
			t.Errorf("after the close timeout the end of the connection is %v", p.isDone())
		}
		helped = unseen // what the peer said can only be read now
	}
	triggered := time.Now()
	p.help()
	if cause.occupies && helped {
		time.Sleep(playCloseTimeout)
		p.settle()
	} else if !p.isDone() {
		t.Fatal("the connection did not end")
	}
	if waited := time.Since(triggered); helped && !cause.occupies && waited > 10*playMoment {
		t.Errorf("the connection took %v to end", waited)
	}
	want := expect(state, cause, helped)
	p.checkEnd(want.stop)
	got, _ := p.conn.Cause()
	if !want.allows(got) {
		t.Errorf("closed with %+v, want %+v", got, want)
	}
	if got.Initiator == actor.Local && got.Code != 1006 {
		if payload := p.closeOnWire(); len(payload) < 2 || !slices.Equal(payload[:2], rawpeer.ClosePayload(uint16(got.Code), "")) {
			t.Errorf("our close frame is %q, the connection closed with %d", payload, got.Code)
		}
	}
	if helped {
		checkOrder(t, p, state, cause)
	}
}

// checkOrder proves that what had to leave before our close frame did, and
// what had to be dropped did not.
func checkOrder(t *testing.T, p *play, state closeState, cause closeCause) {
	if p.closeOnWire() == nil || cause.occupies {
		return
	}
	order, seen := cause.order, !cause.forgets
	if state.first != nil {
		order = state.first.order
	}
	if cause.order == atOnce && (cause.frees || state.first == nil) {
		order = atOnce
	}
	texts := p.textsOnWire()
	for _, reply := range state.replies {
		if left := slices.Contains(texts, reply); left != (order == behindSession && seen) {
			t.Errorf("reply %q before the close frame: %v", reply, left)
		}
	}
	for _, queued := range state.queued {
		if left := slices.Contains(texts, queued); left != (order != atOnce) {
			t.Errorf("message %q before the close frame: %v", queued, left)
		}
	}
}
