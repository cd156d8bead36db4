package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// messages counts what passes between nodes.
type messages struct{ number, bytes prometheus.Counter }

// BrokerPublished counts a message that a hub handed to its broker.
func (c *Collector) BrokerPublished(payload int) { c.brokerOut.add(payload) }

// BrokerReceived counts a message that a hub took from its broker.
func (c *Collector) BrokerReceived(payload int) { c.brokerIn.add(payload) }

func (m messages) add(payload int) {
	m.number.Inc()
	if payload > 0 { // a negative number would make the counter panic
		m.bytes.Add(float64(payload))
	}
}

// BrokerFailed counts what a hub could not do. An operation that is not known
// here counts as "other".
func (c *Collector) BrokerFailed(operation string) { known(c.brokerFailed, operation).Inc() }

// BrokerGap counts a loss between nodes.
func (c *Collector) BrokerGap() { c.brokerGaps.Inc() }

// BrokerLag takes how far behind a broker was.
func (c *Collector) BrokerLag(lag time.Duration) { c.brokerLag.observe(int64(lag)) }

// BrokerConnected counts the losses of a broker's connection.
func (c *Collector) BrokerConnected(connected bool) {
	if !connected {
		c.brokerDisconnected.Inc()
	}
}
