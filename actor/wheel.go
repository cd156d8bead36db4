package actor

import (
	"sync"
	"sync/atomic"
	"time"
)

// wheel is the one timer of a server's heartbeats: connections wait in slots,
// and a goroutine that lives only while there are any visits a slot a tick.
type wheel struct {
	now     atomic.Int64 // its clock: nanoseconds, read once a tick
	mu      sync.Mutex
	slots   [wheelSlots]*wheelEntry // the first of each slot
	cursor  int
	waiting int
	quit    chan struct{} // ends the goroutine; nil while there is none
}

const (
	wheelSlots = 256
	wheelTick  = 50 * time.Millisecond
)

// wheelEntry is a connection's place in the wheel: its heartbeat's, or the one
// that ends a pause. It is embedded, so waiting costs no allocation. The
// wheel's lock guards it.
type wheelEntry struct {
	next   *wheelEntry
	from   **wheelEntry // what points here: the slot, or the entry before
	due    *Conn        // nil once removed
	rounds int
}

func (e *wheelEntry) link(slot **wheelEntry) {
	e.from, e.next = slot, *slot
	if e.next != nil {
		e.next.from = &e.next
	}
	*slot = e
}

func (e *wheelEntry) unlink() {
	*e.from = e.next
	if e.next != nil {
		e.next.from = e.from
	}
	e.next, e.from = nil, nil
}

// add lets an entry wait for about d, rounded up to a tick.
func (w *wheel) add(e *wheelEntry, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.enter(e, d)
}

// wait lets an entry wait for about d until the connection is resumed, unless
// it waits already.
func (w *wheel) wait(e *wheelEntry, c *Conn, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.due == nil {
		e.due = c
		w.enter(e, d)
	}
}

func (w *wheel) enter(e *wheelEntry, d time.Duration) {
	w.insert(e, d)
	w.waiting++
	if w.quit == nil {
		w.read()
		w.quit = make(chan struct{})
		go w.run(w.quit)
	}
}

// epoch is the zero of the wheels' clocks.
var epoch = time.Now()

func (w *wheel) read() { w.now.Store(int64(time.Since(epoch))) }

// left counts an entry out and ends the goroutine with the last one.
func (w *wheel) left() {
	if w.waiting--; w.waiting == 0 {
		close(w.quit)
		w.quit = nil
	}
}

func (w *wheel) insert(e *wheelEntry, d time.Duration) {
	ticks := max(1, int((d+wheelTick-1)/wheelTick))
	e.rounds = (ticks - 1) / wheelSlots
	e.link(&w.slots[(w.cursor+ticks)%wheelSlots])
}

// remove takes an entry out; it may be called more than once.
func (w *wheel) remove(e *wheelEntry) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.due == nil {
		return
	}
	e.due = nil
	w.left()
	if e.from != nil {
		e.unlink()
	}
}

func (w *wheel) run(quit <-chan struct{}) {
	ticker := time.NewTicker(wheelTick)
	defer ticker.Stop()
	var ready []*wheelEntry
	for {
		select {
		case <-quit:
			return
		case <-ticker.C:
		}
		ready = w.turn(ready[:0], quit)
		for i, e := range ready {
			w.visit(e)
			ready[i] = nil
		}
	}
}

// turn moves on by a slot and takes out what is due there. A goroutine that
// was told to quit leaves the wheel to its successor.
func (w *wheel) turn(ready []*wheelEntry, quit <-chan struct{}) []*wheelEntry {
	w.mu.Lock()
	defer w.mu.Unlock()
	if quit != w.quit {
		return ready
	}
	w.read()
	w.cursor = (w.cursor + 1) % wheelSlots
	for e := w.slots[w.cursor]; e != nil; {
		following := e.next
		if e.rounds > 0 {
			e.rounds--
		} else {
			e.unlink()
			ready = append(ready, e)
		}
		e = following
	}
	return ready
}

// visit calls a connection that is due, without the lock, and lets it wait
// again if it wants to and was not removed meanwhile.
func (w *wheel) visit(e *wheelEntry) {
	w.mu.Lock()
	due := e.due
	resumes := due != nil && e != &due.beat.entry
	if resumes { // it may be entered again before Resume returns
		e.due = nil
		w.left()
	}
	w.mu.Unlock()
	switch {
	case due == nil:
		return
	case resumes:
		due.transport.Resume()
		return
	}
	again := due.visited()
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case e.due == nil:
	case again > 0:
		w.insert(e, again)
	default:
		e.due = nil
		w.left()
	}
}
