package split

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// workShift is the work that runs on a loop's own goroutine. A goroutine has
// the loop as long as nobody takes it away during its work.
type workShift struct {
	state  atomic.Uint64          // odd during work; it only ever grows
	worker atomic.Pointer[polled] // whose work it is
	clock  workClock              // whether it waits or computes
}

// work runs a connection's work on the loop's goroutine and reports whether
// that still has the loop afterwards. While work keeps being slow it is given
// a goroutine of its own.
func (l *pollLoop) work(t *polled) bool {
	t.workDue = false
	if l.monitor.spread.Load() {
		spawn(t.worker)
		return true
	}
	l.shift.worker.Store(t)
	begun := l.shift.state.Add(1)
	l.monitor.wake()
	returned := false
	defer func() {
		if !returned && l.shift.state.CompareAndSwap(begun, begun+1) {
			go l.loop() // the application ended this goroutine
		}
	}()
	l.shift.clock.work(t.worker)
	returned = true
	return l.shift.state.CompareAndSwap(begun, begun+1)
}

// pollMonitor looks at the loops once a millisecond while they work: one that
// is still at the same work has it taken off, by a new goroutine for the loop.
// Loops that are found at work nearly always, get little of it done and spend
// little processor time on it, do work that waits for something; then each gets
// a goroutine for a second.
type pollMonitor struct {
	loops  []pollLoop
	spread atomic.Bool
	awake  atomic.Bool
	timer  *time.Timer

	open   atomic.Int32 // loops that are given connections: the first so many
	moving sync.Mutex   // one loop at a time gives connections away

	mu     sync.Mutex // one look at a time
	seen   []loopSeen
	growth growth
}

// loopSeen is what a monitor remembers of a loop.
type loopSeen struct {
	state uint64
	slow  uint16 // a bit for each of the last looks: at work, and slow at it
	busy  uint16 // the same: awake
}

const (
	// workPatience is the time between looks: work holds up a loop for at most
	// two of them.
	workPatience = time.Millisecond
	// spreadTime is how long slow work gets goroutines of its own.
	spreadTime = time.Second
	// slowLooks of the last 16 must have found slow work, and slowWork is how
	// little of it done since the look before is slow.
	slowLooks = 8
	slowWork  = 8
)

func (m *pollMonitor) init(loops []pollLoop) {
	m.loops, m.seen = loops, make([]loopSeen, len(loops))
	for i := range loops {
		loops[i].monitor = m
	}
	m.open.Store(1)
	m.growth.read = machineIdle
	m.timer = time.AfterFunc(time.Hour, m.look)
	m.timer.Stop()
}

// wake makes the monitor look, unless it does.
func (m *pollMonitor) wake() {
	if !m.awake.Load() && m.awake.CompareAndSwap(false, true) {
		m.timer.Reset(workPatience)
	}
}

func (m *pollMonitor) look() {
	m.mu.Lock()
	defer m.mu.Unlock()
	active := false
	for i := range m.loops {
		if m.visit(&m.loops[i], &m.seen[i]) {
			active = true
		}
	}
	m.balance()
	if active {
		m.timer.Reset(workPatience)
		return
	}
	m.awake.Store(false)
	for i := range m.loops { // what began before that was seen
		if m.loops[i].shift.state.Load() != m.seen[i].state {
			m.wake()
		}
	}
}

// report tells whether the loop is awake, and whether it has met events since
// the last report.
func (l *pollLoop) report() (awake, met bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	met = l.met
	l.met = false
	return l.running && !l.sleeping, met
}

// visit looks at a loop and reports whether it has worked since the last time.
func (m *pollMonitor) visit(l *pollLoop, seen *loopSeen) (active bool) {
	t, state := l.shift.worker.Load(), l.shift.state.Load()
	atWork, done := state%2 == 1, (state-seen.state)/2
	active = state != seen.state || atWork
	seen.slow <<= 1
	if atWork && done < slowWork {
		seen.slow |= 1
	}
	if atWork && state == seen.state && l.shift.state.CompareAndSwap(state, state+1) {
		go l.loop()
		t.late()
		state++
	}
	seen.state = state
	awake, met := l.report()
	seen.busy <<= 1
	if awake {
		seen.busy |= 1
	}
	active = active || met
	l.shift.clock.expire()
	if bits.OnesCount16(seen.slow) >= slowLooks {
		seen.slow = 0
		if l.shift.clock.waits() {
			m.spread.Store(true)
			time.AfterFunc(spreadTime, func() { m.spread.Store(false) })
		}
	}
	return active
}
