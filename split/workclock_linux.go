package split

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// workClock tells work that waits from work that computes: the one is better off
// on goroutines of its own, the other only loses what the processor has at hand.
// It runs while the monitor asks, and then costs two system calls each time.
type workClock struct {
	runs  atomic.Bool
	spent atomic.Int64 // nanoseconds of processor time
	since time.Time    // guarded by the monitor's lock
}

const (
	// clockLimit is how long the clock runs for an answer.
	clockLimit = 50 * workPatience
	// computing is which part of the time work that computes spends at the least:
	// half of it may pass between the work, and half of the rest belong to others.
	computing = 4
)

// work does a worker's work.
func (c *workClock) work(w Worker) {
	if !c.runs.Load() {
		w.Work(true)
		return
	}
	began, before := time.Now(), threadTime()
	w.Work(true)
	// Who has waited may have come back on another thread, whose time is any.
	if spent := threadTime() - before; spent > 0 && spent <= time.Since(began) {
		c.spent.Add(int64(spent))
	}
}

// waits reports whether the work was mostly waiting while the clock ran. The
// first question starts it.
func (c *workClock) waits() bool {
	now := time.Now()
	if !c.runs.Load() {
		c.since = now
		c.spent.Store(0)
		c.runs.Store(true)
		return false
	}
	c.runs.Store(false)
	return time.Duration(c.spent.Load()) < now.Sub(c.since)/computing
}

// expire stops a clock that nobody asks any more.
func (c *workClock) expire() {
	if c.runs.Load() && time.Since(c.since) > clockLimit {
		c.runs.Store(false)
	}
}

// threadTime returns the processor time of the calling thread, 0 if unknown.
func threadTime() time.Duration {
	const clockThread = 3 // CLOCK_THREAD_CPUTIME_ID
	var now syscall.Timespec
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThread, uintptr(unsafe.Pointer(&now)), 0); errno != 0 {
		return 0
	}
	return time.Duration(now.Nano())
}
