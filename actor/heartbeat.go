package actor

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// heartbeat pings a connection, closes one that has gone silent, and keeps its
// time limits. Any byte from the peer is a sign of life. While reading is
// paused because the session does not keep up, silence says nothing about the
// peer and does not count: then the limit on stalled sessions applies. Nor does
// it while reading is paused for a rate limit, or while the ping itself waits behind
// what a slow peer takes: WriteTimeout bounds that.
type heartbeat struct {
	entry   wheelEntry
	heard   atomic.Bool // bytes have come since the last ping was due
	misses  int32
	message atomic.Int64  // when the last message was handled, on the wheel's clock
	ping    time.Duration // when the next ping is due, since the connection opened
	end     time.Duration // when its lifetime is over, 0 for never
}

// hear notes that bytes have come, and noteMessage that a message was handled. They write
// only what changes: that is seldom, and reading is cheaper.
func (h *heartbeat) hear() {
	if !h.heard.Load() {
		h.heard.Store(true)
	}
}

func (h *heartbeat) noteMessage(now int64) {
	if h.message.Load() != now {
		h.message.Store(now)
	}
}

func (c *Conn) startHeartbeat() {
	config, wheel := &c.host.config, &c.host.wheel
	c.beat.heard.Store(true)
	c.beat.ping = firstPingWithin/4 + rand.N(firstPingWithin/2)
	if limit := config.MaxLifetime; limit > 0 {
		c.beat.end = limit - rand.N(limit/10)
	}
	c.beat.entry.due = c
	// Limits that are shorter than the first ping's time are rounded up to it.
	wheel.add(&c.beat.entry, c.beat.ping)
	c.beat.message.CompareAndSwap(0, wheel.now.Load())
}

// visited is one beat; it returns the time until the next, 0 for none.
func (c *Conn) visited() time.Duration {
	if c.writer.half.Lifecycle().State() != wscore.Open {
		return 0 // the close has its own time limit
	}
	over, next := c.overdue()
	if over == nil && c.age() >= c.beat.ping {
		over = c.missed()
		if over == nil {
			if c.writer.half.Ping() {
				c.writer.schedule()
			}
			interval := c.host.config.PingInterval
			c.beat.ping = c.age() + interval - interval/10 + rand.N(interval/5)
		}
	}
	if over != nil {
		c.begin(*over)
		return 0
	}
	return max(wheelTick, min(next, c.beat.ping-c.age()))
}

// missed counts an interval and says whether the peer has been silent for too
// many of them.
func (c *Conn) missed() *closeRequest {
	if c.beat.heard.Swap(false) || c.reader.credits.paused.Load() || c.reader.isThrottled() || !c.writer.half.PingWritten() {
		c.beat.misses = 0
		return nil
	}
	if c.beat.misses++; int(c.beat.misses) <= c.host.config.PingMisses {
		return nil
	}
	return &closeRequest{cause: CauseHeartbeat, order: discardQueued, code: wscore.CloseInternalError, reason: "no answer to pings",
		err: fmt.Errorf("nothing received for %d ping intervals", c.beat.misses)}
}

// overdue checks the time limits: it returns the close that one of them asks
// for, or the time until the next of them could be over.
func (c *Conn) overdue() (over *closeRequest, next time.Duration) {
	config, now := &c.host.config, c.host.wheel.now.Load()
	next = config.SessionStallTimeout
	if c.beat.end > 0 {
		left := c.beat.end - c.age()
		if left <= 0 {
			return &closeRequest{cause: CauseLimit, order: afterQueued, code: wscore.CloseGoingAway, reason: "connection is too old", err: errLifetime}, 0
		}
		next = min(next, left)
	}
	paused := c.reader.credits.paused.Load()
	if config.IdleTimeout > 0 && !paused {
		left := config.IdleTimeout - time.Duration(now-c.beat.message.Load())
		if c.reader.isThrottled() || c.reader.credits.messages.Load() > 0 {
			left = config.IdleTimeout // nobody listens, or it waits for an answer
		}
		if left <= 0 {
			return &closeRequest{cause: CauseLimit, order: afterQueued, code: wscore.CloseGoingAway, reason: "idle", err: errIdle}, 0
		}
		next = min(next, left)
	}
	if paused {
		left := config.SessionStallTimeout - time.Duration(now-c.reader.credits.progress.Load())
		if left <= 0 {
			return &closeRequest{cause: CauseLimit, order: discardQueued, code: wscore.CloseInternalError, reason: "session stalled", err: errStalled}, 0
		}
		next = min(next, left)
	}
	return nil, next
}

// LimitError says which limit of [ConnConfig] on time or rate ended a
// connection.
type LimitError struct {
	Field string // such as "IdleTimeout" or "InboundRate.Bytes"
}

// Error names the limit.
func (e *LimitError) Error() string { return "websocket: connection reached " + e.Field }

var (
	errLifetime = &LimitError{Field: "MaxLifetime"}
	errIdle     = &LimitError{Field: "IdleTimeout"}
	errStalled  = &LimitError{Field: "SessionStallTimeout"}
)
