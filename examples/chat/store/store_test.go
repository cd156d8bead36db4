package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/actor/natsbroker/embedded"
	"github.com/tandem-ws/tandem/examples/chat/store"
)

const patience = 30 * time.Second

func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func startServer(t *testing.T, dir string) *embedded.Server {
	t.Helper()
	server, err := embedded.Start(embedded.Config{StoreDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

func open(t *testing.T, server *embedded.Server, node string) *store.JetStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := store.Open(ctx, store.Config{Node: node, Connect: func(options ...nats.Option) (*nats.Conn, error) {
		return nats.Connect("", append(options, nats.InProcessServer(server))...)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sync.OnceFunc(s.Close))
	return s
}

// appendAll stores messages one after the other, and returns their numbers.
func appendAll(t *testing.T, s store.Store, drafts ...store.Draft) []store.Stored {
	t.Helper()
	results := make([]chan store.Stored, len(drafts))
	for i, d := range drafts {
		results[i] = make(chan store.Stored, 1)
		s.Append(d, func(stored store.Stored, err error) {
			if err != nil {
				t.Errorf("storing %q: %v", d.Text, err)
			}
			results[i] <- stored
		})
	}
	list := make([]store.Stored, len(drafts))
	for i := range results {
		select {
		case list[i] = <-results[i]:
		case <-time.After(patience):
			t.Fatalf("storing %q does not end", drafts[i].Text)
		}
	}
	return list
}

func draft(room, text string) store.Draft {
	return store.Draft{Room: room, Nick: "ann", Text: text, ID: "id-" + text, Conn: "c-1", Key: room + text}
}

func after(t *testing.T, s store.Store, room string, seq uint64) store.Page {
	t.Helper()
	page, err := s.After(t.Context(), room, seq)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func texts(page store.Page) string {
	var list []string
	for _, m := range page.Messages {
		list = append(list, m.Text)
	}
	return strings.Join(list, " ")
}

// eachStore runs a test with each kind of store.
func eachStore(t *testing.T, test func(t *testing.T, s store.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, store.NewMemory(time.Now)) })
	t.Run("JetStream", func(t *testing.T) {
		noLeaks(t)
		test(t, open(t, startServer(t, t.TempDir()), "n1"))
	})
}

func TestMessagesAreStoredOnceAndInOrder(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		first := appendAll(t, s, draft("a", "1"), draft("b", "x"), draft("a", "2"), draft("a", "1"), draft("a", "3"))
		if !first[3].Again || first[3].Seq != first[0].Seq || first[0].Again {
			t.Errorf("sent again: %+v", first)
		}
		all := after(t, s, "a", 0)
		if texts(all) != "1 2 3" || !all.Complete {
			t.Fatalf("the room has %+v", all)
		}
		for i, m := range all.Messages {
			prev := uint64(0)
			if i > 0 {
				prev = all.Messages[i-1].Seq
			}
			if m.Room != "a" || m.Nick != "ann" || m.ID != "id-"+m.Text || m.Conn != "c-1" || m.Prev != prev || time.Since(m.At).Abs() > time.Minute {
				t.Errorf("message %d is %+v", i, m)
			}
		}
		if rest := after(t, s, "a", first[0].Seq); texts(rest) != "2 3" || !rest.Complete || rest.Messages[0].Prev != first[0].Seq {
			t.Errorf("after the first: %+v", rest)
		}
		if none := after(t, s, "a", first[4].Seq); len(none.Messages) != 0 || !none.Complete {
			t.Errorf("after the last: %+v", none)
		}
		if none := after(t, s, "nowhere", 0); len(none.Messages) != 0 || !none.Complete {
			t.Errorf("of no room: %+v", none)
		}
		rooms, err := s.Rooms(t.Context())
		if err != nil || len(rooms) != 2 {
			t.Errorf("rooms are %v, %v", rooms, err)
		}
	})
}

// The longest text that the chat takes is stored whatever it is made of.
func TestLongTextsFitHoweverTheyAreWritten(t *testing.T) {
	noLeaks(t)
	s := open(t, startServer(t, t.TempDir()), "a")
	for _, part := range []string{"x", "<", "\x01", "\"", "\u2028", "\xff"} {
		d := draft("lobby", part)
		d.Text = strings.Repeat(part, 2000/len(part))
		appendAll(t, s, d)
	}
	for _, m := range after(t, s, "lobby", 0).Messages {
		if len(m.Text) < 1998 {
			t.Errorf("%d bytes of %.3q", len(m.Text), m.Text)
		}
	}
}

func TestFollowersSeeEveryNumber(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		got := make(chan store.Message, 100)
		stop, err := s.Follow("a", func(m store.Message) { got <- m })
		if err != nil {
			t.Fatal(err)
		}
		var drafts []store.Draft
		for i := range 50 {
			drafts = append(drafts, draft("a", fmt.Sprint(i)), draft("b", fmt.Sprint(i)))
		}
		appendAll(t, s, drafts...)
		last := uint64(0)
		for i := range 50 {
			select {
			case m := <-got:
				if m.Text != fmt.Sprint(i) || m.Prev != last || m.Seq <= last || m.Room != "a" {
					t.Fatalf("message %d is %+v after %d", i, m, last)
				}
				last = m.Seq
			case <-time.After(patience):
				t.Fatalf("message %d does not come", i)
			}
		}
		stop()
		appendAll(t, s, draft("a", "late"))
		if len(got) != 0 {
			t.Error("it follows still")
		}
	})
}

