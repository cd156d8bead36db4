package actor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/internal/explore"
	"github.com/tandem-ws/tandem/split"
)

// A session's queue, what it has to flush later, the watch over that and the
// writers' claims: every schedule of small worlds of these, of which no
// message is lost, handled twice or left unwritten. The types here are the
// twins of the real ones, in which each atomic operation and each taking of a
// lock is a step.

type flushModel struct {
	threads explore.Threads
	server  twinServer
	conns   [2]twinConn // the second one only has a writer at work
	posted  int
	handled int
	refused int
	sent    int
	blocks  int // how often a write may still have to wait
	ended   int
	spawned int
	fault   error
	hosting bool // somebody watches the first run
}

func (m *flushModel) fail(format string, arguments ...any) {
	if m.fault == nil {
		m.fault = fmt.Errorf(format, arguments...)
	}
}

type twinServer struct {
	model   *flushModel
	config  struct{ SessionMailbox int }
	flusher twinFlusher
	watch   twinWatch
}

type twinConn struct {
	host    *twinServer
	writer  twinWriter
	session twinSession
}

func (c *twinConn) partEnded() { c.host.model.ended++ }
func (c *twinConn) closeLeft() {}

// twinFlusher is what the flusher promises: each writer that is added is
// flushed. That a worker is there is a matter of one lock.
type twinFlusher struct{ queue []*twinWriter }

func (f *twinFlusher) add(writers ...*twinWriter) { f.queue = append(f.queue, writers...) }

// twinHalf is what a split.Writer promises, as to who writes.
type twinHalf struct {
	model     *flushModel
	queued    int
	written   int
	scheduled bool
	flushing  bool
}

func (h *twinHalf) Send() (wake bool) {
	h.model.sent++
	h.queued++
	wake = !h.scheduled
	h.scheduled = true
	return wake
}

func (h *twinHalf) TryFlush() (closeSent bool, err error) {
	if h.flushing || !h.scheduled {
		h.model.fail("a flush begins, though one is under way (%v) or none is due (%v)", h.flushing, !h.scheduled)
	}
	h.flushing = true
	for h.queued > 0 {
		choice := 0
		if h.model.blocks > 0 {
			choice = h.model.threads.Choose("writes", "all of it leaves", "it would have to wait")
		} else {
			h.model.threads.Pause("writes")
		}
		if choice > 0 {
			h.model.blocks--
			return false, split.ErrWouldBlock
		}
		h.written, h.queued = h.written+h.queued, 0
	}
	h.scheduled, h.flushing = false, false
	return false, nil
}

func (h *twinHalf) Flush() (closeSent bool, err error) {
	h.flushing = false
	h.model.blocks = 0
	return h.TryFlush()
}

type twinWriter struct {
	conn *twinConn
	half twinHalf
	due  explore.Bool
}

func (w *twinWriter) guard()              {}
func (w *twinWriter) flushed(bool, error) {}

func (w *twinWriter) schedule() {
	w.due.Store(true)
	session, host := &w.conn.session, w.conn.host
	if session.later.owe() {
		session.watchFlush()
		return
	}
	host.flusher.add(w)
}

func (w *twinWriter) schedulePublished(from *twinSession) {
	w.due.Store(true)
	if from != nil && from.later.oweOther(w) {
		from.watchFlush()
		return
	}
	w.conn.host.flusher.add(w)
}

func (w *twinWriter) flushDue() {
	if !w.due.CompareAndSwap(true, false) {
		return
	}
	defer w.guard()
	closeSent, err := w.half.TryFlush()
	if err == split.ErrWouldBlock {
		if closeSent {
			w.conn.closeLeft()
		}
		w.conn.host.model.spawn("waiting writer", w.run)
		return
	}
	w.flushed(closeSent, err)
}

func (w *twinWriter) run() {
	defer w.guard()
	w.flushed(w.half.Flush())
}

type twinLater struct {
	state  explore.Number[uint32]
	mu     explore.Mutex
	others *[]*twinWriter
}

func listed(others *[]*twinWriter) int {
	if others == nil {
		return 0
	}
	return len(*others)
}

