package natsbroker_test

import (
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
	"github.com/tandem-ws/tandem/actor/natsbroker"
	"github.com/tandem-ws/tandem/actor/natsbroker/embedded"
)

const patience = 30 * time.Second

// noLeaks fails the test if goroutines are left at its end, but for those that
// a NATS server leaves to its process.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

func start(t *testing.T, config embedded.Config) *embedded.Server {
	t.Helper()
	server, err := embedded.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

func connect(t *testing.T, config natsbroker.Config) *natsbroker.Broker {
	t.Helper()
	b, err := natsbroker.Connect(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// calls keeps what a broker calls; nil is what is missed.
type calls struct {
	mu   sync.Mutex
	list [][]byte
	more chan struct{}
	held chan struct{} // if not nil, what calls wait for
}

func newCalls() *calls { return &calls{more: make(chan struct{}, 1)} }

func (c *calls) Deliver(payload []byte) {
	c.take(append(make([]byte, 0, len(payload)+1), payload...))
}
func (c *calls) Missed() { c.take(nil) }

func (c *calls) take(payload []byte) {
	c.mu.Lock()
	c.list = append(c.list, payload)
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
	if c.held != nil {
		<-c.held
	}
}

func (c *calls) until(t *testing.T, what string, enough func([][]byte) bool) [][]byte {
	t.Helper()
	limit := time.After(patience)
	for {
		c.mu.Lock()
		list := c.list[:len(c.list):len(c.list)]
		c.mu.Unlock()
		if enough(list) {
			return list
		}
		select {
		case <-c.more:
		case <-limit:
			t.Fatalf("waited in vain for %s; there are %d calls", what, len(list))
		}
	}
}

func subscribe(t *testing.T, b actor.Broker, subject string) *calls {
	t.Helper()
	c := newCalls()
	cancel, err := b.Subscribe(subject, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cancel)
	return c
}

// states keeps what a broker's watcher is told.
type states chan actor.BrokerState

func watch(t *testing.T, b actor.Broker) states {
	s := make(states, 100)
	t.Cleanup(b.Watch(func(state actor.BrokerState) { s <- state }))
	return s
}

func (s states) expect(t *testing.T, connected bool) {
	t.Helper()
	select {
	case got := <-s:
		if got.Connected != connected {
			t.Fatalf("told of %+v, want connected %v", got, connected)
		}
	case <-time.After(patience):
		t.Fatalf("was not told of connected %v", connected)
	}
}

func isNil(payload []byte) bool { return payload == nil }

func contains(text string) func([][]byte) bool {
	return func(list [][]byte) bool {
		for _, got := range list {
			if got != nil && string(got) == text {
				return true
			}
		}
		return false
	}
}

func TestBrokerKeepsTheContract(t *testing.T) {
	noLeaks(t)
	for _, test := range []struct {
		name   string
		config func(*embedded.Server) natsbroker.Config
		server embedded.Config
	}{
		{"in the process, without a port", func(s *embedded.Server) natsbroker.Config { return natsbroker.Config{InProcess: s} }, embedded.Config{}},
		{"over sockets", func(s *embedded.Server) natsbroker.Config { return natsbroker.Config{URLs: []string{s.URL()}} }, embedded.Config{Listen: "127.0.0.1:0"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := start(t, test.server)
			actortest.Broker(t, func() actor.Broker { return connect(t, test.config(server)) })
		})
	}
}

func TestCredentialsAreNeededWhereTheServerWantsThem(t *testing.T) {
	noLeaks(t)
	server := start(t, embedded.Config{Listen: "127.0.0.1:0", Token: "secret"})
	_, err := natsbroker.Connect(natsbroker.Config{URLs: []string{server.URL()}})
	if !errors.Is(err, nats.ErrAuthorization) {
		t.Errorf("without the token: %v", err)
	}
	_, err = natsbroker.Connect(natsbroker.Config{URLs: []string{server.URL()}, CredentialsFile: t.TempDir() + "/missing"})
	if err == nil {
		t.Error("with a file that is missing it connected")
	}
	b := connect(t, natsbroker.Config{InProcess: server, Options: []nats.Option{nats.Token("secret")}})
	if !b.Stats().Connected {
		t.Error("with the token it is not connected")
	}
}

func TestConfigIsChecked(t *testing.T) {
	for field, config := range map[string]natsbroker.Config{
		"URLs":              {},
		"QueuedBytes":       {URLs: []string{"nats://x"}, QueuedBytes: 1},
		"PendingMessages":   {URLs: []string{"nats://x"}, PendingMessages: -1},
		"PendingBytes":      {URLs: []string{"nats://x"}, PendingBytes: 1},
		"TotalPendingBytes": {URLs: []string{"nats://x"}, TotalPendingBytes: 1},
		"SubscribeTimeout":  {URLs: []string{"nats://x"}, SubscribeTimeout: time.Hour},
	} {
		var problem *actor.ConfigError
		if _, err := natsbroker.Connect(config); !errors.As(err, &problem) || problem.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestClosedBrokerRefuses(t *testing.T) {
	noLeaks(t)
	server := start(t, embedded.Config{})
	b := connect(t, natsbroker.Config{InProcess: server})
	other := connect(t, natsbroker.Config{InProcess: server})
	got := subscribe(t, other, "last")
	for range 1000 {
		if err := b.Publish("last", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	b.Close()
	b.Close()
	if list := got.until(t, "what was published before the close", func(list [][]byte) bool { return len(list) == 1000 }); list[0] == nil {
		t.Error("something is missed")
	}
	if err := b.Publish("last", nil); !errors.Is(err, natsbroker.ErrClosed) {
		t.Errorf("publish: %v", err)
	}
	if _, err := b.Subscribe("last", newCalls()); err == nil {
		t.Error("it subscribed")
	}
}

func TestPayloadLongerThanTheServerTakesIsRefused(t *testing.T) {
	noLeaks(t)
	server := start(t, embedded.Config{})
	b, other := connect(t, natsbroker.Config{InProcess: server}), connect(t, natsbroker.Config{InProcess: server})
	got := subscribe(t, other, "long")
	if err := b.Publish("long", make([]byte, 1<<20+1)); !errors.Is(err, natsbroker.ErrTooLong) {
		t.Errorf("too long: %v", err)
	}
	if err := b.Publish("long", make([]byte, 1<<20)); err != nil {
		t.Error(err)
	}
	got.until(t, "the longest", func(list [][]byte) bool { return len(list) == 1 && len(list[0]) == 1<<20 })
}

// What waits for one slow handler is bounded, in number and in bytes, and
// others do not notice it.
func TestSlowHandlerMissesWhatDoesNotFit(t *testing.T) {
	noLeaks(t)
	server := start(t, embedded.Config{})
	for _, test := range []struct {
		name       string
		config     natsbroker.Config
		size, fits int
	}{
		{"number", natsbroker.Config{PendingMessages: 10}, 4, 10},
		{"bytes", natsbroker.Config{PendingBytes: 10 << 10}, 1 << 10, 10},
		{"bytes of all", natsbroker.Config{TotalPendingBytes: 11 << 10}, 1 << 10, 10}, // the one in hand counts
	} {
		t.Run(test.name, func(t *testing.T) {
			test.config.InProcess = server
			from, to := connect(t, natsbroker.Config{InProcess: server}), connect(t, test.config)
			slow := newCalls()
			slow.held = make(chan struct{})
			cancel, err := to.Subscribe("slow", slow)
			if err != nil {
				t.Fatal(err)
			}
			defer cancel()
			quick := subscribe(t, to, "quick")
			payload := make([]byte, test.size)
			for i := range uint32(50) {
				binary.BigEndian.PutUint32(payload, i)
				if err := from.Publish("slow", payload); err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					slow.until(t, "the first", func(list [][]byte) bool { return len(list) == 1 })
				}
			}
			if err := from.Publish("quick", []byte("x")); err != nil {
				t.Fatal(err)
			}
			quick.until(t, "another subject's", func(list [][]byte) bool { return len(list) > 0 })
			if n := to.Stats().Lost; n == 0 {
				t.Error("no loss is counted")
			}
			close(slow.held)
			list := slow.until(t, "the loss", func(list [][]byte) bool { return isNil(list[len(list)-1]) })
			if len(list) != 1+test.fits+1 {
				t.Errorf("%d calls, want %d", len(list), 1+test.fits+1)
			}
			for i, got := range list[:len(list)-1] {
				if binary.BigEndian.Uint32(got) != uint32(i) {
					t.Fatalf("call %d is %x", i, got[:4])
				}
			}
		})
	}
}

// Whatever the name of the option that is given, it must reach nats.go.
func TestUserOptionsAreTaken(t *testing.T) {
	server := start(t, embedded.Config{})
	problem := errors.New("an option's own")
	_, err := natsbroker.Connect(natsbroker.Config{InProcess: server, Options: []nats.Option{func(*nats.Options) error { return problem }}})
	if !errors.Is(err, problem) || !strings.Contains(err.Error(), "option") {
		t.Errorf("got %v", err)
	}
}