func TestHistoryIsBoundedAndSaysWhatIsGone(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		var drafts []store.Draft
		for i := range store.PerRoom + 20 {
			drafts = append(drafts, draft("a", fmt.Sprint(i)))
		}
		stored := appendAll(t, s, drafts...)
		page := after(t, s, "a", stored[5].Seq)
		if len(page.Messages) != store.PerRoom || page.Complete || page.Messages[0].Text != "20" {
			t.Errorf("%d messages, complete %v, from %q", len(page.Messages), page.Complete, page.Messages[0].Text)
		}
		if page := after(t, s, "a", stored[100].Seq); len(page.Messages) != store.PerRoom+20-101 || !page.Complete {
			t.Errorf("%d messages, complete %v", len(page.Messages), page.Complete)
		}
	})
}

// Whoever else may publish on a room's subject must not take the room away.
func TestForeignMessagesArePassedOver(t *testing.T) {
	noLeaks(t)
	server := startServer(t, t.TempDir())
	s := open(t, server, "a")
	first := appendAll(t, s, draft("lobby", "one"))[0]
	nc, err := nats.Connect("", nats.InProcessServer(server))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	foreign := func(n int) {
		for range n {
			if err := nc.Publish("chat.room.lobby", []byte("not the chat's")); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.FlushTimeout(patience); err != nil {
			t.Fatal(err)
		}
	}
	foreign(300) // more than one batch
	second := appendAll(t, s, draft("lobby", "two"))[0]
	foreign(10)
	page := after(t, s, "lobby", 0)
	if len(page.Messages) != 2 || page.Messages[0].Seq != first.Seq || page.Messages[1].Seq != second.Seq || page.Messages[1].Prev != first.Seq {
		t.Errorf("read %+v", page.Messages)
	}
	if page := after(t, s, "lobby", second.Seq); len(page.Messages) != 0 || !page.Complete {
		t.Errorf("read %+v behind the last", page)
	}
}

func TestNicknameBelongsToOne(t *testing.T) {
	eachStore(t, func(t *testing.T, s store.Store) {
		ctx := t.Context()
		claim := func(nick, owner string, want error) {
			t.Helper()
			if err := s.Claim(ctx, "a", nick, owner); !errors.Is(err, want) {
				t.Errorf("%s for %s: %v, want %v", nick, owner, err, want)
			}
		}
		claim("ann", "1", nil)
		claim("ann", "2", store.ErrTaken)
		claim("ann", "1", nil)
		claim("ännchen with spaces", "2", nil)
		s.Release("a", "ann", "1")
		for limit := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			if err := s.Claim(ctx, "a", "ann", "2"); err == nil {
				break
			} else if time.Now().After(limit) {
				t.Fatalf("it is not given back: %v", err)
			}
		}
	})
}

