package actor

import (
	"runtime"
	"sync"
	"time"
)

// Who writes. A mailbox gives the right to write to whoever finds it unwritten.
// That right is put on a list and kept there until somebody claims it
// ([writerProcess].due), so that several messages leave in one write and
// no goroutine is started for each:
//
//   - what is sent while the connection's own session runs waits for the end of
//     that run, since the session most likely sent it and may send more;
//   - everything else is handed to the flusher.
//
// A session that does not return soon loses its list to the flusher, and a
// sender that finds a mailbox full claims the right and writes at once.

// flusher writes what is due on a few goroutines, which live while there is
// something to do. It never waits for a peer.
type flusher struct {
	mu      sync.Mutex
	queue   []*writerProcess // from head on
	head    int
	workers int
	start   func() // work, made once: a go statement with a receiver allocates
}

const (
	// flushChunk is how many writers a worker takes at once.
	flushChunk = 16
	// flushCrowd is how many writers each worker has to have waiting before
	// another starts: two that write at once disturb each other more than a
	// short queue is worth.
	flushCrowd = 1024
	// keptFlushQueue is the longest queue whose memory is kept.
	keptFlushQueue = 4096
)

// add hands over writers whose right to write is due.
func (f *flusher) add(writers ...*writerProcess) {
	if len(writers) == 0 {
		return
	}
	f.mu.Lock()
	f.queue = append(f.queue, writers...)
	begin := f.workers == 0 || len(f.queue)-f.head > f.workers*flushCrowd && f.workers < runtime.GOMAXPROCS(0)
	if begin {
		if f.start == nil {
			f.start = f.work
		}
		f.workers++
	}
	start := f.start
	f.mu.Unlock()
	if begin {
		go start()
	}
}

func (f *flusher) work() {
	var chunk [flushChunk]*writerProcess
	for {
		n := f.take(chunk[:])
		if n == 0 {
			return
		}
		for i, w := range chunk[:n] {
			w.flushDue()
			chunk[i] = nil
		}
	}
}

// take moves the oldest writers into the chunk; with none left the worker ends.
func (f *flusher) take(chunk []*writerProcess) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := copy(chunk, f.queue[f.head:])
	clear(f.queue[f.head : f.head+n])
	f.head += n
	if f.head == len(f.queue) {
		f.queue, f.head = f.queue[:0], 0
		if cap(f.queue) > keptFlushQueue {
			f.queue = nil
		}
	}
	if n == 0 {
		f.workers--
	}
	return n
}

// flushWatch looks after sessions that have something to flush and do not
// return: on the second look it hands that to the flusher. One timer serves a
// server's sessions, and only while there are such.
type flushWatch struct {
	mu       sync.Mutex
	sessions []*sessionProcess
	timer    *time.Timer
}

// flushPatience is the time between looks. What a session sends waits for at
// most two of them if the session does not return.
const flushPatience = time.Millisecond

// add puts a session under watch, unless it is.
func (f *flushWatch) add(s *sessionProcess) {
	if s.watched.Load() || s.watched.Swap(true) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	s.seen = false
	f.sessions = append(f.sessions, s)
	if len(f.sessions) > 1 {
		return
	}
	if f.timer == nil {
		f.timer = time.AfterFunc(flushPatience, f.look)
	} else {
		f.timer.Reset(flushPatience)
	}
}

// look visits the sessions under watch.
func (f *flushWatch) look() {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := f.sessions[:0]
	for _, s := range f.sessions {
		s.watched.Store(false) // before the question, so that nobody is missed
		if !s.later.isDue() || s.watched.Swap(true) {
			continue
		}
		if s.seen {
			s.watched.Store(false)
			s.flushLate()
			continue
		}
		s.seen = true
		kept = append(kept, s)
	}
	clear(f.sessions[len(kept):])
	f.sessions = kept
	if len(kept) > 0 {
		f.timer.Reset(flushPatience)
	}
}
