package actor

import (
	"sync/atomic"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// RateConfig bounds how much a peer may send in a second. Both limits are
// token buckets: a burst may come at once, and what is used up comes back at
// the rate. The zero value has no limits, and then connections hold nothing
// for them.
//
// The message that goes over is still delivered. After it nothing more is read
// from that peer, so that TCP pushes back, until the burst is no longer
// exceeded, which is looked at every 50 ms; missed pongs and silence do not
// count meanwhile. Peers within the limits notice nothing. A connection that is
// closing is read on, for the peer's close frame.
type RateConfig struct {
	// Messages is how many messages and pings a peer may send in a second.
	// Default: 0, no limit. Range: up to 1,000,000.
	Messages int
	// MessageBurst is how many of them may come at once. Default: Messages.
	// Range: a tenth of Messages to 1,000,000.
	MessageBurst int
	// Bytes is how many bytes of them, inflated and without headers, a peer may
	// send in a second. Default: 0, no limit. Range: up to 1 GiB.
	Bytes int
	// ByteBurst is how many bytes may come at once. One message may be longer:
	// it is paid off before the next. Default: Bytes. Range: a tenth of Bytes to
	// 1 GiB.
	ByteBurst int
	// Close closes a connection that goes over with 1008, behind the replies to
	// what it sent, instead of reading more slowly.
	Close bool
}

const (
	maxMessageRate = 1_000_000
	maxByteRate    = 1 << 30
	// burstPart is the least burst, as a part of a second: the buckets are
	// looked at once a tick of the wheel, and what comes back between two looks
	// must fit into them.
	burstPart = time.Second / (2 * wheelTick)
)

func (c RateConfig) withDefaults() (RateConfig, error) {
	fill(&c.MessageBurst, c.Messages)
	fill(&c.ByteBurst, c.Bytes)
	return c, firstError(
		inRange("InboundRate.Messages", c.Messages, 0, maxMessageRate),
		inRange("InboundRate.MessageBurst", c.MessageBurst, leastBurst(c.Messages), mostBurst(c.Messages, maxMessageRate)),
		inRange("InboundRate.Bytes", c.Bytes, 0, maxByteRate),
		inRange("InboundRate.ByteBurst", c.ByteBurst, leastBurst(c.Bytes), mostBurst(c.Bytes, maxByteRate)),
	)
}

func leastBurst(rate int) int { return (rate + int(burstPart) - 1) / int(burstPart) }

// mostBurst lets only a limit have a burst.
func mostBurst(rate, most int) int {
	if rate == 0 {
		return 0
	}
	return most
}

// rateLimits are what the connections of a host share.
type rateLimits struct{ messages, bytes rateLimit }

func (c RateConfig) limits() rateLimits {
	return rateLimits{newRateLimit(c.Messages, c.MessageBurst), newRateLimit(c.Bytes, c.ByteBurst)}
}

func (l *rateLimits) any() bool { return l.messages.perSecond > 0 || l.bytes.perSecond > 0 }

// rateLimit is a bucket's size and flow.
type rateLimit struct {
	perSecond int64         // 0 for no limit
	window    time.Duration // in which a full burst flows off
}

func newRateLimit(perSecond, burst int) rateLimit {
	l := rateLimit{perSecond: int64(perSecond)}
	l.window = l.flow(burst)
	return l
}

// flow returns in which time so much flows off, rounded up. Both factors are at
// most 2^30, so their product has room.
func (l rateLimit) flow(amount int) time.Duration {
	if l.perSecond == 0 {
		return 0
	}
	return time.Duration((int64(amount)*int64(time.Second) + l.perSecond - 1) / l.perSecond)
}

// bucket is how much of a burst is in use, kept as the moment when all of it
// will have flown off.
type bucket struct{ empty time.Duration }

func (b *bucket) add(now time.Duration, l rateLimit, amount int) {
	if l.perSecond > 0 {
		b.empty = max(b.empty, now) + l.flow(amount)
	}
}

// over returns for how long the bucket will hold more than its burst, 0 if it
// does not.
func (b *bucket) over(now time.Duration, l rateLimit) time.Duration {
	if l.perSecond == 0 {
		return 0
	}
	return max(0, b.empty-now-l.window)
}

// inboundRate is a connection's use of its rates. The reader owns the buckets.
type inboundRate struct {
	messages, bytes bucket
	paused          atomic.Bool
	entry           wheelEntry // ends the pause
}

// charge takes a message or ping into account.
func (r *readerProcess) charge(length int) {
	if r.rate == nil {
		return
	}
	host := r.conn.host
	now := time.Duration(host.wheel.now.Load())
	r.rate.messages.add(now, host.rates.messages, 1)
	r.rate.bytes.add(now, host.rates.bytes, length)
}

// overRate reports whether the peer has gone over a rate, and then what to do.
func (r *readerProcess) overRate() (verdict split.Verdict, over bool) {
	c, host := r.conn, r.conn.host
	now := time.Duration(host.wheel.now.Load())
	wait, limit, err := r.rate.messages.over(now, host.rates.messages), "messages", errMessageRate
	if bytes := r.rate.bytes.over(now, host.rates.bytes); bytes > wait {
		wait, limit, err = bytes, "bytes", errByteRate
	}
	if wait == 0 || c.isClosing() {
		if r.rate.paused.Load() {
			c.beat.message.Store(int64(now)) // nobody was listening
			r.rate.paused.Store(false)
		}
		return split.Park, false
	}
	if !r.rate.paused.Swap(true) {
		host.config.Observer.RateExceeded(limit)
	}
	if host.config.InboundRate.Close {
		r.discard()
		c.peerIsDone()
		c.begin(closeRequest{cause: CauseLimit, order: afterSession, code: wscore.ClosePolicyViolation, reason: "too many " + limit, err: err})
		return split.Park, true
	}
	host.wheel.wait(&r.rate.entry, c, min(wait, time.Hour)) // then it looks again
	if c.isClosing() {                                      // its end may have come before the entry
		host.wheel.remove(&r.rate.entry)
		return split.Park, false
	}
	return split.Pause, true
}

// isThrottled reports whether reading is paused for a rate.
func (r *readerProcess) isThrottled() bool { return r.rate != nil && r.rate.paused.Load() }

// isClosing reports whether the connection has begun to close.
func (c *Conn) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase != open
}

var (
	errMessageRate = &LimitError{Field: "InboundRate.Messages"}
	errByteRate    = &LimitError{Field: "InboundRate.Bytes"}
)
