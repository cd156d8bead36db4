package actor_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

// laggingBroker answers each ping after the next of its times; a negative time is
// an error after that long.
type laggingBroker struct {
	actor.LocalBroker
	times []time.Duration
}

func (b *laggingBroker) Ping(ctx context.Context) error {
	if len(b.times) == 0 {
		<-ctx.Done()
		return ctx.Err()
	}
	next := b.times[0]
	b.times = b.times[1:]
	timer := time.NewTimer(max(next, -next))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	if next < 0 {
		return errors.New("no connection")
	}
	return nil
}

type lags struct {
	actor.NopObserver
	mu   sync.Mutex
	list []time.Duration
}

func (l *lags) BrokerLag(lag time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, lag)
}

// A broker's lag is what its pings take, and what it cannot answer in time
// counts as the limit; a hub that closes waits for no answer.
func TestHubMeasuresItsBrokersLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, err := actor.NewEngine()
		must(t, err)
		observer := &lags{}
		broker := &laggingBroker{times: []time.Duration{3 * time.Millisecond, 2 * time.Second, time.Minute, -time.Millisecond}}
		hub, err := actor.NewHub(engine, broker, actor.HubConfig{Observer: observer, PingInterval: time.Second, PingTimeout: 4 * time.Second})
		must(t, err)
		time.Sleep(time.Minute)
		before := time.Now()
		hub.Close()
		if took := time.Since(before); took != 0 {
			t.Errorf("closing took %v", took)
		}
		want := []time.Duration{3 * time.Millisecond, 2 * time.Second, 4 * time.Second, 4 * time.Second, 4 * time.Second}
		if len(observer.list) < len(want) || !slices.Equal(observer.list[:len(want)], want) {
			t.Errorf("lags %v, want them to begin with %v", observer.list, want)
		}
	})
}
