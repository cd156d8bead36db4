package split

import (
	"runtime"
	"testing"
	"time"
)

// Work that computes is told from work that waits, however long each takes, and
// nothing is measured that nobody asks for.
func TestWorkThatComputesIsToldFromWorkThatWaits(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	compute := func(bool) {
		for until := threadTime() + time.Millisecond; threadTime() < until; {
		}
	}
	pause := func(bool) { <-time.After(time.Millisecond) }
	for _, test := range []struct {
		name  string
		work  func(bool)
		waits bool
	}{
		{"computes", compute, false},
		{"waits", pause, true},
		{"spends nothing that could be measured", func(bool) {}, true},
	} {
		var clock workClock
		clock.work(workFunc{f: test.work})
		if clock.spent.Load() != 0 {
			t.Errorf("%s: measured before the question", test.name)
		}
		if clock.waits() {
			t.Errorf("%s: judged at once", test.name)
		}
		for range 10 {
			clock.work(workFunc{f: test.work})
		}
		clock.since = time.Now().Add(-10 * time.Millisecond) // who else runs here does not count
		if waits := clock.waits(); waits != test.waits {
			t.Errorf("%s: waits is %v after %v of 10ms", test.name, waits, time.Duration(clock.spent.Load()))
		}
		if clock.runs.Load() {
			t.Errorf("%s: the clock runs on", test.name)
		}
	}
}

func TestClockThatNobodyAsksStops(t *testing.T) {
	var clock workClock
	clock.waits()
	if clock.expire(); !clock.runs.Load() {
		t.Error("stopped at once")
	}
	clock.since = clock.since.Add(-2 * clockLimit)
	if clock.expire(); clock.runs.Load() {
		t.Error("the clock runs on")
	}
}

// workFunc is a worker that does nothing else.
type workFunc struct {
	Worker
	f func(bool)
}

func (w workFunc) Work(watched bool) { w.f(watched) }
