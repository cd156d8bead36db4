package actor

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// heartbeat pings a connection and closes one that has gone silent. Any byte
// from the peer is a sign of life. While reading is paused because the session
// does not keep up, silence says nothing about the peer and does not count.
type heartbeat struct {
	entry  wheelEntry
	heard  atomic.Bool // bytes have come since the last beat
	misses int
}

func (c *Conn) startHeartbeat() {
	c.beat.heard.Store(true)
	c.beat.entry.due = c.heartbeat
	c.server.wheel.add(&c.beat.entry, firstPingWithin/4+rand.N(firstPingWithin/2))
}

// heartbeat is one beat; it returns the time until the next, 0 for none.
func (c *Conn) heartbeat() time.Duration {
	config := &c.server.config
	heard := c.beat.heard.Swap(false)
	switch {
	case c.writer.half.Lifecycle().State() != wscore.Open:
		return 0 // the close has its own time limit
	case heard || c.reader.credits.paused.Load():
		c.beat.misses = 0
	default:
		c.beat.misses++
	}
	if c.beat.misses > config.PingMisses {
		c.begin(closeRequest{cause: CauseHeartbeat, order: discardQueued, code: wscore.CloseInternalError, reason: "no answer to pings",
			err: fmt.Errorf("nothing received for %d ping intervals", c.beat.misses)})
		return 0
	}
	if c.writer.half.Ping() {
		c.writer.schedule()
	}
	return config.PingInterval - config.PingInterval/10 + rand.N(config.PingInterval/5)
}
