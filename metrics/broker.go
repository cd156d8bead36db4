package metrics

// BrokerPublished counts a message that a hub handed to its broker.
func (c *Collector) BrokerPublished(payload int) { c.published.add(payload) }

// BrokerReceived counts a message that a hub took from its broker.
func (c *Collector) BrokerReceived(payload int) { c.taken.add(payload) }

func (c counted) add(payload int) {
	c.frames.Inc()
	if payload > 0 { // a negative number would make the counter panic
		c.bytes.Add(float64(payload))
	}
}

// BrokerFailed counts what a hub could not do. An operation that is not known
// here counts as "other".
func (c *Collector) BrokerFailed(operation string) { known(c.brokerFailed, operation).Inc() }

// BrokerGap counts a loss between nodes.
func (c *Collector) BrokerGap() { c.brokerGaps.Inc() }

// BrokerConnected counts the losses of a broker's connection.
func (c *Collector) BrokerConnected(connected bool) {
	if !connected {
		c.brokerDisconnected.Inc()
	}
}
