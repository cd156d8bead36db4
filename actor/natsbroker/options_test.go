package natsbroker_test

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tandem-ws/tandem/actor/natsbroker"
	"github.com/tandem-ws/tandem/actor/natsbroker/embedded"
)

// An option cannot take away the handlers that Close waits for.
func TestBrokerClosesWhateverTheOptions(t *testing.T) {
	noLeaks(t)
	server := start(t, embedded.Config{})
	b, err := natsbroker.Connect(natsbroker.Config{InProcess: server, Options: []nats.Option{nats.NoCallbacksAfterClientClose()}})
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		b.Close()
	}()
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Fatal("Close does not return")
	}
}
