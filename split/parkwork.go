package split

import (
	"sync"
	"time"
)

// A parked connection's work runs on the goroutine that reads, because one for
// each message costs more than most messages do. Work that does not return soon
// loses the reading to a new goroutine and then ends with its own.

// parkWatch looks once a millisecond at the work of parked connections, while
// there is any, and relieves the second time it finds the same.
type parkWatch struct {
	mu      sync.Mutex
	working []*parkedWork
	looking bool
	timer   *time.Timer
	late    []*parkedWork // look's, kept for its memory
}

// parkedWork is a piece of work under watch. It is lent for that time.
type parkedWork struct {
	stream  parkedStream
	worker  Worker
	verdict Verdict // what the reading goes on with
	index   int     // in working, -1 once it was relieved
	seen    bool    // by one look
}

var parkedWorks = sync.Pool{New: func() any { return new(parkedWork) }}

// work does what is due and reports whether this goroutine still reads.
func (t *parkedTransport) work(s parkedStream, verdict Verdict) bool {
	worker, ok := t.handler.(Worker)
	if !ok {
		return true
	}
	if t.watch == nil {
		spawn(worker)
		return true
	}
	w := parkedWorks.Get().(*parkedWork)
	w.stream, w.worker, w.verdict = s, worker, verdict
	t.watch.begin(w)
	returned := false
	defer func() {
		if !returned && t.watch.end(w) {
			go runParked(s, verdict) // the application ended this goroutine
		}
	}()
	worker.Work(true)
	returned = true
	if !t.watch.end(w) {
		return false // whoever relieved it may not be done with w
	}
	w.stream, w.worker = nil, nil
	parkedWorks.Put(w)
	return true
}

func (p *parkWatch) begin(w *parkedWork) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.index, w.seen = len(p.working), false
	p.working = append(p.working, w)
	if p.looking {
		return
	}
	p.looking = true
	if p.timer == nil {
		p.timer = time.AfterFunc(parkPatience, p.look)
	} else {
		p.timer.Reset(parkPatience)
	}
}

// end reports whether the work was not relieved.
func (p *parkWatch) end(w *parkedWork) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.index < 0 {
		return false
	}
	p.remove(w)
	return true
}

// remove takes work out; the last takes its place. The caller holds the lock.
func (p *parkWatch) remove(w *parkedWork) {
	last := len(p.working) - 1
	p.working[w.index] = p.working[last]
	p.working[w.index].index = w.index
	p.working[last] = nil
	p.working = p.working[:last]
	w.index = -1
}

// parkPatience is the time between looks: work holds up the reading of its
// connection for at most two of them.
const parkPatience = time.Millisecond

// look is called by the timer, which is set again only at its end.
func (p *parkWatch) look() {
	p.mu.Lock()
	late := p.late[:0]
	for i := len(p.working) - 1; i >= 0; i-- {
		if w := p.working[i]; !w.seen {
			w.seen = true
		} else {
			p.remove(w)
			late = append(late, w)
		}
	}
	p.mu.Unlock()
	for i, w := range late {
		w.worker.Late()
		go runParked(w.stream, w.verdict)
		late[i] = nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.late = late
	if p.looking = len(p.working) > 0; p.looking {
		p.timer.Reset(parkPatience)
	}
}
