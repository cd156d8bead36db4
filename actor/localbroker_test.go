package actor_test

import (
	"encoding/binary"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
)

// keeper is a handler that keeps what it is given; nil stands for Missed.
type keeper struct {
	mu      sync.Mutex
	list    [][]byte
	changed chan struct{} // told of each call, made by wait
	entered chan struct{} // if not nil, told of the first call
	release chan struct{} // if not nil, the first call waits for it
	calls   int
}

func (k *keeper) take(payload []byte) {
	k.mu.Lock()
	k.calls++
	first := k.calls == 1 && k.release != nil
	k.mu.Unlock()
	if first {
		close(k.entered)
		<-k.release
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.list = append(k.list, slices.Clone(payload))
	if k.changed != nil {
		close(k.changed)
		k.changed = nil
	}
}

func (k *keeper) Deliver(payload []byte) { k.take(payload) }
func (k *keeper) Missed()                { k.take(nil) }

func (k *keeper) wait(t *testing.T, n int) [][]byte {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		k.mu.Lock()
		list := slices.Clone(k.list)
		if k.changed == nil {
			k.changed = make(chan struct{})
		}
		changed := k.changed
		k.mu.Unlock()
		if len(list) >= n {
			return list
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("%d of %d calls came", len(list), n)
		}
	}
}

func TestLocalBrokerDeliversACopyToEachSubscriptionInOrder(t *testing.T) {
	var b actor.LocalBroker
	keepers := []*keeper{{}, {}}
	for _, k := range keepers {
		cancel, err := b.Subscribe("a", k)
		must(t, err)
		defer cancel()
	}
	stranger := &keeper{}
	cancel, err := b.Subscribe("b", stranger)
	must(t, err)
	defer cancel()
	payload := make([]byte, 4)
	for i := range 1000 {
		binary.BigEndian.PutUint32(payload, uint32(i))
		must(t, b.Publish("a", payload))
	}
	for _, k := range keepers {
		for i, got := range k.wait(t, 1000) {
			if binary.BigEndian.Uint32(got) != uint32(i) {
				t.Fatalf("message %d is %x", i, got)
			}
		}
	}
	must(t, b.Publish("b", nil))
	if got := stranger.wait(t, 1); len(got) != 1 || len(got[0]) != 0 {
		t.Errorf("another subject got %q", got)
	}
}

// What does not fit is missed where it would have been.
func TestLocalBrokersQueuesAreBounded(t *testing.T) {
	for _, test := range []struct {
		name          string
		size, publish int
		fit           int
	}{
		{"by number", 1, 20_000, 16 << 10},
		{"by bytes", 1 << 20, 40, 16},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b actor.LocalBroker
			k := &keeper{entered: make(chan struct{}), release: make(chan struct{})}
			cancel, err := b.Subscribe("a", k)
			must(t, err, b.Publish("a", []byte("first")))
			defer cancel()
			<-k.entered
			for range test.publish {
				must(t, b.Publish("a", make([]byte, test.size)))
			}
			close(k.release)
			k.wait(t, 1+test.fit+1)
			must(t, b.Publish("a", []byte("last")))
			got := k.wait(t, 1+test.fit+2)
			for i, payload := range got {
				want := test.size
				switch i {
				case 0:
					want = len("first")
				case 1 + test.fit:
					want = 0
				case 1 + test.fit + 1:
					want = len("last")
				}
				if len(payload) != want {
					t.Fatalf("call %d of %d has %d bytes, want %d", i, len(got), len(payload), want)
				}
			}
		})
	}
}

func TestLocalBrokersSubscriptionMayEndItself(t *testing.T) {
	var b actor.LocalBroker
	var cancel func()
	done := make(chan struct{})
	h := &canceller{f: func() { cancel(); close(done) }}
	var err error
	cancel, err = b.Subscribe("a", h)
	must(t, err, b.Publish("a", []byte("x")))
	<-done
	must(t, b.Publish("a", []byte("y"))) // would close the channel again
	b.Watch(func(actor.BrokerState) { t.Error("the state of memory changed") })()
}

type canceller struct{ f func() }

func (c *canceller) Deliver([]byte) { c.f() }
func (c *canceller) Missed()        {}

func TestLocalBrokerKeepsTheContract(t *testing.T) {
	b := &actor.LocalBroker{}
	actortest.Broker(t, func() actor.Broker { return b })
}
