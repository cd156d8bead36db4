package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/natsbroker"
	"github.com/tandem-ws/tandem/actor/natsbroker/embedded"
	"github.com/tandem-ws/tandem/examples/chat/store"
)

// backbone is what connects the nodes and keeps the history: NATS, in this
// program or elsewhere.
type backbone struct {
	name   string // of this node, another one each time it starts
	server *embedded.Server
	broker *natsbroker.Broker
	hub    *actor.Hub
	store  *store.JetStream
}

// openTime is how long the streams may take to be there: a cluster may be
// forming.
const openTime = time.Minute

func openBackbone(ctx context.Context, o options, engine *actor.Engine, registry prometheus.Registerer, observer actor.Observer, logger *zap.Logger) (b *backbone, err error) {
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails
	b = &backbone{name: hex.EncodeToString(random[:])}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	var options []nats.Option
	if o.natsToken != "" {
		options = append(options, nats.Token(o.natsToken))
	}
	if o.natsURL != "" {
		options = append(options, nats.RetryOnFailedConnect(true)) // it may start later than this program
		logger.Info("connecting to NATS")
	}
	broker := natsbroker.Config{
		Name: "chat " + b.name, URLs: list(o.natsURL), Options: options,
		Errors: func(err error) { logger.Warn("NATS", zap.Error(err)) },
	}
	if o.natsURL == "" {
		b.server, err = embedded.Start(embedded.Config{
			Listen: o.natsListen, Token: o.natsToken, StoreDir: o.data, SyncAlways: o.sync, Logger: logger.Named("nats"),
		})
		if err != nil {
			return b, fmt.Errorf("the NATS server in this program (-data %s): %w", o.data, err)
		}
		broker.InProcess = b.server
	}
	if b.broker, err = natsbroker.Connect(broker); err != nil {
		return b, err
	}
	if b.hub, err = actor.NewHub(engine, b.broker, actor.HubConfig{Prefix: "chat.hub", Observer: observer, Logger: logger}); err != nil {
		return b, err
	}
	limited, cancel := context.WithTimeout(ctx, openTime)
	defer cancel()
	b.store, err = store.Open(limited, store.Config{Node: b.name, Replicas: o.replicas, Connect: func(own ...nats.Option) (*nats.Conn, error) {
		own = append(own, options...)
		if b.server != nil {
			own = append(own, nats.InProcessServer(b.server))
		}
		return nats.Connect(strings.Join(list(o.natsURL), ","), own...)
	}})
	if err != nil {
		return b, err
	}
	return b, registerBroker(registry, b.broker)
}

// registerBroker shows what an operator wants to know of the broker.
func registerBroker(registry prometheus.Registerer, b *natsbroker.Broker) error {
	for name, gauge := range map[string]struct {
		help  string
		value func(natsbroker.Stats) float64
	}{
		"chat_broker_queued_bytes":  {"What waits to be published to NATS.", func(s natsbroker.Stats) float64 { return float64(s.Queued) }},
		"chat_broker_pending_bytes": {"What came from NATS and waits for its handlers.", func(s natsbroker.Stats) float64 { return float64(s.Pending) }},
	} {
		err := registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: gauge.help}, func() float64 { return gauge.value(b.Stats()) }))
		if err != nil {
			return err
		}
	}
	return registry.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "chat_broker_losses_total", Help: "Times that a full queue lost something that came from NATS."},
		func() float64 { return float64(b.Stats().Lost) }))
}

// url is where further nodes find NATS, "" if they cannot.
func (b *backbone) url() string {
	if b.server == nil {
		return ""
	}
	return b.server.URL()
}

// close ends what there is, in the order in which it needs each other.
func (b *backbone) close() {
	if b.hub != nil {
		b.hub.Close()
	}
	if b.store != nil {
		b.store.Close()
	}
	if b.broker != nil {
		b.broker.Close()
	}
	if b.server != nil {
		b.server.Close()
	}
}

// list returns what is separated by commas.
func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}
