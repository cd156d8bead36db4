package split

import (
	"sync"
	"time"
)

// deadlineQueue are handshakes in the order of their deadlines, which is the
// order in which they came, since all have the same time. One timer serves them.
type deadlineQueue struct {
	mu          *sync.Mutex // the acceptor's; guards everything here
	time        time.Duration
	first, last *place
	timer       *time.Timer
}

// place is where a handshake stands among them.
type place struct {
	owner interface {
		expire() // its time is over
		cancel() // the acceptor is closed: it ends, unless its request is there
	}
	counted        bool
	within         *deadlineQueue // nil for none
	deadline       int64          // as now
	previous, next *place
}

func (d *deadlineQueue) init(mu *sync.Mutex, time time.Duration) { d.mu, d.time = mu, time }

// add puts a place at the end. The caller holds the lock, also for the others.
func (d *deadlineQueue) add(p *place) {
	p.within, p.deadline = d, now()+int64(d.time)
	p.previous, p.next = d.last, nil
	if d.last == nil {
		d.first = p
		d.arm()
	} else {
		d.last.next = p
	}
	d.last = p
}

// remove takes a place out, if it is in. The timer may find nothing to do.
func (p *place) remove() {
	d := p.within
	if d == nil {
		return
	}
	if p.previous == nil {
		d.first = p.next
	} else {
		p.previous.next = p.next
	}
	if p.next == nil {
		d.last = p.previous
	} else {
		p.next.previous = p.previous
	}
	p.within, p.previous, p.next = nil, nil, nil
}

// arm sets the timer for the first deadline, unless it is set already: then it
// rings early and sets itself anew.
func (d *deadlineQueue) arm() {
	if d.timer == nil {
		d.timer = time.AfterFunc(d.time, d.ring)
		return
	}
	d.timer.Reset(time.Duration(d.first.deadline - now()))
}

// ring ends those whose time is over.
func (d *deadlineQueue) ring() {
	for {
		d.mu.Lock()
		p := d.first
		if p == nil || p.deadline > now() {
			if p != nil {
				d.arm()
			}
			d.mu.Unlock()
			return
		}
		p.remove()
		d.mu.Unlock()
		p.owner.expire()
	}
}

// all returns everybody.
func (d *deadlineQueue) all() (all []*place) {
	for p := d.first; p != nil; p = p.next {
		all = append(all, p)
	}
	return all
}
