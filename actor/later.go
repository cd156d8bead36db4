package actor

import (
	"sync"
	"sync/atomic"
)

// flushLater is what a session has to flush at the end of its run: its own
// connection's writer, and those of connections that it published to.
type flushLater struct {
	state  atomic.Uint32
	mu     sync.Mutex
	others *[]*writerProcess // most publish nothing
}

// The states of a flushLater.
const (
	notRunning uint32 = iota // nobody would flush later
	nothingDue               // the session runs
	flushIsDue               // the session runs and has something to flush
)

// begin opens the session's run, unless it goes on in place of one that was
// cut short.
func (l *flushLater) begin() { l.state.CompareAndSwap(notRunning, nothingDue) }

// end closes the run, unless something is due.
func (l *flushLater) end() bool { return l.state.CompareAndSwap(nothingDue, notRunning) }

// owe makes the session flush later; it reports false if it does not run.
func (l *flushLater) owe() bool {
	for {
		switch l.state.Load() {
		case notRunning:
			return false
		case flushIsDue:
			return true
		}
		if l.state.CompareAndSwap(nothingDue, flushIsDue) {
			return true
		}
	}
}

// oweOther is owe for a writer of another connection.
func (l *flushLater) oweOther(w *writerProcess) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.others == nil {
		l.others = new([]*writerProcess)
	}
	*l.others = append(*l.others, w)
	if l.owe() {
		return true
	}
	*l.others = (*l.others)[:len(*l.others)-1]
	return false
}

func (l *flushLater) isDue() bool { return l.state.Load() == flushIsDue }

// settle takes over what is due; it reports false if that is nothing.
func (l *flushLater) settle() (others []*writerProcess, ok bool) {
	if !l.state.CompareAndSwap(flushIsDue, nothingDue) {
		return nil, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.others != nil {
		others, l.others = *l.others, nil
	}
	return others, true
}

// watchFlush sees to it that what is due is flushed also if the session does
// not return.
func (s *sessionProcess) watchFlush() {
	if !s.hosted.Load() {
		s.conn.host.watch.add(s)
	}
}