func (l *twinLater) begin() { l.state.CompareAndSwap(notRunning, nothingDue) }

func (l *twinLater) end() bool { return l.state.CompareAndSwap(nothingDue, notRunning) }

func (l *twinLater) owe() bool {
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

func (l *twinLater) oweOther(w *twinWriter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.others == nil {
		l.others = new([]*twinWriter)
	}
	*l.others = append(*l.others, w)
	if l.owe() {
		return true
	}
	*l.others = (*l.others)[:len(*l.others)-1]
	return false
}

func (l *twinLater) isDue() bool { return l.state.Load() == flushIsDue }

func (l *twinLater) settle() (others []*twinWriter, ok bool) {
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

type twinWatch struct {
	threads  *explore.Threads
	mu       explore.Mutex
	sessions []*twinSession
	timer    *twinTimer
	only     twinTimer
}

type twinTimer struct{ set bool }

func (t *twinTimer) Reset(time.Duration) { t.set = true }

func (f *twinWatch) after(time.Duration, func()) *twinTimer {
	f.only.set = true
	return &f.only
}

func (f *twinWatch) add(s *twinSession) {
	if s.watched.Load() || s.watched.Swap(true) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s.seen = false
	f.sessions = append(f.sessions, s)
	if len(f.sessions) > 1 {
		return
	}
	if f.timer == nil {
		f.timer = f.after(flushPatience, f.look)
	} else {
		f.timer.Reset(flushPatience)
	}
}

func (f *twinWatch) look() {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := f.sessions[:0]
	for _, s := range f.sessions {
		s.watched.Store(false)
		if !s.later.isDue() || s.watched.Swap(true) {
			continue
		}
		if s.seen {
			s.watched.Store(false)
			s.flushLate()
			continue
		}
		s.seen = true
		kept = append(kept, s)
	}
	clear(f.sessions[len(kept):])
	f.sessions = kept
	if len(kept) > 0 {
		f.timer.Reset(flushPatience)
	}
}

type twinSession struct {
	conn *twinConn

	mu      explore.Mutex
	queue   *sessionQueue // nil for none
	foreign int32
	running bool
	over    bool

	later   twinLater
	hosted  explore.Bool
	watched explore.Bool
	seen    bool
}

func (s *twinSession) post(e envelope) {
	if s.enqueue(e) {
		s.conn.host.model.spawn("session", func() { s.work(false) })
	}
}

func (s *twinSession) enqueue(e envelope) (start bool) {
	s.mu.Lock()
	if s.over || e.foreign() && int(s.foreign) >= s.conn.host.config.SessionMailbox {
		s.mu.Unlock()
		s.release(e)
		return false
	}
	if s.queue == nil {
		s.queue = borrowQueue()
	}
	s.queue.push(e)
	if e.foreign() {
		s.foreign++
	}
	start = !s.running
	s.running = true
	s.mu.Unlock()
	return start
}

func (s *twinSession) rest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue.length() > 0 || !s.later.end() {
		return false
	}
	s.running = false
	s.queue.giveBack()
	s.queue = nil
	return true
}

func (s *twinSession) next() (envelope, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue.length() == 0 {
		return envelope{}, false
	}
	e := s.queue.pop()
	if e.foreign() {
		s.foreign--
	}
	return e, true
}

func (s *twinSession) dropQueued() {
	s.mu.Lock()
	var dropped []envelope
	for range s.queue.length() {
		e := s.queue.pop()
		if _, peer := e.message.(*split.Buffer); peer || e.foreign() {
			dropped = append(dropped, e)
		} else {
			s.queue.push(e)
		}
	}
	s.foreign = 0
	s.mu.Unlock()
	for _, e := range dropped {
		s.release(e)
	}
}

func (s *twinSession) work(hosted bool) {
	if !hosted { // otherwise it was set before the host began to watch
		s.hosted.Store(false)
	}
	s.later.begin()
	for handled := 1; ; handled++ {
		e, ok := s.next()
		if ok {
			if ended := s.handle(e); ended {
				return
			}
		}
		if !ok || handled%flushEvery == 0 {
			s.flushOwn()
		}
		if !ok && s.rest() {
			return
		}
	}
}

func (s *twinSession) flushOwn() {
	if others, ok := s.later.settle(); ok {
		s.conn.host.flusher.add(others...)
		s.conn.writer.flushDue()
	}
}

func (s *twinSession) late() {
	s.hosted.Store(false)
	s.flushLate()
}

func (s *twinSession) flushLate() {
	if others, ok := s.later.settle(); ok {
		s.conn.host.flusher.add(append(others, &s.conn.writer)...)
	}
}

func (s *twinSession) watchFlush() {
	if !s.hosted.Load() {
		s.conn.host.watch.add(s)
	}
}

func (s *twinSession) finish() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	for {
		e, ok := s.next()
		if !ok {
			break
		}
		s.release(e)
	}
	for !s.later.end() {
		s.flushOwn()
	}
	s.conn.partEnded()
}

