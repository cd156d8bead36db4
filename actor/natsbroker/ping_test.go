package natsbroker_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/natsbroker"
	"github.com/tandem-ws/tandem/actor/natsbroker/embedded"
)

var _ actor.BrokerPinger = (*natsbroker.Broker)(nil)

// A ping answers behind what was published, not without a server, and not once
// the broker is closed.
func TestPingSaysWhetherTheServerTakesMessages(t *testing.T) {
	noLeaks(t)
	server := start(t, embedded.Config{})
	b := connect(t, natsbroker.Config{InProcess: server})
	for range 1000 {
		if err := b.Publish("a.subject", make([]byte, 1000)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Ping(context.Background()); err != nil {
		t.Errorf("ping: %v", err)
	}
	server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := b.Ping(ctx); err == nil || errors.Is(err, natsbroker.ErrClosed) {
		t.Errorf("ping without a server: %v", err)
	}
	b.Close()
	if err := b.Ping(context.Background()); !errors.Is(err, natsbroker.ErrClosed) {
		t.Errorf("ping of a closed broker: %v", err)
	}
}
