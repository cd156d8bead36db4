package split

import (
	"fmt"
	"math/bits"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/internal/explore"
)

// The shifts of a poll loop: who has the loop while work takes its time. The
// types here are the twins of the real ones, in which each atomic operation
// and each taking of a lock is a step.

type shiftModel struct {
	threads explore.Threads
	monitor twinMonitor
	jobs    []string // what is left to be worked at: "short" or "stays"
	begun   int
	owner   int // the number of the goroutine that has the loop
	loops   int // goroutines of the loop so far
	at      *twinPolled
	taken   []*twinPolled // whose work lost the loop, and was not told yet
	fault   error
}

func (m *shiftModel) fail(format string, arguments ...any) {
	if m.fault == nil {
		m.fault = fmt.Errorf(format, arguments...)
	}
}

type twinShift struct {
	state  explore.Number[uint64]
	worker explore.Pointer[twinPolled]
	clock  twinClock
}

// twinClock finds that all work waits.
type twinClock struct{}

func (twinClock) work(w *twinWorker) { w.Work(true) }
func (twinClock) waits() bool        { return true }
func (twinClock) expire()            {}

type twinPolled struct {
	number  int
	workDue bool
	worker  *twinWorker
}

func (t *twinPolled) late() { t.worker.Late() }

type twinLoop struct {
	monitor *twinMonitor
	shift   twinShift
}

func (l *twinLoop) report() (awake, met bool) { return true, false }

func (l *twinLoop) work(t *twinPolled) bool {
	t.workDue = false
	if l.monitor.spread.Load() {
		l.monitor.model.spawn("spread", func() { t.worker.Work(false) })
		return true
	}
	l.shift.worker.Store(t)
	begun := l.shift.state.Add(1)
	l.monitor.wake()
	returned := false
	defer func() {
		if !returned && l.shift.state.CompareAndSwap(begun, begun+1) {
			l.monitor.model.spawn("loop", l.loop)
		}
	}()
	l.shift.clock.work(t.worker)
	returned = true
	return l.shift.state.CompareAndSwap(begun, begun+1)
}

type twinMonitor struct {
	model  *shiftModel
	loops  []twinLoop
	spread explore.Bool
	awake  explore.Bool
	timer  *shiftTimer

	mu   explore.Mutex
	seen []loopSeen
}

type shiftTimer struct{ set bool }

func (t *shiftTimer) Reset(time.Duration) { t.set = true }

func (m *twinMonitor) balance() {}

func (m *twinMonitor) wake() {
	if !m.awake.Load() && m.awake.CompareAndSwap(false, true) {
		m.timer.Reset(workPatience)
	}
}

func (m *twinMonitor) look() {
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
	for i := range m.loops {
		if m.loops[i].shift.state.Load() != m.seen[i].state {
			m.wake()
		}
	}
}