func TestTheFlushModelAndTheRealCodeAreTheSame(t *testing.T) {
	replace := strings.NewReplacer("*writerProcess", "*twinWriter", "*sessionProcess", "*twinSession",
		"go w.run()", `w.conn.host.model.spawn("waiting writer", w.run)`,
		"go s.run(false)", `s.conn.host.model.spawn("session", func() { s.work(false) })`,
		"time.AfterFunc(", "f.after(",
		"\tsetContextMessage(&s.context, nil, nil)\n", "")
	for file, functions := range map[string]string{
		"session.go": "sessionProcess.post enqueue rest next dropQueued work flushOwn late flushLate finish",
		"later.go":   "flushLater.begin end owe oweOther isDue settle",
		"flusher.go": "flushWatch.add look",
		"writer.go":  "writerProcess.schedule schedulePublished flushDue run",
	} {
		names := strings.FieldsFunc(functions, func(r rune) bool { return r == '.' || r == ' ' })
		twin := map[string]string{"sessionProcess": "twinSession", "flushLater": "twinLater", "flushWatch": "twinWatch", "writerProcess": "twinWriter"}[names[0]]
		pairs := map[string]string{}
		for _, name := range names[1:] {
			pairs[names[0]+"."+name] = twin + "." + name
		}
		if file == "later.go" {
			pairs["sessionProcess.watchFlush"] = "twinSession.watchFlush"
		}
		explore.SameCode(t, file, "model_flush_test.go", replace, pairs)
	}
}

// What the model does in place of the rest.

func (m *flushModel) spawn(name string, body func()) {
	m.spawned++
	m.threads.Go(name, "begins", body)
}

func (s *twinSession) release(e envelope) { s.conn.host.model.refused++ }

// handle is what a session does with a message.
func (s *twinSession) handle(e envelope) (ended bool) {
	m := s.conn.host.model
	m.threads.Forget()
	m.handled++
	m.threads.Saw(uint64(m.handled))
	switch e.message {
	case "send":
		m.send(&s.conn.writer)
	case "send and stay":
		m.send(&s.conn.writer)
		m.threads.Await("stays", func() bool { return false })
	case "publish":
		m.publish(&m.conns[1].writer, s)
	case "publish and stay":
		m.publish(&m.conns[1].writer, s)
		m.threads.Await("stays", func() bool { return false })
	case "end":
		s.finish()
		return true
	}
	return false
}

func (m *flushModel) send(w *twinWriter) {
	if w.half.Send() {
		w.schedule()
	}
}

func (m *flushModel) publish(w *twinWriter, from *twinSession) {
	if w.half.Send() {
		w.schedulePublished(from)
	}
}

type flushScenario struct {
	name   string
	posts  [][]string // by other actors, each in order
	sends  int        // from elsewhere, over the first connection
	hosted bool       // the first run is watched by who calls it, who may call late
	relief int        // how often a sender finds the mailbox full
	drops  bool       // somebody drops what is queued
	blocks int
	large  bool
}

