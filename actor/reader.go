package actor

import (
	"fmt"
	"io"
	"math"
	"sync/atomic"

	hollywood "github.com/anthdm/hollywood/actor"

	"github.com/tandem-ws/tandem/split"
)

// readerProcess owns the reading half. It is a Hollywood process by its PID,
// and runs where the readiness wakes it.
type readerProcess struct {
	conn *Conn
	pid  halfPID
	half *split.Reader

	credits    credits
	rate       *inboundRate // nil without limits
	discarded  uint32       // bytes; no more than the longest message allows
	discarding bool         // nothing that still arrives is wanted
	gone       bool
	workDue    bool // the session has something to do and does not run
	registered bool // by the engine; guarded by the connection's lock
}

// Start, Invoke and Shutdown complete Hollywood's Processer; the readiness
// drives the reader.
func (r *readerProcess) Start() {}

// Invoke is not used: messages come through Send.
func (r *readerProcess) Invoke([]hollywood.Envelope) {}

// Shutdown closes the connection.
func (r *readerProcess) Shutdown() { r.conn.stopped(afterQueued, false) }

// PID returns the reader's address.
func (r *readerProcess) PID() *PID { return r.pid.of(r.conn, "reader") }

// Send takes a stop request and refuses everything else.
func (r *readerProcess) Send(pid *PID, message any, sender *PID) {
	r.conn.receiveForHalf(pid, message, sender)
}

// receiveForHalf deals with a message to the PID of a half that is none of its
// own: a stop request closes the connection, anything else is refused.
func (c *Conn) receiveForHalf(pid *PID, message any, sender *PID) {
	if pill, ok := asPoisonPill(message); ok {
		c.whenDone(pill.cancel)
		c.stopped(afterQueued, false)
		return
	}
	c.host.refuseMessage(pid, message, sender)
}

// Fill reads once; see [split.Handler].
func (r *readerProcess) Fill(source io.Reader) error {
	if !r.discarding {
		return r.half.Fill(source)
	}
	scratch := r.conn.host.pool().Get(discardSize)
	defer scratch.Release()
	room, _ := scratch.Resize(discardSize)
	n, err := source.Read(room)
	r.discarded += uint32(n)
	switch {
	case n > 0:
		return nil
	case err == nil:
		return split.ErrWouldBlock
	}
	return err
}

const discardSize = 4 << 10

// Drain delivers what was read, in order; see [split.Handler].
func (r *readerProcess) Drain(err error) (verdict split.Verdict) {
	defer func() {
		if v := recover(); v != nil {
			r.conn.host.recovered("reader", r.conn, v)
			r.conn.panicked(fmt.Errorf("reader panicked: %v", v))
			verdict = r.stop()
		}
		if r.workDue {
			r.workDue = false
			verdict |= split.WorkDue
		}
	}()
	return r.drain(err)
}

// Work runs the session; see [split.Worker].
func (r *readerProcess) Work(watched bool) { r.conn.session.run(watched) }

// Late lets what the session has sent leave before it returns.
func (r *readerProcess) Late() {
	r.conn.session.late()
	r.conn.host.config.Observer.SessionLate()
}

func (r *readerProcess) drain(err error) split.Verdict {
	c := r.conn
	if c.over.Load() {
		return r.stop()
	}
	if err != nil {
		if fault, ok := err.(*split.PanicError); ok {
			c.host.recovered("reader", c, fault)
			c.panicked(err)
			return r.stop()
		}
		if ended := r.half.End(err); ended == nil || r.discarding {
			c.peerStreamEnded()
		} else {
			c.lostStream(ended)
		}
		return r.stop()
	}
	c.beat.hear()
	if r.discarding {
		if int64(r.discarded) > lingerBytes+2*c.host.config.MaxMessageBytes {
			c.end()
			return r.stop()
		}
		return split.Park
	}
	for {
		if r.credits.pause() {
			return split.Pause
		}
		if r.rate != nil {
			if verdict, over := r.overRate(); over {
				return verdict
			}
		}
		event, err := r.half.Next()
		if err != nil {
			r.discard()
			c.violated(err)
			return split.Park
		}
		if event.Wake {
			c.writer.schedule()
		}
		switch event.Kind {
		case split.NeedMore:
			r.half.Rest()
			if r.half.Unfinished() {
				return split.ReadMore
			}
			return split.Park
		case split.Message:
			r.credits.take(event.Buffer.Cap())
			r.charge(event.Buffer.Len())
			if c.session.enqueue(envelope{message: event.Buffer, sender: internal}) {
				r.workDue = true
				c.session.hosted.Store(true)
			}
		case split.Ping:
			r.charge(len(event.Payload))
		case split.Pong:
			if event.RoundTrip > 0 {
				c.roundTrip.Store(uint32(max(1, min(event.RoundTrip.Microseconds(), math.MaxUint32))))
				c.host.config.Observer.PingRoundTrip(event.RoundTrip)
			}
		case split.Close:
			r.discard()
			c.peerClosed(event.Code, event.Reason)
			return split.Park
		}
	}
}

func (r *readerProcess) discard() {
	r.discarding = true
	r.half.Discard()
}

// stop frees the half and counts the reader out, once.
func (r *readerProcess) stop() split.Verdict {
	r.half.Discard()
	if !r.gone {
		r.gone = true
		r.conn.partEnded()
	}
	return split.Stop
}

// credits bounds what a reader may have delivered to a session that has not
// handled it yet.
type credits struct {
	limits          *creditLimits
	bytes, messages atomic.Int64
	paused          atomic.Bool
	progress        atomic.Int64 // when the last message was handled, or the pause began
}

// creditLimits are the same for all connections of a host.
type creditLimits struct {
	bytes, messages int64
	clock           *atomic.Int64 // the wheel's
}

func (k *credits) take(bytes int) {
	k.bytes.Add(int64(bytes))
	k.messages.Add(1)
}

// pause reports whether reading must stop, and arranges for give to tell when
// it may go on.
func (k *credits) pause() bool {
	if !k.over(1) {
		return false
	}
	k.progress.Store(k.limits.clock.Load())
	k.paused.Store(true)
	// What was given back in between may have seen no pause.
	return k.over(1) || !k.paused.CompareAndSwap(true, false)
}

// over reports whether more than 1/part of the bound is in use.
func (k *credits) over(part int64) bool {
	return k.bytes.Load() >= max(1, k.limits.bytes/part) || k.messages.Load() >= max(1, k.limits.messages/part)
}

// give returns the credits of a message and reports whether a paused reader
// must be resumed, which is once half of the bound is free.
func (k *credits) give(bytes int) (resume bool) {
	k.bytes.Add(-int64(bytes))
	k.messages.Add(-1)
	if !k.paused.Load() {
		return false
	}
	k.progress.Store(k.limits.clock.Load())
	return !k.over(2) && k.paused.CompareAndSwap(true, false)
}
