package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
)

func TestRosterKeepsNicknamesUniqueAndSorted(t *testing.T) {
	var r roster
	ann, bob, cid := new(actor.Conn), new(actor.Conn), new(actor.Conn)
	r.add(bob, "bob")
	r.add(ann, "Ann")
	r.add(cid, "cid")
	if got := r.names(); !slices.Equal(got, []string{"Ann", "bob", "cid"}) {
		t.Fatalf("members are %v", got)
	}
	if r.isFree("ANN", bob) || r.isFree("bob", nil) {
		t.Error("a nickname that is taken is free")
	}
	if !r.isFree("ANN", ann) || !r.isFree("dan", nil) {
		t.Error("a nickname that is free is taken")
	}
	if nick, ok := r.remove(bob); nick != "bob" || !ok {
		t.Errorf("removed %q, %v", nick, ok)
	}
	if _, ok := r.remove(bob); ok {
		t.Error("removed twice")
	}
	if _, ok := r.nick(bob); ok || !r.isFree("bob", nil) {
		t.Error("still there after it was removed")
	}
	if got := r.names(); !slices.Equal(got, []string{"Ann", "cid"}) {
		t.Errorf("members are %v", got)
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
			for i := range 3 * maxHistoryMessages {
				h.add(fmt.Sprintf("%0*d", test.size, i))
			}
			all := h.all()
			if len(all) != test.want || h.bytes != test.want*test.size {
				t.Fatalf("holds %d messages, %d bytes", len(all), h.bytes)
			}
			for i, message := range all {
				if want := fmt.Sprintf("%0*d", test.size, 3*maxHistoryMessages-test.want+i); string(message) != want {
					t.Fatalf("message %d is %q", i, strings.TrimLeft(string(message), "0"))
				}
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
	return newRooms(engine, zap.NewNop(), time.Now)
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
	}
	waitForNoRooms(t, r)
	slices.Sort(pids)
	if n := len(slices.Compact(pids)); n != 100 {
		t.Errorf("100 rooms had %d actors", n)
	}
}
