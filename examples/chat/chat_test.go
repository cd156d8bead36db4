package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

func TestTwoTalkInARoom(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	ann, bob := p.dial(), p.dial()
	if got := ann.join("lobby", "ann", "ann"); len(got.History) != 0 {
		t.Errorf("an empty room has the history %v", got.History)
	}
	ann.say("a1", "hello <all>")
	first := ann.expectMessage("ann", "hello <all>")
	if first.ID != "a1" || first.Seq == 0 || first.Prev != 0 || first.Room != "lobby" {
		t.Errorf("the message is %s", first.raw)
	}
	at, err := time.Parse("2006-01-02T15:04:05.000Z", first.At)
	if err != nil || time.Since(at).Abs() > time.Minute {
		t.Errorf("the message is of %q: %v", first.At, err)
	}

	joined := bob.join("lobby", "Bob", "ann", "Bob")
	if len(joined.History) != 1 || joined.History[0].Text != "hello <all>" || joined.History[0].Seq != first.Seq || joined.History[0].Type != "message" {
		t.Errorf("the history is %+v", joined.History)
	}
	ann.expectNotice("join", "Bob", "ann", "Bob")
	bob.say("b1", "hi")
	for _, c := range []*client{ann, bob} {
		if got := c.expectMessage("Bob", "hi"); got.Seq <= first.Seq || got.Prev != first.Seq || got.ID != "b1" {
			t.Errorf("the message is %s", got.raw)
		}
	}
	bob.leave(wscore.CloseNormal)
	ann.expectNotice("leave", "Bob", "ann")
}

func TestHistoryIsTheNewestMessagesOldestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startBareChat(t, time.Now)
		ann := c.dial()
		ann.join("lobby", "ann", "ann")
		for i := range 60 {
			ann.say(fmt.Sprint(i), fmt.Sprint("text ", i))
			ann.expectMessage("ann", fmt.Sprint("text ", i))
			time.Sleep(time.Second / messagesPerSecond) // of the bubble's time: keeps to the rate
		}
		history := c.dial().join("lobby", "bob", "ann", "bob").History
		if len(history) != recentMessages || history[0].Text != "text 10" || history[49].Text != "text 59" || history[49].Seq != 60 {
			t.Errorf("the history has %d messages, from %+v on", len(history), history[0])
		}
	})
}

func TestNicknameIsUniqueInItsRoomOnly(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	ann, bob := p.dial(), p.dial()
	ann.join("lobby", "Ann", "Ann")
	bob.askToJoin("lobby", "aNN")
	bob.expectError(codeNickTaken, "")
	bob.say("b1", "am I in?")
	bob.expectError(codeNotJoined, "b1")
	bob.join("kitchen", "aNN", "aNN")
	ann.leave(wscore.CloseNormal)
}

func TestSwitchOfRooms(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	ann, bob, cid := p.dial(), p.dial(), p.dial()
	ann.join("lobby", "ann", "ann")
	bob.join("lobby", "bob", "ann", "bob")
	ann.expectNotice("join", "bob", "ann", "bob")
	cid.join("kitchen", "cid", "cid")

	// A refused switch leaves bob where he is.
	bob.askToJoin("kitchen", "CID")
	bob.expectError(codeNickTaken, "")
	bob.say("b1", "still here")
	ann.expectMessage("bob", "still here")
	bob.expectMessage("bob", "still here")

	bob.join("kitchen", "bob", "bob", "cid")
	ann.expectNotice("leave", "bob", "ann")
	cid.expectNotice("join", "bob", "bob", "cid")
	ann.say("a1", "anybody?")
	ann.expectMessage("ann", "anybody?")
	bob.say("b2", "what is for dinner?")
	cid.expectMessage("bob", "what is for dinner?")
	bob.expectMessage("bob", "what is for dinner?") // and nothing of the lobby before it
}

func TestAnotherNicknameInTheSameRoom(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	ann, bob := p.dial(), p.dial()
	ann.join("lobby", "ann", "ann")
	bob.join("lobby", "bob", "ann", "bob")
	ann.expectNotice("join", "bob", "ann", "bob")
	bob.join("lobby", "Bob", "ann", "Bob") // his own name is not taken
	ann.expectNotice("leave", "bob")       // the last one of both says who is there
	ann.expectNotice("join", "Bob", "ann", "Bob")
	bob.join("lobby", "Bob", "ann", "Bob") // nothing changes: nobody else is told
	bob.say("b1", "hi")
	ann.expectMessage("Bob", "hi")
	bob.expectMessage("Bob", "hi")
	bob.leave(wscore.CloseNormal)
	ann.expectNotice("leave", "Bob", "ann")
}

