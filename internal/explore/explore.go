// Package explore runs every schedule of a small system and finds the shortest
// one that breaks it. It is for tests, and no proof for systems larger than
// those it is given.
package explore

import (
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// System is what is explored. It is built anew for each schedule, so the same
// steps must always lead to the same state.
type System interface {
	// Steps returns how many things may happen next, in an order that depends on
	// the state alone. Without any the schedule has ended.
	Steps() int
	// Name names one of them, and Do lets it happen.
	Name(step int) string
	Do(step int)
	// Check returns what is wrong in this state, or nil.
	Check() error
	// End returns what is wrong with this state as the last one, or nil.
	End() error
	// State appends all that the future depends on.
	State(to []byte) []byte
	// Close frees the system, wherever it is. Its error counts as one of the
	// state.
	Close() error
}

// Limits bounds an exploration. One that reaches a limit fails, because it was
// not exhaustive.
type Limits struct {
	States int // different states. Default: 2,000,000.
	Depth  int // steps in a schedule. Default: 200.
}

// Result says what was explored.
type Result struct {
	States      int     // different states
	Transitions int     // steps from one to another
	Ends        int     // states in which nothing more can happen
	Depth       int     // steps of the longest of the shortest ways to a state
	Schedules   float64 // ways from the first state to an end
}

// String is for logs.
func (r Result) String() string {
	return fmt.Sprintf("%d states, %d transitions, %d ends, depth %d, %.4g schedules", r.States, r.Transitions, r.Ends, r.Depth, r.Schedules)
}

// Failure is the shortest schedule that breaks the system.
type Failure struct {
	Schedule []string
	Err      error
}

// Error tells the schedule, a line for each step.
func (f *Failure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v\nafter:", f.Err)
	for i, name := range f.Schedule {
		fmt.Fprintf(&b, "\n%4d. %s", i+1, name)
	}
	return b.String()
}

// Large reports whether larger systems are asked for (TANDEM_EXPLORE=large).
func Large() bool { return os.Getenv("TANDEM_EXPLORE") == "large" }

// All explores a system, logs what that came to and fails the test if it
// breaks. Under the race detector, which finds little where threads take turns
// and is slow, it looks at the first states only.
func All(t *testing.T, build func() System) Result {
	t.Helper()
	limits := Limits{}
	if raceDetector {
		limits.States = statesUnderRace
	}
	result, failure := Run(build, limits)
	if raceDetector && failure != nil && failure.Err == errInPart {
		t.Logf("%v, and no more under the race detector", result)
	} else if failure != nil {
		t.Errorf("%v\n(%v so far)", failure, result)
	} else {
		t.Log(result)
	}
	return result
}

// errInPart is why an exploration that reached a limit fails.
var errInPart = errors.New("explored only in part: there are more states or longer schedules than the limits allow")

const statesUnderRace = 1000

// patience is how long a single step may take.
const patience = time.Minute

// node is a state, by the way on which it was first reached.
type node struct {
	parent int32
	step   uint8 // of the parent
	steps  uint8 // how many there are from here
	depth  int16
}

type search struct {
	build  func() System
	nodes  []node
	known  map[[2]uint64]int32
	edges  [][2]int32
	result Result
	seeds  [2]maphash.Seed
	state  []byte

	mu  sync.Mutex
	way []uint8 // the schedule that is being run
}

// Run explores a system breadth first, so that the failure it returns is a
// shortest one.
func Run(build func() System, limits Limits) (Result, *Failure) {
	if limits.States == 0 {
		limits.States = 2_000_000
	}
	if limits.Depth == 0 {
		limits.Depth = 200
	}
	s := &search{build: build, known: map[[2]uint64]int32{}, seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}}
	watch := time.AfterFunc(patience, func() { panic("explore: stuck in " + strings.Join(s.schedule(), ", ")) })
	defer watch.Stop()
	if err := s.visit(-1, 0); err != nil {
		return s.result, &Failure{s.schedule(), err}
	}
	for from := int32(0); int(from) < len(s.nodes); from++ {
		watch.Reset(patience)
		n := s.nodes[from]
		if int(n.depth) >= limits.Depth || len(s.nodes) >= limits.States {
			return s.result, &Failure{nil, errInPart}
		}
		for step := range n.steps {
			if err := s.visit(from, step); err != nil {
				return s.result, &Failure{s.schedule(), err}
			}
		}
	}
	if err := s.count(); err != nil {
		return s.result, &Failure{nil, err}
	}
	return s.result, nil
}

