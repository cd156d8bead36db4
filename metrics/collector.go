package metrics

import (
	"maps"
	"math/bits"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
)

// Collector observes servers and dialers and exposes what it saw. One collector may be the
// observer of several servers; its values are then their sums. All methods may
// be called from any goroutine.
type Collector struct {
	parts []prometheus.Collector // what the registerer sees, in the order made

	open     level
	closing  level
	most     level
	opened   map[string]prometheus.Counter
	closed   *prometheus.CounterVec
	lifetime prometheus.Histogram
	setup    *histogram

	in, out traffic
	batches *histogram

	roundTrip prometheus.Histogram
	refused   map[string]prometheus.Counter // by reason; not changed after New
	undialed  map[string]prometheus.Counter // by reason; not changed after New

	acceptFailures prometheus.Counter

	inUse         [bits.UintSize + 1]*level // by the bit length of the class
	mailboxFrames level
	mailboxBytes  level
	crowded       level
	waited        *histogram
	dropped       [split.DropReasons]prometheus.Counter
	droppedOther  func() prometheus.Counter

	handling    *histogram
	late        count
	published   count
	taken       count
	untaken     count
	fanOut      *histogram
	subscribers level
	pollers     pollers

	panics            map[string]prometheus.Counter // by part; not changed after New
	messagesRefused   prometheus.Counter
	messagesUnhandled prometheus.Counter
	rates             map[string]prometheus.Counter // by what went over; not changed after New

	draining level
	drained  map[string]prometheus.Counter // by stage; not changed after New

	brokerOut, brokerIn messages                      // between nodes
	brokerFailed        map[string]prometheus.Counter // by operation; not changed after New
	brokerGaps          prometheus.Counter
	recovered           prometheus.Counter
	unrecovered         prometheus.Counter
	brokerDisconnected  prometheus.Counter
	brokerLag           *histogram
}

var (
	_ actor.Observer       = (*Collector)(nil)
	_ prometheus.Collector = (*Collector)(nil)
)

// New makes a collector and registers it, all metrics or none. The error is an
// [*actor.ConfigError] for a setting that cannot be exposed, or a
// [*RegistrationError].
func New(config Config) (*Collector, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Collector{}
	maker{config, &c.parts}.fill(c)
	if err := config.Registerer.Register(c); err != nil {
		return nil, &RegistrationError{Namespace: config.Namespace, Err: err}
	}
	return c, nil
}

// Describe tells a registerer the metrics; Prometheus calls it.
func (c *Collector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, part := range c.parts {
		part.Describe(descriptions)
	}
}

// Collect hands out the values; Prometheus calls it.
func (c *Collector) Collect(metrics chan<- prometheus.Metric) {
	for _, part := range c.parts {
		part.Collect(metrics)
	}
}

// Upper bounds of the histograms' classic buckets in seconds. Round trips are
// densest where networks differ, from 10 to 500 ms. Lifetimes reach from a
// client that leaves at once to one that stays for a week. Waits and handling
// reach from what costs nothing to what ends connections.
var (
	handshakeLimits = []time.Duration{
		time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
		100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
	}
	waitLimits = []time.Duration{
		10 * time.Microsecond, 30 * time.Microsecond, 100 * time.Microsecond, 300 * time.Microsecond, time.Millisecond, 3 * time.Millisecond,
		10 * time.Millisecond, 30 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second,
	}
	roundTripBuckets = []float64{
		0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10, 30,
	}
	lifetimeBuckets = []float64{0.1, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 12 * 3600, 24 * 3600, 7 * 24 * 3600}
)

// Settings of the native histogram. Eight buckets for each doubling need 128
// from 0.5 ms to 30 s; beyond the bound resolution is halved, not lost, until
// a reset, which comes at most once in the duration.
const (
	nativeFactor     = 1.1
	nativeMaxBuckets = 160
	nativeMinReset   = time.Hour
)

// maker makes metrics with the config's namespace and labels, and lists them.
type maker struct {
	config Config
	parts  *[]prometheus.Collector
}

