package actor_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
)

// Publishing may end a subscriber: its full mailbox is written at once, and the
// stream may fail at that. It then leaves the topic that is being published to.
func TestSubscriberWhoseStreamFailsLeavesWhileItIsPublishedTo(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	server, err := actor.NewServer(engine, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{Readiness: scripted{}, Mailbox: split.MailboxConfig{MaxFrames: 1}}})
	must(t, err)
	var topic actor.Topic
	published := make(chan struct{})
	s := newStream()
	s.fail(syscall.EPIPE)
	must(t, server.AttachForTest(streamConn{stream: s}, &receive{f: func(r *receive, c *actor.Context) {
		if _, ok := c.Message().(actor.Opened); ok {
			must(t, r.conn.Subscribe(&topic))
			r.conn.Publish(&topic, server.Text("queued"))
			r.conn.Publish(&topic, server.Text("does not fit"))
			close(published)
		}
	}}))
	select {
	case <-published:
	case <-time.After(10 * time.Second):
		t.Fatal("publishing does not return")
	}
	must(t, server.Shutdown(context.Background()))
	if n := topic.Len(); n != 0 {
		t.Errorf("%d subscribers are left", n)
	}
	if n := server.BuffersInUse(); n != 0 {
		t.Errorf("%d buffers in use", n)
	}
}
