package explore

import (
	"iter"
	"strconv"
)

// Threads are the goroutines of a system, of which one runs at a time and
// only until its next pause. What runs in them must not block in any other
// way.
type Threads struct {
	list    []*Thread
	current *Thread
}

// Thread runs from pause to pause.
type Thread struct {
	name    string
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	done    bool
	stopped bool

	at      string      // where it pauses
	options []string    // what may happen there
	ready   func() bool // nil for always
	choice  int
	history uint64 // of all that it has seen, and so of its own variables
}

// Go adds a thread, which begins with a pause at that place.
func (s *Threads) Go(name, at string, body func()) *Thread {
	t := &Thread{name: name, at: at, options: once}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		body()
	})
	s.list = append(s.list, t)
	return t
}

var once = []string{""}

// GoWhen is Go for a thread that begins once the condition holds.
func (s *Threads) GoWhen(name, at string, ready func() bool, body func()) *Thread {
	t := s.Go(name, at, body)
	t.ready = ready
	return t
}

// Pause lets others run. It reports false if the thread is to come to its end
// without further pauses.
func (s *Threads) Pause(at string) bool { return s.Choose(at, once...) >= 0 }

// Await pauses until the condition holds, and reports false as Pause does.
func (s *Threads) Await(at string, ready func() bool) bool {
	return s.ChooseWhen(ready, at, once...) >= 0
}

// ChooseWhen is Choose once the condition holds.
func (s *Threads) ChooseWhen(ready func() bool, at string, options ...string) int {
	if s.current == nil {
		return -1
	}
	s.current.ready = ready
	return s.Choose(at, options...)
}

// Choose pauses and returns which of the options was taken: all of them will
// be. No options are the same as one. It returns -1 where Pause returns false.
func (s *Threads) Choose(at string, options ...string) int {
	t := s.current
	if t == nil || t.stopped {
		return -1
	}
	if len(options) == 0 {
		options = once
	}
	t.at, t.options = at, options
	if !t.yield(struct{}{}) {
		t.stopped = true
		return -1
	}
	s.Saw(uint64(len(at))<<8 | uint64(t.choice))
	for i := range len(at) {
		s.Saw(uint64(at[i]))
	}
	return t.choice
}

// Saw notes something on which the running thread's own variables depend.
func (s *Threads) Saw(value uint64) {
	if t := s.current; t != nil {
		t.history = (t.history ^ value + 1) * 0x9E3779B97F4A7C15
		t.history ^= t.history >> 29
	}
}

// Forget notes that nothing the running thread has seen matters any more.
func (s *Threads) Forget() {
	if t := s.current; t != nil {
		t.history = 0
	}
}

// Running returns the name of the thread that runs, "" for none.
func (s *Threads) Running() string {
	if s.current == nil {
		return ""
	}
	return s.current.name
}

// Done reports whether the thread has come to its end.
func (t *Thread) Done() bool { return t.done }

// At returns where the thread pauses, "" at its end.
func (t *Thread) At() string {
	if t.done {
		return ""
	}
	return t.at
}

// Unfinished returns the threads that have not come to their end.
func (s *Threads) Unfinished() (names []string) {
	for _, t := range s.list {
		if !t.done {
			names = append(names, t.name+" at "+t.at)
		}
	}
	return names
}

// Steps returns how many things the threads may do next.
func (s *Threads) Steps() (count int) {
	for _, t := range s.list {
		if t.may() {
			count += len(t.options)
		}
	}
	return count
}

func (t *Thread) may() bool { return !t.done && (t.ready == nil || t.ready()) }

// find returns the thread of a step and what it chooses.
func (s *Threads) find(step int) (*Thread, int) {
	for _, t := range s.list {
		if !t.may() {
			continue
		}
		if step < len(t.options) {
			return t, step
		}
		step -= len(t.options)
	}
	return nil, 0
}

// Name names a step.
func (s *Threads) Name(step int) string {
	t, choice := s.find(step)
	if t.options[choice] == "" {
		return t.name + ": " + t.at
	}
	return t.name + ": " + t.at + ", " + t.options[choice]
}

// Do takes a step.
func (s *Threads) Do(step int) { s.run(s.find(step)) }

func (s *Threads) run(t *Thread, choice int) {
	t.choice, t.ready = choice, nil
	before := s.current
	s.current = t
	defer func() { s.current = before }()
	if _, more := t.next(); !more {
		t.done = true
	}
}

// State appends where the threads are and what they have seen.
func (s *Threads) State(to []byte) []byte {
	for _, t := range s.list {
		to = append(to, t.name...)
		if t.done {
			to = append(to, '.')
			continue
		}
		to = append(append(to, ':'), t.at...)
		to = strconv.AppendUint(append(to, '/'), t.history, 36)
	}
	return to
}

// Stop brings all threads to their end.
func (s *Threads) Stop() {
	for i := 0; i < len(s.list); i++ { // one may start others
		t := s.list[i]
		s.current = t
		t.stopped = true
		t.stop()
	}
	s.current = nil
}
