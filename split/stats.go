package split

import (
	"sync/atomic"
	"time"
)

// Traffic is what has passed in one direction of a connection.
type Traffic struct {
	Frames uint64 // of all kinds
	Bytes  uint64 // of payload, as it is on the wire
}

// Stats is what a connection has seen so far.
type Stats struct {
	In, Out   Traffic
	RoundTrip time.Duration // of the newest ping that was answered, 0 before; rounded up to microseconds
}

// Stats returns what the connection has seen. It may be called from any
// goroutine.
func (l *link) Stats() Stats {
	return Stats{In: l.in.load(), Out: l.out.load(), RoundTrip: time.Duration(l.ping.last.Load()) * time.Microsecond}
}

// tally counts one direction.
type tally struct{ frames, bytes atomic.Uint64 }

func (t *tally) add(frames, bytes int) {
	t.frames.Add(uint64(frames))
	t.bytes.Add(uint64(bytes))
}

func (t *tally) load() Traffic { return Traffic{Frames: t.frames.Load(), Bytes: t.bytes.Load()} }

// note keeps a round trip.
func (p *pingClock) note(roundTrip time.Duration) {
	if roundTrip > 0 {
		micros := (roundTrip + time.Microsecond - 1) / time.Microsecond
		p.last.Store(uint32(min(micros, 1<<32-1)))
	}
}

// PollerStats is what a [Poller] has done. Reads over wakes is how many
// connections had bytes each time: 1 in a quiet server, more as the load grows.
type PollerStats struct {
	OpenLoops int    // loops that are given connections
	Wakes     uint64 // waits that ended because connections had something to report
	Reads     uint64 // reads that followed
}
