package split

import "sync"

// What a mailbox needs for a burst is lent to it, so that bursts allocate
// nothing and idle mailboxes keep nothing.
type (
	lentRing  [64]entry
	lentPongs [4]controlFrame
)

var rings, pongLanes sync.Pool

// giveBack returns an empty ring that was lent; any other is left to the
// garbage collector.
func giveBack(ring []entry) {
	if len(ring) == len(lentRing{}) {
		rings.Put((*lentRing)(ring))
	}
}

func borrowPongs() []controlFrame {
	if lane, ok := pongLanes.Get().(*lentPongs); ok {
		return lane[:0]
	}
	return make([]controlFrame, 0, len(lentPongs{}))
}

func giveBackPongs(pongs []controlFrame) {
	if cap(pongs) == len(lentPongs{}) {
		pongLanes.Put((*lentPongs)(pongs[:cap(pongs)]))
	}
}