func newFlushModel(scenario *flushScenario) explore.System {
	m := &flushModel{blocks: scenario.blocks}
	m.server.model, m.server.config.SessionMailbox, m.server.watch.threads = m, 2, &m.threads
	explore.Bind(&m.threads, "the watch", &m.server.watch.mu)
	for i := range m.conns {
		c := &m.conns[i]
		c.host, c.writer.conn, c.session.conn, c.writer.half.model = &m.server, c, c, m
		explore.Bind(&m.threads, "due", &c.writer.due)
		if i == 0 {
			explore.Bind(&m.threads, "later", &c.session.later.state)
			explore.Bind(&m.threads, "the others", &c.session.later.mu)
			explore.Bind(&m.threads, "hosted", &c.session.hosted)
			explore.Bind(&m.threads, "watched", &c.session.watched)
			explore.Bind(&m.threads, "the session", &c.session.mu)
		}
	}
	session := &m.conns[0].session
	for i, messages := range scenario.posts {
		m.threads.Go(fmt.Sprint("actor ", i+1), "begins", func() {
			for j, message := range messages {
				m.threads.Forget()
				m.threads.Saw(uint64(j))
				m.posted++
				e := envelope{message: message}
				if message == "end" {
					e.sender = internal
				}
				if !scenario.hosted || i > 0 || j > 0 {
					session.post(e)
				} else if session.enqueue(e) {
					session.hosted.Store(true)
					m.hosting = true
					session.work(true)
				}
			}
		})
	}
	if scenario.sends > 0 {
		m.threads.Go("sender", "begins", func() {
			for i := range scenario.sends {
				m.threads.Forget()
				m.threads.Saw(uint64(i))
				m.send(&m.conns[0].writer)
			}
		})
	}
	if scenario.relief > 0 {
		m.threads.Go("relief", "begins", func() {
			for range scenario.relief {
				m.conns[0].writer.flushDue()
			}
		})
	}
	if scenario.drops {
		m.threads.Go("stop", "begins", session.dropQueued)
	}
	m.threads.Go("timer", "begins", func() {
		for m.threads.Await("rings", func() bool { return m.server.watch.only.set }) {
			m.threads.Forget()
			m.server.watch.only.set = false
			m.server.watch.look()
		}
	})
	if scenario.hosted {
		// Who hosts the session finds out sooner or later that it stays.
		m.threads.Go("host", "begins", func() {
			if m.threads.Await("finds it late", func() bool { return m.hosting }) {
				session.late()
			}
		})
	}
	{
		m.threads.Go("flusher", "begins", func() {
			for m.threads.Await("takes one", func() bool { return len(m.server.flusher.queue) > 0 }) {
				m.threads.Forget()
				w := m.server.flusher.queue[0]
				if w == &m.conns[1].writer {
					m.threads.Saw(1)
				}
				m.server.flusher.queue = m.server.flusher.queue[1:]
				w.flushDue()
			}
		})
	}
	return m
}

func (m *flushModel) Steps() int           { return m.threads.Steps() }
func (m *flushModel) Name(step int) string { return m.threads.Name(step) }
func (m *flushModel) Do(step int)          { m.threads.Do(step) }
func (m *flushModel) Close() error         { m.threads.Stop(); return nil }

func (m *flushModel) Check() error {
	session := &m.conns[0].session
	for i := range m.conns {
		if h := &m.conns[i].writer.half; h.queued > 0 && !h.scheduled {
			m.fail("something is queued and nobody is on the way")
		}
	}
	if session.queue.length() > 0 && !session.running && !session.over {
		m.fail("something is queued and the session does not run")
	}
	if int(session.foreign) > m.server.config.SessionMailbox {
		m.fail("%d messages of other actors are queued", session.foreign)
	}
	if m.handled+m.refused > m.posted {
		m.fail("%d of %d messages were handled and %d refused", m.handled, m.posted, m.refused)
	}
	return m.fault
}

