package actor

import (
	"context"
	"time"
)

// startPings measures a broker's lag until the function that is returned has
// returned.
func (h *Hub) startPings(broker Broker) (stop func()) {
	pinger, ok := broker.(BrokerPinger)
	if !ok {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(h.config.PingInterval)
		defer ticker.Stop()
		for h.ping(ctx, pinger) {
			select {
			case <-ctx.Done():
			case <-ticker.C:
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// ping asks once; it reports false when the hub closes. What the broker cannot
// answer in time counts as that much time, also if it is not connected.
func (h *Hub) ping(ctx context.Context, broker BrokerPinger) bool {
	if ctx.Err() != nil {
		return false
	}
	patient, cancel := context.WithTimeout(ctx, h.config.PingTimeout)
	defer cancel()
	began := time.Now()
	err := broker.Ping(patient)
	switch {
	case ctx.Err() != nil:
		return false
	case err == nil:
		h.config.Observer.BrokerLag(time.Since(began))
	default:
		h.config.Observer.BrokerLag(h.config.PingTimeout)
	}
	return true
}