// What a client asks for without waiting is done in order.
func TestRequestsInOneGo(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	ann := p.dial()
	ann.askToJoin("lobby", "ann")
	ann.say("1", "in the lobby")
	ann.askToJoin("kitchen", "ann")
	ann.say("2", "in the kitchen")
	// Whether the first one is heard before its sender has gone does not matter:
	// it is in the lobby's history.
	acked, heard := "", ""
	for heard != "in the kitchen" {
		switch got := ann.any("joined", "ack", "message"); got.Type {
		case "ack":
			acked += got.ID + " " + got.Room + "; "
		case "message":
			heard = got.Text
			if (got.Room == "lobby") != (heard == "in the lobby") {
				t.Errorf("said %s", got.raw)
			}
		}
	}
	for !strings.Contains(acked, "1 lobby") || !strings.Contains(acked, "2 kitchen") {
		got := ann.any("ack")
		acked += got.ID + " " + got.Room + "; "
	}
	if history := ann.join("lobby", "ann", "ann").History; len(history) != 1 || history[0].Text != "in the lobby" {
		t.Errorf("the history is %+v", history)
	}
}

func TestErrorsDoNotDisconnect(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	ann := p.dial()
	for _, test := range []struct {
		send string
		code errorCode
		id   string
	}{
		{`{"type":"say","id":"1","text":"hello"}`, codeNotJoined, "1"},
		{`{"type":"join","room":"a b","nick":"ann"}`, codeBadRoom, ""},
		{`{"type":"join","room":"lobby","nick":" "}`, codeBadNick, ""},
		{`{"type":"say","id":"2","text":"` + strings.Repeat("x", 2001) + `"}`, codeTooLong, "2"},
		{`{"type":"say","id":"","text":"hello"}`, codeBadID, ""},
		{`{"type":"wave"}`, codeUnknownType, ""},
		{`not JSON`, codeBadJSON, ""},
	} {
		ann.send(test.send)
		ann.expectError(test.code, test.id)
	}
	ann.join("lobby", "ann", "ann")
}

func TestFullRoomAndFullDirectoryRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startBareChat(t, time.Now)
		ann := c.dial()
		ann.join("lobby", "ann", "ann")
		places := []*place{}
		for range maxMembers {
			places = append(places, mustTake(t, c.rooms, "full"))
		}
		for i := range maxRooms - c.rooms.len() {
			places = append(places, mustTake(t, c.rooms, fmt.Sprint("room-", i)))
		}
		ann.askToJoin("full", "ann")
		ann.expectError(codeRoomFull, "")
		ann.askToJoin("one-more", "ann")
		ann.expectError(codeRoomsFull, "")
		ann.say("1", "still here")
		ann.expectMessage("ann", "still here")
		places[0].leave()
		ann.join("full", "ann", "ann")
		for _, p := range places[1:] {
			p.leave()
		}
	})
}

func TestRoomEndsSomeTimeAfterItsLastMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startBareChat(t, time.Now)
		ann := c.dial()
		ann.join("lobby", "ann", "ann")
		ann.say("1", "hello")
		ann.expectMessage("ann", "hello")
		ann.leave(wscore.CloseNormal)
		time.Sleep(roomLinger - time.Second) // of the bubble's time
		synctest.Wait()
		if n := c.rooms.len(); n != 1 {
			t.Errorf("there are %d rooms, want the one that lingers", n)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := c.rooms.len(); n != 0 {
			t.Errorf("there are %d rooms", n)
		}
		if history := c.dial().join("lobby", "ann", "ann").History; len(history) != 1 || history[0].Text != "hello" {
			t.Errorf("a room that opens again has the history %v", history)
		}
	})
}

func TestRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startBareChat(t, time.Now)
		ann := c.dial()
		ann.join("lobby", "ann", "ann")
		talk := func(attempts, allowed int) {
			t.Helper()
			for i := range attempts {
				ann.say(fmt.Sprint(attempts, ".", i), "hello") // an id is used once
				if i < allowed {
					ann.expectMessage("ann", "hello")
				} else {
					ann.expectError(codeTooFast, fmt.Sprint(attempts, ".", i))
				}
			}
		}
		talk(messageBurst+5, messageBurst-1) // the join was one
		time.Sleep(time.Second)              // of the bubble's time
		talk(messagesPerSecond+maxRefusedInRow-1, messagesPerSecond)
		ann.send("even if it is nonsense")
		if code, reason := ann.expectClose(); code != wscore.ClosePolicyViolation || reason == "" {
			t.Errorf("the end is %v %q", code, reason)
		}
	})
}

func TestClientThatDoesNotJoinIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startBareChat(t, time.Now)
		silent, talker, member := c.dial(), c.dial(), c.dial()
		began := time.Now()
		member.join("lobby", "ann", "ann")
		talker.say("1", "hello")
		talker.expectError(codeNotJoined, "1")
		for _, late := range []*client{silent, talker} {
			code, reason := late.expectClose()
			if code != wscore.ClosePolicyViolation || reason == "" {
				t.Errorf("the end is %v %q", code, reason)
			}
			if took := time.Since(began); took != joinTimeout {
				t.Errorf("closed after %v", took)
			}
		}
		member.say("1", "hello")
		member.expectMessage("ann", "hello")
	})
}

func TestBinaryMessageIsRefusedWith1003(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	ann := p.dial()
	if err := ann.ws.Send(wscore.Binary([]byte(`{"type":"join","room":"lobby","nick":"ann"}`))); err != nil {
		t.Fatal(err)
	}
	if code, _ := ann.expectClose(); code != wscore.CloseUnsupportedData {
		t.Errorf("closed with %v", code)
	}
	bob := p.dial()
	bob.send(strings.Repeat(" ", maxFrameBytes+1))
	if code, _ := bob.expectClose(); code != wscore.CloseMessageTooBig {
		t.Errorf("a message of %d bytes: closed with %v", maxFrameBytes+1, code)
	}
}

func TestSubprotocolIsRequired(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	for name, offered := range map[string][]string{"none": nil, "another": {"chat.v2+json"}} {
		stream, err := net.DialTimeout("tcp", p.host(), patience)
		if err != nil {
			t.Fatal(err)
		}
		_, err = open(t, stream, p.host(), wscore.ConnectOptions{Subprotocols: offered})
		var refusal *wscore.HandshakeError
		if !errors.As(err, &refusal) || refusal.Status != http.StatusBadRequest {
			t.Errorf("%s: %v", name, err)
		}
		_ = stream.Close() // refused: nothing is lost
	}
}

// panicking is a session that panics when its client says so.
type panicking struct{ actor.Receiver }

func (p panicking) Receive(c *actor.Context) {
	if m, ok := c.Message().(*actor.Message); ok && strings.Contains(m.Text(), "panic") {
		panic("as asked")
	}
	p.Receiver.Receive(c)
}

func TestPanicInASessionEndsItsConnectionOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := startBareChat(t, time.Now)
		c.wrap = func(r actor.Receiver) actor.Receiver { return panicking{r} }
		ann, bob := c.dial(), c.dial()
		ann.join("lobby", "ann", "ann")
		bob.join("lobby", "bob", "ann", "bob")
		ann.expectNotice("join", "bob", "ann", "bob")
		bob.send("panic")
		if code, _ := bob.expectClose(); code != wscore.CloseInternalError {
			t.Errorf("closed with %v", code)
		}
		bob.expectEnd()
		ann.expectNotice("leave", "bob", "ann")
		ann.say("1", "hello")
		ann.expectMessage("ann", "hello")
	})
}

func TestPanicInARoomEndsTheConnectionItWasAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		c := startBareChat(t, func() time.Time {
			if broken.Swap(false) {
				panic("the clock is broken")
			}
			return time.Now()
		})
		ann, bob, cid := c.dial(), c.dial(), c.dial()
		ann.join("lobby", "ann", "ann")
		bob.join("lobby", "bob", "ann", "bob")
		ann.expectNotice("join", "bob", "ann", "bob")

		broken.Store(true)
		bob.say("1", "hello")
		if code, _ := bob.expectClose(); code != wscore.CloseInternalError {
			t.Errorf("saying: closed with %v", code)
		}
		bob.expectEnd()
		ann.expectNotice("leave", "bob", "ann")

		broken.Store(true)
		cid.askToJoin("lobby", "cid")
		if code, _ := cid.expectClose(); code != wscore.CloseInternalError {
			t.Errorf("entering: closed with %v", code)
		}
		cid.expectEnd() // nobody has seen him yet
		ann.say("2", "hello")
		ann.expectMessage("ann", "hello")
	})
}

func TestManyComeAndGoAtOnce(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	watcher := p.dial()
	watcher.join("lobby", "watcher", "watcher")
	visitors := make([]*client, 20)
	for i := range visitors {
		visitors[i] = p.dial()
		for _, room := range []string{"lobby", "kitchen", "lobby"} {
			visitors[i].askToJoin(room, fmt.Sprint("visitor ", i))
		}
		if err := visitors[i].ws.Close(wscore.CloseGoingAway, ""); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	for alone := false; !alone || len(seen) < len(visitors); {
		notice := watcher.expect("notice")
		alone = slices.Equal(notice.Members, []string{"watcher"})
		if notice.Kind == noticeLeave {
			seen[notice.Nick] = true
		}
	}
	for _, visitor := range visitors {
		if code, _ := visitor.expectClose(); code != wscore.CloseGoingAway {
			t.Errorf("the close was answered with %v", code)
		}
		visitor.expectEnd()
	}
}
