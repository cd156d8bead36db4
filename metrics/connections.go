package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandem-ws/tandem/actor"
)

// ConnectionOpened counts a connection. A readiness that is not known here
// counts as "other".
func (c *Collector) ConnectionOpened(readiness string) {
	c.open.add(1)
	known(c.opened, readiness).Inc()
}

// ConnectionClosing follows it into its close.
func (c *Collector) ConnectionClosing() {
	c.open.add(-1)
	c.closing.add(1)
}

// ConnectionEnded does nothing: no metric is of a single connection.
func (c *Collector) ConnectionEnded(*actor.Conn, actor.Closed, time.Duration) {}

// ConnectionClosed counts its end.
func (c *Collector) ConnectionClosed(closed actor.Closed, lifetime time.Duration) {
	c.closing.add(-1)
	c.closed.WithLabelValues(closeCodeLabel(closed.Code), closed.Initiator.String(), closed.Cause.String()).Inc()
	c.lifetime.Observe(lifetime.Seconds())
}

// HandshakeRefused counts a request that did not become a connection. A reason
// that is not known here counts as "other".
func (c *Collector) HandshakeRefused(reason string) { known(c.refused, reason).Inc() }

// DialFailed counts a dialer's attempt that brought no connection. A reason that
// is not known here counts as "other".
func (c *Collector) DialFailed(reason string) { known(c.undialed, reason).Inc() }

// AcceptFailed counts an attempt to accept connections that failed for want of
// something.
func (c *Collector) AcceptFailed(error) { c.acceptFailures.Inc() }

// PingRoundTrip takes the time of one ping and its pong.
func (c *Collector) PingRoundTrip(roundTrip time.Duration) { c.roundTrip.Observe(roundTrip.Seconds()) }

// Panicked counts a recovered panic. A part that is not known here counts as
// "other".
func (c *Collector) Panicked(part string) { known(c.panics, part).Inc() }

// MessageRefused counts a message from another actor that was not taken.
func (c *Collector) MessageRefused() { c.messagesRefused.Inc() }

// MessageUnhandled counts a message from a peer that its session never saw.
func (c *Collector) MessageUnhandled() { c.messagesUnhandled.Inc() }

// ConnectionRecovered counts a peer that came back, by whether it was given all
// that it had missed.
func (c *Collector) ConnectionRecovered(complete bool) {
	if complete {
		c.recovered.Inc()
	} else {
		c.unrecovered.Inc()
	}
}

// RateExceeded counts a peer that went over a rate limit. A limit that is not
// known here counts as "other".
func (c *Collector) RateExceeded(limit string) { known(c.rates, limit).Inc() }

// Draining counts the connections that are left as a server's shutdown comes
// to a stage.
func (c *Collector) Draining(stage actor.DrainStage, left int) {
	switch stage {
	case actor.DrainWaiting:
		c.draining.add(1)
	case actor.DrainDone:
		c.draining.add(-1)
	}
	label := other
	if stage < actor.DrainStages {
		label = stage.String()
	}
	known(c.drained, label).Add(float64(max(0, left)))
}

// known returns the counter of a label value, or that of all unknown ones.
func known(counters map[string]prometheus.Counter, value string) prometheus.Counter {
	if counter, ok := counters[value]; ok {
		return counter
	}
	return counters[other]
}
