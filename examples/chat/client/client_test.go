package client_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/examples/chat/client"
)

const patience = 30 * time.Second

// script is a server of the chat that does what the test says: for each request
// the answers that it returns.
type script struct {
	conn   *actor.Conn
	retry  string // seconds
	answer func(c *actor.Conn, request map[string]any) []string
}

func (s *script) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
		_ = m.Conn.SendText(`{"type":"welcome","version":1,"node":"n","storing":true,"limits":{"retry":` + s.retry + `}}`)
	case *actor.Message:
		var request map[string]any
		if m.JSON(&request) != nil {
			return
		}
		for _, answer := range s.answer(s.conn, request) {
			_ = s.conn.SendText(answer)
		}
	}
}

// start starts a server and a client of it, and returns the client's events.
func start(t *testing.T, retry string, answer func(c *actor.Conn, request map[string]any) []string, config client.Config) (*client.Client, <-chan any) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	engine, err := actor.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	server, err := actor.NewServer(engine, func(h *actor.Handshake) (actor.Receiver, error) {
		h.SelectSubprotocol("chat.v1+json")
		return &script{retry: retry, answer: func(c *actor.Conn, request map[string]any) []string {
			mu.Lock()
			defer mu.Unlock()
			return answer(c, request)
		}}, nil
	}, actor.ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		_ = server.Shutdown(t.Context()) // which may have ended: it closes at once then
		web.Close()
	})
	events := make(chan any, 1000)
	config.URLs, config.Room, config.Nick = []string{"ws" + strings.TrimPrefix(web.URL, "http")}, "lobby", "ann"
	config.Events = func(event any) { events <- event }
	c, err := client.New(engine, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, events
}

// next returns the next event of a kind.
func next[E any](t *testing.T, events <-chan any) E {
	t.Helper()
	limit := time.After(patience)
	for {
		select {
		case event := <-events:
			if e, ok := event.(E); ok {
				return e
			}
		case <-limit:
			var e E
			t.Fatalf("waited in vain for a %T", e)
			return e
		}
	}
}

func joined(history string) string {
	return fmt.Sprintf(`{"type":"joined","room":"lobby","nick":"ann","epoch":"e","history":[%s]}`, history)
}

func said(seq, prev int) string {
	return fmt.Sprintf(`{"type":"message","room":"lobby","seq":%d,"prev":%d,"nick":"bob","text":"%d"}`, seq, prev, seq)
}

// What was seen comes once, what is missing is told, and a new connection asks
// for what comes after.
func TestClientResumesBehindWhatItHasSeen(t *testing.T) {
	joins := make(chan string, 10)
	_, events := start(t, "60", func(c *actor.Conn, request map[string]any) []string {
		asked, _ := json.Marshal([]any{request["after"], request["epoch"]})
		joins <- string(asked)
		if len(joins) == 1 {
			for _, answer := range []string{joined(said(3, 0) + "," + said(5, 3)), said(5, 3), said(9, 5)} {
				_ = c.SendText(answer)
			}
			_ = c.Close(1001, "")
			return nil
		}
		return []string{joined(said(9, 5) + "," + said(10, 9)), said(14, 12)}
	}, client.Config{})
	for _, want := range []uint64{3, 5, 9, 10} {
		if got := next[client.Message](t, events); got.Seq != want {
			t.Fatalf("got message %d, want %d", got.Seq, want)
		}
	}
	next[client.Gap](t, events)
	if got := next[client.Message](t, events); got.Seq != 14 {
		t.Errorf("got message %d after the gap", got.Seq)
	}
	if first, second := <-joins, <-joins; first != "[null,null]" || second != `[9,"e"]` {
		t.Errorf("asked for %s, then for %s", first, second)
	}
}

// What is refused for now is sent again under its id, before what was said after.
func TestClientKeepsTheOrderOfWhatIsRefused(t *testing.T) {
	refusals, stored := 2, 0
	c, events := start(t, "60", func(_ *actor.Conn, request map[string]any) []string {
		if request["type"] == "join" {
			return []string{joined("")}
		}
		if refusals--; refusals >= 0 {
			return []string{fmt.Sprintf(`{"type":"error","code":"%s","id":"%s"}`, []string{"too_fast", "unavailable"}[refusals], request["id"])}
		}
		stored++
		return []string{fmt.Sprintf(`{"type":"ack","id":"%s","seq":%d}`, request["id"], stored)}
	}, client.Config{})
	var ids []string
	for i := range 3 {
		id, err := c.Say(fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	for i, id := range ids {
		if got := next[client.Stored](t, events); got.Seq != uint64(i+1) || got.ID != id {
			t.Errorf("stored %+v, want %s as %d", got, id, i+1)
		}
	}
}

// What is not stored in time fails, and may have been stored.
func TestClientFailsWhatIsTooOld(t *testing.T) {
	c, events := start(t, "1", func(_ *actor.Conn, request map[string]any) []string {
		if request["type"] == "join" {
			return []string{joined("")}
		}
		return nil
	}, client.Config{MaxQueued: 2})
	next[client.Joined](t, events)
	id, err := c.Say("never answered")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Say("never sent"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Say("one too many"); err != client.ErrFull {
		t.Errorf("the queue takes more: %v", err)
	}
	if got := next[client.Failed](t, events); got.ID != id || !got.Unknown || got.Code != "too_old" {
		t.Errorf("failed: %+v", got)
	}
	if got := next[client.Failed](t, events); got.Text != "never sent" || got.Unknown {
		t.Errorf("failed: %+v", got)
	}
	c.Close()
	if _, err := c.Say("late"); err != client.ErrClosed {
		t.Errorf("after the close: %v", err)
	}
}

func TestClientThatIsReplacedEnds(t *testing.T) {
	c, events := start(t, "60", func(_ *actor.Conn, _ map[string]any) []string {
		return []string{joined(""), `{"type":"error","code":"replaced","text":"Elsewhere."}`}
	}, client.Config{})
	if got := next[client.Refused](t, events); got.Code != "replaced" {
		t.Errorf("refused with %+v", got)
	}
	select {
	case <-c.Done():
	case <-time.After(patience):
		t.Error("it does not end")
	}
}