// A node that is gone keeps no nickname, and who comes back from it keeps theirs.
func TestNicknamesOfAGoneNodeAreFree(t *testing.T) {
	noLeaks(t)
	server := startServer(t, t.TempDir())
	here := open(t, server, "here")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var conn *nats.Conn
	gone, err := store.Open(ctx, store.Config{Node: "gone", Connect: func(options ...nats.Option) (_ *nats.Conn, err error) {
		conn, err = nats.Connect("", append(options, nats.InProcessServer(server))...)
		return conn, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, nick := range []string{"ann", "bob"} {
		if err := gone.Claim(ctx, "a", nick, nick); err != nil {
			t.Fatal(err)
		}
	}
	conn.Close() // without a goodbye
	gone.Close()
	if err := here.Claim(ctx, "a", "ann", "ann"); err != nil {
		t.Errorf("the owner itself: %v", err)
	}
	if err := here.Claim(ctx, "a", "bob", "somebody else"); !errors.Is(err, store.ErrTaken) {
		t.Errorf("at once: %v", err)
	}
	for {
		err := here.Claim(ctx, "a", "bob", "somebody else")
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrTaken) {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func TestHistorySurvivesTheServer(t *testing.T) {
	noLeaks(t)
	dir := t.TempDir()
	server := startServer(t, dir)
	s := open(t, server, "n1")
	stored := appendAll(t, s, draft("a", "1"), draft("a", "2"))
	epoch := s.Epoch()
	down := make(chan bool, 10)
	s.Watch(func(available bool) { down <- available })
	server.Close()
	if available := <-down; available {
		t.Error("told that it is available")
	}
	refused := make(chan error, 1)
	s.Append(draft("a", "3"), func(_ store.Stored, err error) { refused <- err })
	if err := <-refused; !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without a server: %v", err)
	}
	again := open(t, startServer(t, dir), "n2")
	if again.Epoch() != epoch {
		t.Errorf("the epoch is %q, was %q", again.Epoch(), epoch)
	}
	if page := after(t, again, "a", stored[0].Seq); texts(page) != "2" || !page.Complete {
		t.Errorf("the room has %+v", page)
	}
	if same := appendAll(t, again, draft("a", "2")); !same[0].Again || same[0].Seq != stored[1].Seq {
		t.Errorf("sent again: %+v", same)
	}
}

// A store that is full refuses, and keeps what it has acknowledged.
func TestFullDiskRefuses(t *testing.T) {
	noLeaks(t)
	server, err := embedded.Start(embedded.Config{StoreDir: t.TempDir(), MaxStore: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	s := open(t, server, "n1")
	var last uint64
	for i := 0; ; i++ {
		stored, outcome := uint64(0), make(chan error, 1)
		s.Append(draft("a", fmt.Sprint(i, strings.Repeat(" x", 1000))), func(done store.Stored, err error) {
			stored = done.Seq
			outcome <- err
		})
		err := <-outcome
		if err != nil {
			if !errors.Is(err, store.ErrUnavailable) || i < 5 {
				t.Errorf("message %d: %v", i, err)
			}
			break
		}
		if last = stored; i > 100 {
			t.Fatal("it is never full")
		}
	}
	if page := after(t, s, "a", last-1); len(page.Messages) != 1 || page.Messages[0].Seq != last {
		t.Errorf("the last one is not there: %+v", page)
	}
}
