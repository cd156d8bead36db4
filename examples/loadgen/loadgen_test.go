package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/actor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWrongOptionsAreNamed(t *testing.T) {
	for says, args := range map[string][]string{
		"-clients 0":  {"-clients", "0"},
		"-rooms 1001": {"-rooms", "1001"},
		"-rate 0":     {"-rate", "0"},
		"-rate NaN":   {"-rate", "NaN"},
		"-stay 1ms":   {"-stay", "1ms"},
		"-trouble -1": {"-trouble", "-1"},
		`"more"`:      {"more"},
		"-duration":   {"-duration", "-1s"},
		"-loud":       {"-loud"},
	} {
		var out strings.Builder
		if code := run(t.Context(), args, &out, false); code != exitUsage || !strings.Contains(out.String(), says) {
			t.Errorf("%v: exit code %d, %q", args, code, out.String())
		}
	}
}

// host is a chat that lets everybody in and repeats what they say.
type host struct {
	conn *actor.Conn
	once *sync.Once
	done context.CancelFunc
}

func (h *host) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		h.conn = m.Conn
	case *actor.Message:
		if text := m.Text(); strings.Contains(text, `"type":"join"`) {
			_ = h.conn.SendText(`{"type":"joined"}`)
		} else {
			_ = h.conn.SendText(text)
			h.once.Do(h.done)
		}
	}
}

func TestClientsJoinAndTalkUntilTheEnd(t *testing.T) {
	engine, err := actor.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	ctx, done := context.WithTimeout(t.Context(), 30*time.Second)
	defer done()
	var once sync.Once
	server, err := actor.NewServer(engine, func(h *actor.Handshake) (actor.Receiver, error) {
		if h.SelectSubprotocol(subprotocol) == "" {
			t.Error("the subprotocol is not offered")
		}
		return &host{once: &once, done: done}, nil
	}, actor.ServerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server)
	defer listener.Close()
	var out strings.Builder
	code := run(ctx, []string{"-url", strings.Replace(listener.URL, "http", "ws", 1) + "/ws", "-clients", "5", "-rate", "9"}, &out, false)
	if code != exitOK {
		t.Errorf("exit code %d: %s", code, out.String())
	}
	if err := server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestNobodyThereIsAFailure(t *testing.T) {
	var out strings.Builder
	if code := run(t.Context(), []string{"-url", "ws://127.0.0.1:1/ws", "-clients", "1", "-duration", "200ms"}, &out, false); code != exitFailed {
		t.Errorf("exit code %d: %s", code, out.String())
	}
}

func TestLineTellsWhatTheLastSecondBrought(t *testing.T) {
	o := options{clients: 10, duration: 20 * time.Second}
	got := line(5*time.Second, o, reading{open: 9, failed: 3}, reading{open: 9, sent: 4, received: 30, answered: 2, answerNS: int64(3 * time.Millisecond)})
	if want := "[#####...............]     5s  9 of 10 open  4 said  30 heard  answered in 1.5ms  3 failed dials"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