// schedule names the steps of the schedule that is being run, by running all
// but the last of them once more.
func (s *search) schedule() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	system := s.build()
	defer func() { _ = s.close(system) }()
	for i, step := range s.way {
		if int(step) >= system.Steps() {
			return append(names, "?")
		}
		names = append(names, system.Name(int(step)))
		if i < len(s.way)-1 {
			system.Do(int(step))
		}
	}
	return names
}

// plan sets the schedule that is to be run: one step from a known state.
func (s *search) plan(from int32, step uint8) []uint8 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.way = s.way[:0]
	if from < 0 {
		return s.way
	}
	for s.way = append(s.way, step); s.nodes[from].parent >= 0; from = s.nodes[from].parent {
		s.way = append(s.way, s.nodes[from].step)
	}
	slices.Reverse(s.way)
	return s.way
}

// visit takes one step from a known state and files the state that follows.
func (s *search) visit(from int32, step uint8) (err error) {
	way := s.plan(from, step)
	system := s.build()
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
		if closing := s.close(system); err == nil && closing != nil {
			err = fmt.Errorf("closed here: %w", closing)
		}
	}()
	for _, step := range way {
		if steps := system.Steps(); int(step) >= steps {
			return fmt.Errorf("the same steps do not lead to the same state: step %d of %d", step, steps)
		}
		system.Do(int(step))
	}
	depth := int16(len(way))
	if err := system.Check(); err != nil {
		return err
	}
	steps := system.Steps()
	s.state = system.State(s.state[:0])
	key := [2]uint64{maphash.Bytes(s.seeds[0], s.state), maphash.Bytes(s.seeds[1], s.state)}
	to, known := s.known[key]
	if !known {
		if steps == 0 {
			s.result.Ends++
			if err := system.End(); err != nil {
				return fmt.Errorf("at the end: %w", err)
			}
		}
		to = int32(len(s.nodes))
		s.nodes = append(s.nodes, node{from, step, uint8(min(steps, 255)), depth})
		s.known[key] = to
		s.result.States++
		s.result.Depth = max(s.result.Depth, int(depth))
	} else if int(s.nodes[to].steps) != min(steps, 255) {
		return fmt.Errorf("two states pass for one: %d and %d steps lead on", s.nodes[to].steps, steps)
	}
	if from >= 0 {
		s.edges = append(s.edges, [2]int32{from, to})
		s.result.Transitions++
	}
	return nil
}

func (s *search) close(system System) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return system.Close()
}

// count counts the schedules. It fails if there is one that never ends.
func (s *search) count() error {
	into := make([]int32, len(s.nodes))
	next := make([][]int32, len(s.nodes))
	for _, edge := range s.edges {
		into[edge[1]]++
		next[edge[0]] = append(next[edge[0]], edge[1])
	}
	ways := make([]float64, len(s.nodes))
	ways[0] = 1
	var ready []int32
	if into[0] == 0 {
		ready = append(ready, 0)
	}
	done := 0
	for ; len(ready) > 0; done++ {
		at := ready[len(ready)-1]
		ready = ready[:len(ready)-1]
		if s.nodes[at].steps == 0 {
			s.result.Schedules += ways[at]
		}
		for _, to := range next[at] {
			ways[to] += ways[at]
			if into[to]--; into[to] == 0 {
				ready = append(ready, to)
			}
		}
	}
	if done < len(s.nodes) {
		return fmt.Errorf("there is a schedule that goes round in circles")
	}
	return nil
}
