package split

import (
	"bytes"
	"math/bits"
	"os"
	"strconv"
	"time"
)

// A poller serves all connections with one loop, and opens another only when
// the loops at work are busy throughout while the machine has a processor to
// spare. A few busy loops wake up seldom and find much to do each time; many
// loops that are half asleep cost up to a third more for each message.

const (
	// busyLooks of the last 16 must have found a loop awake before it sheds.
	busyLooks = 14
	// spareProcessors is how much must be idle for another loop to help.
	spareProcessors = 0.5
	// judgeTime is how long the machine is watched before connections move.
	judgeTime = 100 * time.Millisecond
)

// growth decides when connections move to another loop. The monitor's lock
// guards it.
type growth struct {
	since time.Time     // when idle was read, zero for not
	idle  time.Duration // processor time that was idle by then
	// read returns the machine's idle processor time; false if unknown.
	read func() (time.Duration, bool)
}

// spare reports whether the machine has had a processor to spare lately. It
// has to be asked twice.
func (g *growth) spare(now time.Time) bool {
	if !g.since.IsZero() && now.Sub(g.since) < judgeTime {
		return false
	}
	idle, known := g.read()
	if !known {
		return true // then only the limit on loops counts
	}
	elapsed, gained := now.Sub(g.since), idle-g.idle
	recent := !g.since.IsZero() && elapsed < 4*judgeTime
	g.since, g.idle = now, idle
	return recent && gained.Seconds() >= spareProcessors*elapsed.Seconds()
}

// balance lets the busiest loop shed half of its connections, to a new loop or
// to one that has little to do.
func (m *pollMonitor) balance() {
	busiest, calmest := -1, -1
	open := int(m.open.Load())
	for i := range m.loops[:open] {
		busy := bits.OnesCount16(m.seen[i].busy)
		if busy >= busyLooks && (busiest < 0 || busy > bits.OnesCount16(m.seen[busiest].busy)) {
			busiest = i
		}
		if busy <= busyLooks/2 {
			calmest = i
		}
	}
	if busiest < 0 || open == len(m.loops) && calmest < 0 || !m.growth.spare(time.Now()) {
		return
	}
	if calmest < 0 {
		calmest = open
		m.open.Add(1)
	}
	for i := range m.seen {
		m.seen[i].busy = 0 // look anew
	}
	m.loops[busiest].shed.Store(&m.loops[calmest])
}

// give moves every other connection to another loop, and a lone one not: what
// keeps a loop busy would only follow it. It runs on the loop's own goroutine,
// between two waits.
func (l *pollLoop) give(to *pollLoop) {
	l.monitor.moving.Lock()
	defer l.monitor.moving.Unlock()
	l.mu.Lock()
	members := append([]*polled(nil), l.slots...)
	l.mu.Unlock()
	stays := false
	for _, t := range members {
		if t == nil {
			continue
		}
		if stays = !stays; !stays {
			t.move(l, to)
		}
	}
}

// move takes a connection from one loop to another, unless it is closed or has
// something to be done. The watch's lock is held throughout, so that nobody
// changes it in between; the new loop may wake the handler at once after that.
func (t *polled) move(from, to *pollLoop) {
	t.watched(func() {
		interest := t.interest
		if t.swap(from, to, func() { t.watch(0) }) {
			t.watch(interest)
		}
	})
}

// swap gives up the place in one loop and takes one in the other, where there
// is nothing to be done for the connection.
func (t *polled) swap(from, to *pollLoop, unwatch func()) bool {
	from.mu.Lock()
	defer from.mu.Unlock()
	to.mu.Lock()
	defer to.mu.Unlock()
	if t.tasks != 0 || from.slots[t.slot] != t || !to.running && to.start() != nil {
		return false
	}
	unwatch()
	from.remove(t)
	to.insert(t)
	t.loop.Store(to)
	return true
}

// machineIdle returns how long the machine's processors have been idle, summed
// up, since it started (proc(5), /proc/stat).
func machineIdle() (time.Duration, bool) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	return parseIdle(stat)
}

func parseIdle(stat []byte) (time.Duration, bool) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 5 || string(fields[0]) != "cpu" {
		return 0, false
	}
	ticks, err := strconv.ParseInt(string(fields[4]), 10, 64)
	if err != nil {
		return 0, false
	}
	return time.Duration(ticks) * (time.Second / userHertz), true
}

// userHertz is the unit of /proc/stat on every architecture of Go's.
const userHertz = 100
