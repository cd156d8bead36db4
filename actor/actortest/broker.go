package actortest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

// Broker tests that brokers keep the contract of [actor.Broker]. The function
// returns the broker of one more node; what it starts it ends with the test. All
// nodes know each other. A broker that does not do what it must ends the test.
func Broker(t TB, node func() actor.Broker) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t TB, from, to actor.Broker)
	}{
		{"each subscription gets a copy in order", brokerOrder},
		{"what is published once Subscribe has returned arrives", brokerSubscribes},
		{"a subject may be long, and a payload empty", brokerSubjects},
		{"handlers are called one at a time", brokerOneAtATime},
		{"a subscription may end itself and begin again", brokerCancels},
		{"what is lost is missed where it would have been", brokerMisses},
	} {
		t.Logf("actortest: broker: %s", test.name)
		test.run(t, node(), node())
	}
}

// brokerPatience bounds every wait for a broker.
const brokerPatience = 30 * time.Second

// calls keeps what a broker calls: payloads, and nil for what is missed.
type calls struct {
	mu      sync.Mutex
	list    [][]byte
	changed chan struct{}
	busy    bool
	twice   bool          // called while it was being called
	release chan struct{} // if not nil, what calls wait for
	then    func()
}

func newCalls() *calls { return &calls{changed: make(chan struct{}, 1)} }

// Deliver keeps a copy.
func (c *calls) Deliver(payload []byte) {
	c.take(append(make([]byte, 0, len(payload)+1), payload...))
}

// Missed keeps a nil.
func (c *calls) Missed() { c.take(nil) }

func (c *calls) take(payload []byte) {
	c.mu.Lock()
	c.twice = c.twice || c.busy
	c.busy = true
	c.list = append(c.list, payload)
	then := c.then
	c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
	if c.release != nil {
		<-c.release
	}
	if then != nil {
		then()
	}
	c.mu.Lock()
	c.busy = false
	c.mu.Unlock()
}

// until waits for calls that are enough.
func (c *calls) until(t TB, what string, enough func([][]byte) bool) [][]byte {
	t.Helper()
	limit := time.NewTimer(brokerPatience)
	defer limit.Stop()
	for {
		c.mu.Lock()
		list, twice := c.list[:len(c.list):len(c.list)], c.twice
		c.mu.Unlock()
		if twice {
			t.Fatalf("actortest: broker: the handler was called while it was being called")
		}
		if enough(list) {
			return list
		}
		select {
		case <-c.changed:
		case <-limit.C:
			t.Fatalf("actortest: broker: waited in vain for %s: there are %d calls", what, len(list))
		}
	}
}

func subscribe(t TB, b actor.Broker, subject string, h actor.BrokerHandler) (cancel func()) {
	t.Helper()
	cancel, err := b.Subscribe(subject, h)
	if err != nil {
		t.Fatalf("actortest: broker: subscribe %q: %v", subject, err)
	}
	return cancel
}

// publish publishes, again while the broker is full.
func publish(t TB, b actor.Broker, subject string, payload []byte) {
	t.Helper()
	for limit := time.Now().Add(brokerPatience); ; {
		err := b.Publish(subject, payload)
		if err == nil {
			return
		}
		if !errors.Is(err, actor.ErrBrokerFull) || time.Now().After(limit) {
			t.Fatalf("actortest: broker: publish %q: %v", subject, err)
		}
		time.Sleep(time.Millisecond)
	}
}

func brokerOrder(t TB, from, to actor.Broker) {
	const count = 1000
	first, second := newCalls(), newCalls()
	defer subscribe(t, to, "contract.order", first)()
	defer subscribe(t, to, "contract.order", second)()
	payload := make([]byte, 4)
	for i := range count {
		binary.BigEndian.PutUint32(payload, uint32(i))
		publish(t, from, "contract.order", payload)
	}
	for _, c := range []*calls{first, second} {
		list := c.until(t, "all messages", func(list [][]byte) bool { return len(list) >= count })
		for i, got := range list {
			if len(got) != 4 || binary.BigEndian.Uint32(got) != uint32(i) {
				t.Fatalf("actortest: broker: message %d is %x", i, got)
			}
		}
	}
}

func brokerSubscribes(t TB, from, to actor.Broker) {
	for i := range 100 {
		subject, c := fmt.Sprint("contract.subscribe.", i), newCalls()
		cancel := subscribe(t, to, subject, c)
		publish(t, from, subject, []byte{byte(i)})
		if got := c.until(t, "what followed Subscribe", func(list [][]byte) bool { return len(list) > 0 }); got[0] == nil || got[0][0] != byte(i) {
			t.Fatalf("actortest: broker: got %x", got)
		}
		cancel()
	}
}