// fill makes every metric with all children that are known beforehand.
func (m maker) fill(c *Collector) {
	connections := "WebSocket connections that exist now, by whether their close has begun."
	m.gauge(&c.open, "connections", connections, prometheus.Labels{labelState: "open"})
	m.gauge(&c.closing, "connections", connections, prometheus.Labels{labelState: "closing"})
	m.gauge(&c.most, "connections_limit", "WebSocket connections that the servers may have at once.", nil)
	c.opened = children(m.counter("connections_opened_total", "WebSocket connections opened, by what wakes their readers.", labelReadiness), readinesses[:])
	c.closed = m.counter("connections_closed_total",
		"WebSocket connections ended, by close code (1006: without a close frame), the side that ended it and why.",
		labelCode, labelInitiator, labelCause)
	for _, e := range commonEndings {
		c.closed.WithLabelValues(closeCodeLabel(e.code), e.initiator.String(), e.cause.String())
	}
	c.lifetime = m.histogram(prometheus.HistogramOpts{
		Name: "connection_lifetime_seconds", Help: "Time from the handshake to the end of WebSocket connections.",
		Buckets: lifetimeBuckets,
	})

	c.setup = m.family("handshake_duration_seconds", "Time from a request to the WebSocket connection that it became.").histogram(seconds(handshakeLimits))
	m.traffic(c)

	c.roundTrip = m.histogram(prometheus.HistogramOpts{
		Name: "ping_round_trip_seconds", Help: "Time from a ping's completed write to the decoding of its pong.",
		Buckets:                         roundTripBuckets,
		NativeHistogramBucketFactor:     nativeFactor,
		NativeHistogramMaxBucketNumber:  nativeMaxBuckets,
		NativeHistogramMinResetDuration: nativeMinReset,
	})
	c.refused = children(m.counter("handshakes_refused_total", "Requests that did not become a WebSocket connection, by reason.", labelReason), refusals[:])
	c.undialed = children(m.counter("dials_failed_total", "Attempts of dialers that brought no connection, by reason.", labelReason), dialFailures[:])
	c.acceptFailures = m.counter("accept_failures_total", "Attempts to accept connections that failed for want of descriptors or memory.").WithLabelValues()

	for _, class := range bufferClasses {
		l := &level{}
		c.inUse[classSlot(class)] = l
		m.gauge(l, "buffers_in_use", "Message buffers taken from the pool and not given back, by payload capacity.",
			prometheus.Labels{labelClass: classLabel(class)})
	}
	for slot, l := range c.inUse {
		if l == nil {
			c.inUse[slot] = c.inUse[classSlot(0)] // a class unknown here
		}
	}
	m.gauge(&c.mailboxFrames, "mailbox_frames", "Messages that wait to be sent or are being sent, summed over connections.", nil)
	m.gauge(&c.mailboxBytes, "mailbox_bytes", "Payload bytes that wait to be sent or are being sent, summed over connections.", nil)
	m.gauge(&c.crowded, "mailboxes_crowded", "Connections whose mailbox was more than half full and is not down to a quarter again.", nil)
	c.waited = m.family("mailbox_wait_seconds", "Time from the sending of a message to its completed write; one message in 16.").histogram(seconds(waitLimits))
	dropped := m.counter("frames_dropped_total", "Frames offered for sending that are never sent, by reason.", labelReason)
	for reason := range c.dropped {
		c.dropped[reason] = dropped.WithLabelValues(split.DropReason(reason).String())
	}
	c.droppedOther = func() prometheus.Counter { return dropped.WithLabelValues(other) }

	m.sessions(c)
	m.topics(c)
	m.pollers(&c.pollers)
	m.buildInfo()

	c.panics = children(m.counter("panics_total", "Panics recovered, by the part of a connection that panicked.", labelPart), parts[:])
	c.messagesUnhandled = m.counter("messages_unhandled_total", "Messages from peers that their session never saw, because it was stopped or had panicked.").WithLabelValues()
	c.rates = children(m.counter("rate_exceeded_total", "Times that a peer went over a rate limit, by what it sent too much of.", labelLimit), rates[:])
	m.gauge(&c.draining, "draining_servers", "Servers that are shutting down.", nil)
	c.drained = children(m.counter("drain_connections_total", "WebSocket connections that were left when a shutdown came to each of its stages.", labelStage), drainStages())
	recovered := m.counter("recoveries_total", "Peers that came back and asked for what they had missed, by whether all of it was still there.", labelResult)
	c.recovered, c.unrecovered = recovered.WithLabelValues("complete"), recovered.WithLabelValues("incomplete")
	c.messagesRefused = m.counter("messages_refused_total", "Messages from other actors that a connection could not take.").WithLabelValues()

	number := m.counter("broker_messages_total", "Messages that hubs published to their broker (out) and took from it (in).", labelDirection)
	payload := m.counter("broker_payload_bytes_total", "Payload bytes of messages that hubs published to their broker (out) and took from it (in).", labelDirection)
	c.brokerOut = messages{number.WithLabelValues("out"), payload.WithLabelValues("out")}
	c.brokerIn = messages{number.WithLabelValues("in"), payload.WithLabelValues("in")}
	c.brokerFailed = children(m.counter("broker_failures_total", "What hubs could not do at their broker, by operation.", labelOperation), operations[:])
	c.brokerGaps = m.counter("broker_gaps_total", "Times that messages between nodes may have been lost.").WithLabelValues()
	c.brokerLag = m.family("broker_lag_seconds", "Time that a hub's broker took to pass on what had been published, asked every few seconds.").histogram(seconds(handshakeLimits))
	c.brokerDisconnected = m.counter("broker_disconnects_total", "Times that a hub's broker lost its connection.").WithLabelValues()
}

func (m maker) counter(name, help string, labels ...string) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: m.config.Namespace, Name: name, Help: help, ConstLabels: m.config.ConstLabels,
	}, labels)
	*m.parts = append(*m.parts, vec)
	return vec
}

func (m maker) gauge(l *level, name, help string, labels prometheus.Labels) {
	all := maps.Clone(m.config.ConstLabels)
	if all == nil {
		all = prometheus.Labels{}
	}
	maps.Copy(all, labels)
	*m.parts = append(*m.parts, l.gauge(prometheus.GaugeOpts{Namespace: m.config.Namespace, Name: name, Help: help, ConstLabels: all}))
}

func (m maker) histogram(opts prometheus.HistogramOpts) prometheus.Histogram {
	opts.Namespace, opts.ConstLabels = m.config.Namespace, m.config.ConstLabels
	histogram := prometheus.NewHistogram(opts)
	*m.parts = append(*m.parts, histogram)
	return histogram
}

// children makes the children of a metric with one label.
func children(vec *prometheus.CounterVec, values []string) map[string]prometheus.Counter {
	resolved := make(map[string]prometheus.Counter, len(values))
	for _, value := range values {
		resolved[value] = vec.WithLabelValues(value)
	}
	return resolved
}