func (m *twinMonitor) visit(l *twinLoop, seen *loopSeen) (active bool) {
	t, state := l.shift.worker.Load(), l.shift.state.Load()
	atWork, done := state%2 == 1, (state-seen.state)/2
	active = state != seen.state || atWork
	seen.slow <<= 1
	if atWork && done < slowWork {
		seen.slow |= 1
	}
	if atWork && state == seen.state && l.shift.state.CompareAndSwap(state, state+1) {
		l.monitor.model.spawn("loop", l.loop)
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

func TestTheShiftModelAndTheRealCodeAreTheSame(t *testing.T) {
	replace := strings.NewReplacer("go l.loop()", `l.monitor.model.spawn("loop", l.loop)`,
		"spawn(t.worker)", `l.monitor.model.spawn("spread", func() { t.worker.Work(false) })`)
	explore.SameCode(t, "pollwork_linux.go", "model_shift_linux_test.go", replace, map[string]string{
		"pollLoop.work": "twinLoop.work", "pollMonitor.wake": "twinMonitor.wake", "pollMonitor.look": "twinMonitor.look", "pollMonitor.visit": "twinMonitor.visit",
	})
}

// What the model does in place of the rest.

// spawn starts a goroutine. One for the loop has it from now on; whoever had it
// is to be told that it is late.
func (m *shiftModel) spawn(name string, body func()) {
	if name == "loop" {
		m.loops++
		m.owner = m.loops
		if m.at != nil {
			m.taken = append(m.taken, m.at)
		}
	}
	m.threads.Go(name, "begins", body)
}

type twinWorker struct {
	model *shiftModel
	polls *twinPolled
	stays bool
}

func (w *twinWorker) Work(bool) {
	if w.stays {
		w.model.threads.Await("stays", func() bool { return false })
		return
	}
	w.model.threads.Pause("works")
}

func (w *twinWorker) Late() {
	m := w.model
	if len(m.taken) == 0 || m.taken[0] != w.polls {
		m.fail("work %d was told that it is late, and has not lost the loop", w.polls.number)
		return
	}
	m.taken = m.taken[1:]
}

// loop is the loop's goroutine: it works off what there is.
func (l *twinLoop) loop() {
	m := l.monitor.model
	me := m.owner
	for m.threads.Await("finds work", func() bool { return m.owner != me || m.begun < len(m.jobs) }) {
		m.threads.Forget()
		m.threads.Saw(uint64(me))
		if m.owner != me {
			m.fail("two goroutines have the loop")
			return
		}
		t := &twinPolled{number: m.begun + 1, workDue: true}
		t.worker = &twinWorker{model: m, polls: t, stays: m.jobs[m.begun] == "stays"}
		m.threads.Saw(uint64(t.number))
		m.begun++
		m.at = t
		has := l.work(t)
		if has != (m.owner == me) {
			m.fail("goroutine %d of the loop believes that it has it: %v, and %d does", me, has, m.owner)
		}
		if !has {
			return
		}
	}
}

func newShiftModel(jobs []string, timers int) explore.System {
	m := &shiftModel{jobs: jobs}
	m.monitor = twinMonitor{model: m, loops: make([]twinLoop, 1), seen: make([]loopSeen, 1), timer: &shiftTimer{}}
	l := &m.monitor.loops[0]
	l.monitor = &m.monitor
	l.shift.worker.Number = func(t *twinPolled) uint64 { return uint64(t.number) }
	explore.Bind(&m.threads, "spread", &m.monitor.spread)
	explore.Bind(&m.threads, "awake", &m.monitor.awake)
	explore.Bind(&m.threads, "the monitor", &m.monitor.mu)
	explore.Bind(&m.threads, "the shift", &l.shift.state)
	explore.Bind(&m.threads, "the worker", &l.shift.worker)
	m.spawn("loop", l.loop)
	for i := range timers { // it may ring while what it began before runs
		m.threads.Go(fmt.Sprint("timer ", i+1), "begins", func() {
			for m.threads.Await("rings", func() bool { return m.monitor.timer.set }) {
				m.threads.Forget()
				m.monitor.timer.set = false
				m.monitor.look()
			}
		})
	}
	return m
}

func (m *shiftModel) Steps() int           { return m.threads.Steps() }
func (m *shiftModel) Name(step int) string { return m.threads.Name(step) }
func (m *shiftModel) Close() error         { m.threads.Stop(); return nil }

func (m *shiftModel) Do(step int) { m.threads.Do(step) }

func (m *shiftModel) Check() error { return m.fault }

func (m *shiftModel) End() error {
	for _, thread := range m.threads.Unfinished() {
		switch {
		case strings.HasSuffix(thread, "at stays"), strings.HasSuffix(thread, "at rings"), strings.HasSuffix(thread, "at finds work"):
		default:
			return fmt.Errorf("deadlock: %s", thread)
		}
	}
	if m.begun < len(m.jobs) || m.monitor.loops[0].shift.state.Peek()%2 == 1 {
		return fmt.Errorf("%d of %d pieces of work were begun: the loop is held up", m.begun, len(m.jobs))
	}
	if len(m.taken) > 0 {
		return fmt.Errorf("nobody was told that work %d is late", m.taken[0].number)
	}
	return nil
}

func (m *shiftModel) State(to []byte) []byte {
	l := &m.monitor.loops[0]
	number := 0
	if t := l.shift.worker.Peek(); t != nil {
		number = t.number
	}
	to = m.threads.State(to)
	to = fmt.Append(to, ' ', l.shift.state.Peek(), ' ', number, m.monitor.awake.Peek(), m.monitor.spread.Peek(), m.monitor.mu.Held(), m.monitor.timer.set, m.monitor.seen, m.begun, ' ', m.owner, ' ', m.loops)
	for _, t := range m.taken {
		to = fmt.Append(to, ' ', t.number)
	}
	if m.at != nil {
		to = fmt.Append(to, " at ", m.at.number)
	}
	return to
}

// At every moment one goroutine has the loop, and work that stays holds up
// nobody: also if the monitor was just about to rest.
func TestEveryScheduleOfShiftsLeavesTheLoopToOne(t *testing.T) {
	for _, scenario := range []struct {
		jobs   string
		timers int
		large  bool
	}{
		{jobs: "short", timers: 2},
		{jobs: "stays short", timers: 2},
		{jobs: "short stays", timers: 1},
		{jobs: "short stays short", timers: 1, large: true},
		{jobs: "stays stays", timers: 1, large: true},
	} {
		if scenario.large && !explore.Large() {
			continue
		}
		t.Run(fmt.Sprintf("%s, %d timers", scenario.jobs, scenario.timers), func(t *testing.T) {
			t.Parallel()
			explore.All(t, func() explore.System { return newShiftModel(strings.Fields(scenario.jobs), scenario.timers) })
		})
	}
}