func (m *flushModel) End() error {
	session, stays := &m.conns[0].session, false
	for _, thread := range m.threads.Unfinished() {
		switch {
		case strings.HasSuffix(thread, "at stays"):
			stays = true
		case thread != "flusher at takes one" && thread != "timer at rings" && thread != "host at finds it late":
			return fmt.Errorf("deadlock: %s", thread)
		}
	}
	for i := range m.conns {
		w := &m.conns[i].writer
		if w.half.queued > 0 || w.half.scheduled || w.half.flushing || w.due.Peek() {
			return fmt.Errorf("connection %d: %d messages are queued, taken is the right to write %v, due %v", i+1, w.half.queued, w.half.scheduled, w.due.Peek())
		}
	}
	switch {
	case m.conns[0].writer.half.written+m.conns[1].writer.half.written != m.sent:
		return fmt.Errorf("of %d messages %d and %d were written", m.sent, m.conns[0].writer.half.written, m.conns[1].writer.half.written)
	case len(m.server.flusher.queue) > 0 || listed(session.later.others) > 0:
		return fmt.Errorf("%d and %d writers are listed", len(m.server.flusher.queue), listed(session.later.others))
	case stays:
		return nil
	case m.handled+m.refused != m.posted || session.queue.length() > 0:
		return fmt.Errorf("of %d messages %d were handled and %d refused", m.posted, m.handled, m.refused)
	case session.later.state.Peek() != notRunning || session.running && m.ended == 0 || m.ended > 1:
		return fmt.Errorf("the session's run is in state %d, it runs: %v, it ended %d times", session.later.state.Peek(), session.running, m.ended)
	}
	return nil
}

func (m *flushModel) State(to []byte) []byte {
	s, f := &m.conns[0].session, &m.server.watch
	to = m.threads.State(to)
	to = fmt.Append(to, ' ', s.mu.Held(), s.later.mu.Held(), f.mu.Held(), s.queue.length(), ' ', s.foreign, s.running, s.over, s.seen, m.hosting, s.hosted.Peek(), s.watched.Peek(),
		s.later.state.Peek(), ' ', listed(s.later.others), ' ', len(f.sessions), f.timer != nil, f.only.set,
		m.posted, ' ', m.handled, ' ', m.refused, ' ', m.sent, ' ', m.blocks, ' ', m.ended)
	for i := range s.queue.length() {
		to = fmt.Append(to, ' ', s.queue.at(i).message)
	}
	for i := range m.conns {
		w := &m.conns[i].writer
		to = fmt.Append(to, ' ', w.due.Peek(), w.half.queued, ' ', w.half.written, w.half.scheduled, w.half.flushing)
	}
	for _, w := range m.server.flusher.queue {
		to = fmt.Append(to, ' ', w == &m.conns[0].writer)
	}
	return to
}

func TestEveryScheduleOfASessionFlushesWhatIsDue(t *testing.T) {
	for _, scenario := range []flushScenario{
		{name: "replies", posts: [][]string{{"send"}}, sends: 1, blocks: 1},
		{name: "replies while others send", posts: [][]string{{"send"}}, sends: 2},
		{name: "relief", posts: [][]string{{"send"}}, sends: 1, relief: 1, large: true},
		{name: "relief of a session", posts: [][]string{{"send"}}, relief: 2, blocks: 1},
		{name: "a session that stays", posts: [][]string{{"send and stay"}}, sends: 1},
		{name: "a hosted session that stays", posts: [][]string{{"send and stay"}}, sends: 1, hosted: true},
		{name: "a publisher that stays", posts: [][]string{{"publish and stay"}}},
		{name: "a publisher that ends", posts: [][]string{{"publish", "end"}}},
		{name: "queue", posts: [][]string{{"", ""}, {""}}},
		{name: "queue and end", posts: [][]string{{"", "end"}, {""}}, drops: true},
		{name: "end with something due", posts: [][]string{{"send", "end"}}, sends: 1, large: true},
		{name: "hosted and posted", posts: [][]string{{"send"}, {"send"}}, hosted: true, large: true},
	} {
		if scenario.large && !explore.Large() {
			continue
		}
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel()
			explore.All(t, func() explore.System { return newFlushModel(&scenario) })
		})
	}
}
