package explore

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// counter is a system in which two threads add to a number, with or without
// care.
type counter struct {
	threads Threads
	lock    Mutex
	number  Number[int64]
	careful bool
}

func newCounter(careful bool) System {
	c := &counter{careful: careful}
	Bind(&c.threads, "the number", &c.number)
	Bind(&c.threads, "the lock", &c.lock)
	for _, name := range []string{"first", "second"} {
		c.threads.Go(name, "begins", func() {
			if c.careful {
				c.lock.Lock()
				defer c.lock.Unlock()
			}
			c.number.Store(c.number.Load() + 1)
		})
	}
	return c
}

func (c *counter) Steps() int           { return c.threads.Steps() }
func (c *counter) Name(step int) string { return c.threads.Name(step) }
func (c *counter) Do(step int)          { c.threads.Do(step) }
func (c *counter) Check() error         { return nil }
func (c *counter) State(to []byte) []byte {
	return c.threads.State(fmt.Append(to, c.number.Peek(), c.lock.Held()))
}
func (c *counter) Close() error { c.threads.Stop(); return nil }
func (c *counter) End() error {
	if left := c.threads.Unfinished(); left != nil {
		return fmt.Errorf("deadlock: %q", left)
	}
	if c.number.Peek() != 2 {
		return fmt.Errorf("the number is %d", c.number.Peek())
	}
	return nil
}

func TestALostUpdateIsFoundByAShortestSchedule(t *testing.T) {
	_, failure := Run(func() System { return newCounter(false) }, Limits{})
	if failure == nil {
		t.Fatal("nothing was found")
	}
	if !strings.Contains(failure.Error(), "the number is 1") || len(failure.Schedule) != 6 {
		t.Errorf("found %v", failure)
	}
	if !slices.Contains(failure.Schedule, "second: stores the number") {
		t.Errorf("the steps have other names: %q", failure.Schedule)
	}
}

func TestAllSchedulesOfACarefulSystemAreRun(t *testing.T) {
	result := All(t, func() System { return newCounter(true) })
	// Either is first, and the other may begin before any of its 4 steps or
	// after them.
	if result.Schedules != 10 || result.Ends != 1 {
		t.Errorf("got %v", result)
	}
}

// broken fails in a way of its own.
type broken struct {
	System
	steps int
	fewer int
	check func() error
}

func (b *broken) Steps() int             { return b.steps }
func (b *broken) Name(int) string        { return "on" }
func (b *broken) Do(int)                 { b.steps -= b.fewer }
func (b *broken) Check() error           { return b.check() }
func (b *broken) State(to []byte) []byte { return to }
func (b *broken) Close() error           { return nil }
func (b *broken) End() error             { return nil }

func TestWhatIsNotExploredToTheEndFails(t *testing.T) {
	fine := func() error { return nil }
	for name, test := range map[string]struct {
		system func() System
		limits Limits
		want   string
	}{
		"too many states":              {func() System { return newCounter(false) }, Limits{States: 3}, "only in part"},
		"too deep":                     {func() System { return newCounter(false) }, Limits{Depth: 2}, "only in part"},
		"circles":                      {func() System { return &broken{check: fine, steps: 1} }, Limits{}, "circles"},
		"a panic":                      {func() System { return &broken{check: func() error { panic("ouch") }} }, Limits{}, "panic: ouch"},
		"two states that pass for one": {func() System { return &broken{check: fine, steps: 1, fewer: 1} }, Limits{}, "pass for one"},
	} {
		_, failure := Run(test.system, test.limits)
		if failure == nil || !strings.Contains(failure.Error(), test.want) {
			t.Errorf("%s: got %v", name, failure)
		}
	}
}

func TestADeadlockIsAnEnd(t *testing.T) {
	_, failure := Run(func() System {
		c := newCounter(true).(*counter)
		c.lock.held = true
		return c
	}, Limits{})
	if failure == nil || !strings.Contains(failure.Error(), `deadlock: ["first at locks the lock"`) {
		t.Errorf("got %v", failure)
	}
}
