package metrics

import (
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandem-ws/tandem/split"
)

// What sessions, topics, poll loops and the program itself do.

var fanOutLimits = []uint64{1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 100_000}

func (m maker) sessions(c *Collector) {
	c.handling = m.family("session_handling_seconds", "Time that a session took to handle a message; one message in 16.").histogram(seconds(waitLimits))
	m.family("sessions_late_total", "Times that a session held up its poll loop for more than a millisecond and lost it.").counter(&c.late.Uint64)
}

func (m maker) topics(c *Collector) {
	m.family("topic_publishes_total", "Messages published to topics that have subscribers.").counter(&c.published.Uint64)
	deliveries := m.family("topic_deliveries_total", "Messages published to topics, counted once for each subscriber, by whether its mailbox took them.", labelResult)
	deliveries.counter(&c.taken.Uint64, "taken")
	deliveries.counter(&c.untaken.Uint64, "refused")
	c.fanOut = m.family("topic_fan_out", "Subscribers that a published message went to.").histogram(newHistogram(fanOutLimits, 1))
	m.gauge(&c.subscribers, "topic_subscribers", "Subscriptions of connections to topics.", nil)
}

// SessionHandled takes the time of one message in a session.
func (c *Collector) SessionHandled(took time.Duration) { c.handling.observe(int64(took)) }

// SessionLate counts a session that held up others.
func (c *Collector) SessionLate() { c.late.Add(1) }

// Published counts a message to a topic.
func (c *Collector) Published(subscribers, taken int) {
	c.published.Add(1)
	c.taken.Add(uint64(taken))
	c.untaken.Add(uint64(subscribers - taken))
	c.fanOut.observe(int64(subscribers))
}

// SubscribersChanged follows how many subscriptions there are.
func (c *Collector) SubscribersChanged(change int) { c.subscribers.add(change) }

// ServerStarted adds up what the servers may hold, and remembers what wakes
// their readers, to ask it at each scrape.
func (c *Collector) ServerStarted(maxConnections int, readiness split.Readiness) {
	c.most.add(maxConnections)
	c.pollers.add(readiness)
}

// HandshakeDone takes the time of a handshake.
func (c *Collector) HandshakeDone(took time.Duration) { c.setup.observe(int64(took)) }

// pollers are the pollers of all servers. Several servers may share one.
type pollers struct {
	mu  sync.Mutex
	all []poller
}

// poller is a [split.Poller], which exists on Linux only.
type poller interface{ Stats() split.PollerStats }

func (p *pollers) add(readiness split.Readiness) {
	added, ok := readiness.(poller)
	if !ok {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, known := range p.all {
		if known == added {
			return
		}
	}
	p.all = append(p.all, added)
}

// sum returns what all pollers have done.
func (p *pollers) sum() (total split.PollerStats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.all {
		stats := one.Stats()
		total.OpenLoops += stats.OpenLoops
		total.Wakes += stats.Wakes
		total.Reads += stats.Reads
	}
	return total
}

func (m maker) pollers(p *pollers) {
	m.family("poller_loops", "Poll loops that are given connections.").number(prometheus.GaugeValue, func() uint64 { return uint64(p.sum().OpenLoops) })
	m.family("poller_wakes_total", "Waits of poll loops that ended because connections had something to report.").number(prometheus.CounterValue, func() uint64 { return p.sum().Wakes })
	m.family("poller_reads_total", "Reads of connections that poll loops were told had bytes.").number(prometheus.CounterValue, func() uint64 { return p.sum().Reads })
}

// modulePath is the kit's own.
const modulePath = "github.com/tandem-ws/tandem"

// buildInfo tells the version of the kit and of Go.
func (m maker) buildInfo() {
	version, goVersion := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
		for _, module := range append(info.Deps, &info.Main) {
			if module.Path == modulePath && module.Version != "" {
				version = module.Version
			}
		}
	}
	m.family("build_info", "Always 1; the labels are the versions of the kit and of Go.", labelVersion, labelGoVersion).
		number(prometheus.GaugeValue, func() uint64 { return 1 }, version, goVersion)
}