func brokerSubjects(t TB, from, to actor.Broker) {
	long := "contract.subject." + strings.Repeat("x", 200-len("contract.subject."))
	for _, subject := range []string{"c", long, "a-b_c:d/e@f=g+h~i.0.1.2"} {
		c, stranger := newCalls(), newCalls()
		cancel, cancelStranger := subscribe(t, to, subject, c), subscribe(t, to, "contract.stranger", stranger)
		publish(t, from, subject, nil)
		publish(t, from, "contract.stranger", []byte("x"))
		stranger.until(t, "a message of its own", func(list [][]byte) bool { return len(list) == 1 && len(list[0]) == 1 })
		c.until(t, "an empty payload", func(list [][]byte) bool { return len(list) == 1 && list[0] != nil && len(list[0]) == 0 })
		cancel()
		cancelStranger()
	}
}

func brokerOneAtATime(t TB, from, to actor.Broker) {
	const publishers, each = 8, 500
	c := newCalls()
	defer subscribe(t, to, "contract.many", c)()
	var all sync.WaitGroup
	failed := make(chan error, publishers)
	for p := range publishers {
		all.Go(func() {
			for i := range each {
				if err := from.Publish("contract.many", []byte{byte(p), byte(i >> 8), byte(i)}); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		t.Fatalf("actortest: broker: publish: %v", err)
	default:
	}
	var next [publishers]int
	for _, got := range c.until(t, "all messages", func(list [][]byte) bool { return len(list) >= publishers*each }) {
		p, i := got[0], int(got[1])<<8|int(got[2])
		if i != next[p] {
			t.Fatalf("actortest: broker: publisher %d: got %d, want %d", p, i, next[p])
		}
		next[p]++
	}
}

func brokerCancels(t TB, from, to actor.Broker) {
	c, cancelled := newCalls(), make(chan struct{})
	var cancel func()
	c.then = func() { cancel(); close(cancelled) }
	c.mu.Lock() // so that the handler finds cancel
	cancel = subscribe(t, to, "contract.cancel", c)
	c.mu.Unlock()
	publish(t, from, "contract.cancel", []byte("1"))
	<-cancelled
	after := newCalls()
	defer subscribe(t, to, "contract.cancel", after)()
	publish(t, from, "contract.cancel", []byte("2"))
	after.until(t, "a message after another had cancelled", func(list [][]byte) bool { return len(list) == 1 && string(list[0]) == "2" })
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.list) != 1 {
		t.Fatalf("actortest: broker: a cancelled subscription got %q", c.list)
	}
}

func brokerMisses(t TB, from, to actor.Broker) {
	const count, size = 40_000, 64 // more than any bound
	c := newCalls()
	c.release = make(chan struct{})
	defer subscribe(t, to, "contract.miss", c)()
	payload := make([]byte, size)
	for i := range uint32(count) {
		binary.BigEndian.PutUint32(payload, i)
		publish(t, from, "contract.miss", payload)
		if i == 0 {
			c.until(t, "the first message", func(list [][]byte) bool { return len(list) == 1 })
		}
	}
	// Others get through meanwhile, and show that all has arrived.
	other := newCalls()
	defer subscribe(t, to, "contract.other", other)()
	publish(t, from, "contract.other", []byte("x"))
	other.until(t, "another subject's message", func(list [][]byte) bool { return len(list) > 0 })
	close(c.release)
	c.until(t, "the loss", func(list [][]byte) bool { return list[len(list)-1] == nil })
	binary.BigEndian.PutUint32(payload, count)
	publish(t, from, "contract.miss", payload)
	isLast := func(got []byte) bool { return got != nil && binary.BigEndian.Uint32(got) == count }
	list := c.until(t, "the last message", func(list [][]byte) bool { return isLast(list[len(list)-1]) })
	next, missed, told := uint32(0), false, 0
	for _, got := range list {
		if got == nil {
			missed, told = true, told+1
			continue
		}
		if i := binary.BigEndian.Uint32(got); i != next && (!missed || i < next) {
			t.Fatalf("actortest: broker: %d follows %d, and nothing was missed between", i, int64(next)-1)
		} else {
			next, missed = i+1, false
		}
	}
	if told == 0 {
		t.Fatalf("actortest: broker: %d messages waited for one handler, without a bound", count)
	}
}
