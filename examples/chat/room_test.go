package main

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/examples/chat/store"
)

func TestRosterKeepsNicknamesUniqueAndSorted(t *testing.T) {
	r := newRoster()
	for _, m := range []*member{{owner: "1", nick: "bob"}, {owner: "2", nick: "Ann"}} {
		r.byOwner[m.owner] = m
	}
	// cid is on another node; what this node says of its own comes back, too.
	r.take(actor.PresenceChange{Joined: []actor.Member{{ID: memberID("3", "cid", "there"), Metadata: "cid"}, {ID: memberID("1", "bob", "here"), Metadata: "bob"}}}, "here")
	joined, left := r.update()
	if got := r.names(); !slices.Equal(got, []string{"Ann", "bob", "cid"}) || !slices.Equal(joined, got) || len(left) != 0 {
		t.Fatalf("members are %v, came %v, went %v", got, joined, left)
	}
	for _, test := range []struct {
		nick, owner string
		free        bool
	}{{"ANN", "1", false}, {"CID", "1", false}, {"ANN", "2", true}, {"Cid", "3", true}, {"dan", "1", true}} {
		if r.isFree(test.nick, test.owner) != test.free {
			t.Errorf("%s is free for %s: %v", test.nick, test.owner, !test.free)
		}
	}
	delete(r.byOwner, "1")
	r.byOwner["2"].nick = "ANN"
	r.take(actor.PresenceChange{Left: []actor.Member{{ID: memberID("3", "cid", "there"), Metadata: "cid"}}}, "here")
	joined, left = r.update()
	if got := r.names(); !slices.Equal(got, []string{"ANN"}) || !slices.Equal(joined, got) || !slices.Equal(left, []string{"Ann", "bob", "cid"}) {
		t.Errorf("members are %v, came %v, went %v", got, joined, left)
	}
	if joined, left = r.update(); len(joined)+len(left) != 0 {
		t.Errorf("without a change came %v, went %v", joined, left)
	}
}

func TestHistoryIsBoundedInMessagesAndBytes(t *testing.T) {
	for name, test := range map[string]struct {
		size, want int
	}{
		"by messages": {size: 100, want: maxHistoryMessages},
		"by bytes":    {size: 10_000, want: maxHistoryBytes / 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			var h history
			const count = 3 * maxHistoryMessages
			for i := range count {
				h.add(uint64(i+1), fmt.Sprintf("%0*d", test.size, i+1))
			}
			first := count - test.want + 1
			if len(h.messages) != test.want || h.bytes != test.want*test.size || h.messages[0].seq != uint64(first) || h.before != uint64(first-1) {
				t.Fatalf("holds %d messages, %d bytes, from %d after %d", len(h.messages), h.bytes, h.messages[0].seq, h.before)
			}
			for _, ask := range []struct {
				after, want int
				complete    bool
			}{{count, 0, true}, {count - 3, 3, true}, {first, test.want - 1, true}, {first - 1, test.want, true}, {first - 2, test.want, false}} {
				if list, complete := h.after(uint64(ask.after)); len(list) != ask.want || complete != ask.complete {
					t.Errorf("after %d: %d messages, complete %v", ask.after, len(list), complete)
				}
			}
			if list := h.recent(); len(list) != min(recentMessages, test.want) || string(list[len(list)-1]) != fmt.Sprintf("%0*d", test.size, count) {
				t.Errorf("%d recent ones", len(list))
			}
		})
	}
}

func TestLimiterAllowsABurstAndThenARate(t *testing.T) {
	var l limiter
	now := time.Unix(1000, 0)
	allowed := func(attempts int) (n int) {
		for range attempts {
			if l.allow(now) {
				n++
			}
		}
		return n
	}
	if n := allowed(50); n != messageBurst {
		t.Fatalf("the burst is %d", n)
	}
	now = now.Add(time.Second)
	if n := allowed(50); n != messagesPerSecond {
		t.Fatalf("after a second: %d", n)
	}
	now = now.Add(time.Hour)
	if n := allowed(50); n != messageBurst {
		t.Fatalf("after an hour: %d", n)
	}
}

func newTestRooms(t *testing.T) *rooms {
	t.Helper()
	engine, err := actor.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	hub, err := actor.NewHub(engine, nil, actor.HubConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	return newRooms(newNode("test", engine, zap.NewNop(), time.Now, hub, store.NewMemory(time.Now)))
}

func mustTake(t *testing.T, r *rooms, name string) *place {
	t.Helper()
	p, code := r.take(name)
	if p == nil {
		t.Fatalf("no place in %s: %s", name, code)
	}
	return p
}

func waitForNoRooms(t *testing.T, r *rooms) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.wait(ctx); err != nil {
		t.Fatalf("rooms are left: %v", err)
	}
}

func TestRoomHoldsNoMoreThanItsMembers(t *testing.T) {
	r := newTestRooms(t)
	places := make([]*place, maxMembers)
	for i := range places {
		places[i] = mustTake(t, r, "lobby")
	}
	if p, code := r.take("lobby"); p != nil || code != codeRoomFull {
		t.Fatalf("place %d: %v, %q", maxMembers+1, p, code)
	}
	places[0].leave()
	places[0].leave() // once is what counts
	places[0] = mustTake(t, r, "lobby")
	if _, code := r.take("lobby"); code != codeRoomFull {
		t.Fatalf("a place that was left twice counts twice: %q", code)
	}
	for _, p := range places {
		p.leave()
	}
	waitForNoRooms(t, r)
}

func TestDirectoryHoldsNoMoreThanItsRooms(t *testing.T) {
	r := newTestRooms(t)
	places := make([]*place, maxRooms)
	for i := range places {
		places[i] = mustTake(t, r, fmt.Sprint("room-", i))
	}
	if p, code := r.take("one-more"); p != nil || code != codeRoomsFull {
		t.Fatalf("room %d: %v, %q", maxRooms+1, p, code)
	}
	second := mustTake(t, r, "room-0") // one that exists is open
	second.leave()
	places[1].leave()
	places[1] = mustTake(t, r, "one-more")
	for _, p := range places {
		p.leave()
	}
	waitForNoRooms(t, r)
	if r.len() != 0 {
		t.Errorf("%d rooms are listed", r.len())
	}
}

func TestRoomOfTheSameNameStartsAgainAtOnce(t *testing.T) {
	r := newTestRooms(t)
	var pids []string
	for range 100 {
		p := mustTake(t, r, "lobby")
		pids = append(pids, p.room.pid.ID)
		p.leave()
		if again := mustTake(t, r, "lobby"); again.room != p.room {
			t.Fatal("a room that was left does not linger")
		} else {
			again.leave()
		}
		r.expire(p.room)
	}
	waitForNoRooms(t, r)
	slices.Sort(pids)
	if n := len(slices.Compact(pids)); n != 100 {
		t.Errorf("100 rooms had %d actors", n)
	}
}

func TestNoRoomOpensOnceTheChatCloses(t *testing.T) {
	r := newTestRooms(t)
	mustTake(t, r, "lobby").leave()
	waitForNoRooms(t, r)
	if p, code := r.take("lobby"); p != nil || code != codeUnavailable {
		t.Errorf("a place in a chat that is closed: %v, %q", p, code)
	}
}
