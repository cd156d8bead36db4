package split

import "sync"

// ring is the messages that wait in a mailbox: count from head on.
type ring struct {
	entries []entry
	head    int32
	count   int32
}

// lentRing is how many entries a ring has that a mailbox needs for a burst. It
// is lent, so that bursts allocate nothing and idle mailboxes keep nothing.
const lentRing = 64

var rings sync.Pool

func newRing(size int) *ring { return &ring{entries: make([]entry, size)} }

// borrowRing returns a lent ring if there is one.
func borrowRing() *ring {
	r, _ := rings.Get().(*ring)
	return r
}

// giveBack returns an empty ring that was lent; any other is left to the
// garbage collector.
func (r *ring) giveBack() {
	if len(r.entries) == lentRing {
		rings.Put(r)
	}
}

// size is how many entries the ring has room for; nil is none.
func (r *ring) size() int {
	if r == nil {
		return 0
	}
	return len(r.entries)
}

// at returns the place that is so many behind the oldest message.
func (r *ring) at(i int) *entry {
	if i += int(r.head); i >= len(r.entries) {
		i -= len(r.entries) // a division takes longer than all else here
	}
	return &r.entries[i]
}

func (r *ring) push(e entry) {
	*r.at(int(r.count)) = e
	r.count++
}

func (r *ring) pop() entry {
	place := r.at(0)
	e := *place
	*place = entry{}
	if r.head++; int(r.head) == len(r.entries) {
		r.head = 0
	}
	r.count--
	return e
}
