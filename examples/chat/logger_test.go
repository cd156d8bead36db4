package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

// events returns the events of a log that has been written.
func events(t *testing.T, log, message string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(log) {
		event := map[string]any{}
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%q is not JSON: %v", line, err)
		}
		if event["msg"] == message {
			found = append(found, event)
		}
	}
	return found
}

func TestOpeningAndClosingAreOneEventEachWithTheSameID(t *testing.T) {
	noLeaks(t)
	p, stop := startProgram(t)
	c := p.dial()
	c.join("lobby", "ann", "ann")
	c.say("1", "between us")
	c.expectMessage("ann", "between us")
	c.leave(wscore.CloseNormal)
	if code := stop(); code != exitOK {
		t.Fatal(code)
	}
	opened, closed := events(t, p.log.String(), "websocket opened"), events(t, p.log.String(), "websocket closed")
	if len(opened) != 1 || len(closed) != 1 {
		t.Fatalf("%d and %d events in:\n%s", len(opened), len(closed), p.log)
	}
	for name, want := range map[string]any{
		"connection": opened[0]["connection"], "subprotocol": subprotocol, "code": 1000., "initiator": "remote", "cause": "peer",
	} {
		if closed[0][name] != want {
			t.Errorf("%s is %v, want %v", name, closed[0][name], want)
		}
	}
	if opened[0]["connection"] == nil || opened[0]["remote"] != closed[0]["remote"] || closed[0]["remote"] == nil {
		t.Errorf("they do not belong together: %v, %v", opened[0], closed[0])
	}
	for _, name := range []string{"duration", "frames_in", "bytes_in", "frames_out", "bytes_out"} {
		if n, ok := closed[0][name].(float64); !ok || n <= 0 {
			t.Errorf("%s is %v", name, closed[0][name])
		}
	}
	if strings.Contains(p.log.String(), "between us") {
		t.Errorf("what a client said is in the log:\n%s", p.log)
	}
}

func TestFloodOfOneEventIsSampled(t *testing.T) {
	out := newLineWriter()
	logger := newLogger(out, zapcore.InfoLevel)
	for range 10 * logFirst {
		logger.Info("websocket opened")
	}
	// The second may turn over once on the way.
	if n := strings.Count(out.String(), "\n"); n < logFirst || n > 3*logFirst {
		t.Errorf("%d lines of %d events", n, 10*logFirst)
	}
}

func TestActorsLogLikeTheRest(t *testing.T) {
	core, logs := observer.New(zapcore.WarnLevel)
	logActors(zap.New(core))
	t.Cleanup(func() { logActors(zap.NewNop()) })
	engine, err := actor.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	pid := engine.SpawnFunc(func(c *actor.Context) {
		if c.Message() == "answer" {
			c.Respond("nobody asked")
			close(done)
		}
	}, "careless")
	engine.Send(pid, "answer")
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the actor is silent")
	}
	if found := logs.FilterLoggerName("actors").All(); len(found) != 1 || found[0].Level != zapcore.WarnLevel {
		t.Errorf("the log has %v", logs.All())
	}
	<-engine.Poison(pid).Done()
}
