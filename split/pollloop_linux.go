package split

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

// pollLoop is one epoll instance and the goroutine that waits in it, while it
// has connections.
type pollLoop struct {
	mu       sync.Mutex
	epoll    int
	wake     int // an eventfd that ends a wait
	running  bool
	sleeping bool // the goroutine waits, or is about to
	met      bool // it has met events since the monitor asked
	members  int
	slots    []*polled
	free     []int32
	tasks    []*polled // connections with something to do
	issued   uint32    // generations handed out

	wakes, reads atomic.Uint64 // see PollerStats

	monitor *pollMonitor
	shift   workShift
	shed    atomic.Pointer[pollLoop] // where half of the connections are to go
}

// edgeTriggered is EPOLLET, whose sign in package syscall depends on the
// architecture.
const edgeTriggered = 1 << 31

// pollBatch is how many events one wait takes.
const pollBatch = 128

// admit makes room for a connection and starts the loop if it is the first.
func (l *pollLoop) admit(t *polled) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.running {
		if err := l.start(); err != nil {
			return err
		}
	}
	l.insert(t)
	return nil
}

// insert gives a connection a slot. The caller holds the lock.
func (l *pollLoop) insert(t *polled) {
	l.members++
	l.issued++
	t.generation = l.issued
	if n := len(l.free); n > 0 {
		t.slot = l.free[n-1]
		l.free = l.free[:n-1]
		l.slots[t.slot] = t
		return
	}
	t.slot = int32(len(l.slots))
	l.slots = append(l.slots, t)
}

// remove takes a connection's slot away. The caller holds the lock.
func (l *pollLoop) remove(t *polled) {
	l.slots[t.slot] = nil
	l.free = append(l.free, t.slot)
	l.members--
}

// start opens the epoll instance. The caller holds the lock.
func (l *pollLoop) start() error {
	epoll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	wake, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if errno != 0 {
		_ = syscall.Close(epoll)
		return os.NewSyscallError("eventfd2", errno)
	}
	// Edge-triggered, so that it need never be read.
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | edgeTriggered, Fd: -1}
	if err := syscall.EpollCtl(epoll, syscall.EPOLL_CTL_ADD, int(wake), &event); err != nil {
		_ = syscall.Close(epoll)
		_ = syscall.Close(int(wake))
		return os.NewSyscallError("epoll_ctl", err)
	}
	l.epoll, l.wake, l.running, l.sleeping = epoll, int(wake), true, false
	go l.loop()
	return nil
}

// post asks the connection's loop to do something for it.
func (t *polled) post(what task) {
	l := t.loop.Load()
	l.mu.Lock()
	for l != t.loop.Load() { // it has moved meanwhile
		l.mu.Unlock()
		l = t.loop.Load()
		l.mu.Lock()
	}
	defer l.mu.Unlock()
	if int(t.slot) >= len(l.slots) || l.slots[t.slot] != t {
		return // it has left, and perhaps the loop has ended since
	}
	if t.tasks == 0 {
		l.tasks = append(l.tasks, t)
	}
	t.tasks |= what
	if l.sleeping {
		l.sleeping = false
		one := [8]byte{0: 1}
		_, _ = syscall.Write(l.wake, one[:]) // fails only when a wake-up is due anyway
	}
}

func (l *pollLoop) loop() {
	var events [pollBatch]syscall.EpollEvent
	var members [pollBatch]*polled
	var turns turns
	busy := false
	for {
		did, more := l.runTasks()
		if !more {
			return // nobody is left, or another goroutine has the loop
		}
		busy = busy || did
		if to := l.shed.Swap(nil); to != nil {
			l.give(to)
		}
		timeout := 0
		if !busy {
			if !l.sleep() {
				continue // something was posted meanwhile
			}
			timeout = -1
		}
		n, err := epollWait(l.epoll, events[:], timeout)
		if err != nil && err != syscall.EINTR {
			// Impossible with descriptors of our own; going on would spin.
			panic(os.NewSyscallError("epoll_wait", err))
		}
		l.awake(n > 0)
		if n > 0 {
			l.wakes.Add(1)
		}
		for i, t := range l.membersOf(events[:max(n, 0)], members[:]) {
			if t == nil {
				continue
			}
			members[i] = nil
			if t.ready(events[i].Events) {
				l.reads.Add(1)
			}
			if t.workDue && !l.work(t) {
				return // epoll reports the rest again, to the loop's successor
			}
		}
		if n > 0 {
			l.monitor.wake()
		}
		// After work the loop looks once more before it sleeps.
		if busy = n > 0; busy {
			turns.yield()
		}
	}
}

// turns lets other goroutines run between the turns of a loop.
type turns struct{ left int }

// turnsAtMost is after how many turns with events a loop yields. Each time costs
// as much as a message, because it sets an idle processor looking for work, and
// that one looks anyway for those whom the loop has given something to do. Only
// where there is no other processor they depend on it.
const turnsAtMost = 16

func (t *turns) yield() {
	if t.left--; t.left > 0 {
		return
	}
	runtime.Gosched()
	if t.left = turnsAtMost; runtime.GOMAXPROCS(0) == 1 {
		t.left = 1
	}
}

// epollWait is syscall.EpollWait, but the scheduler is not told of a look that
// does not wait: it may take the processor away meanwhile.
func epollWait(epoll int, events []syscall.EpollEvent, milliseconds int) (int, error) {
	if milliseconds != 0 {
		return syscall.EpollWait(epoll, events, milliseconds)
	}
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// sleep announces that the loop is about to wait, unless there is work.
func (l *pollLoop) sleep() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sleeping = len(l.tasks) == 0
	return l.sleeping
}

func (l *pollLoop) awake(met bool) {
	l.mu.Lock()
	l.sleeping = false
	l.met = l.met || met
	l.mu.Unlock()
}

// membersOf returns the connections that events are for: nil where one has left
// and the slot may be another's.
func (l *pollLoop) membersOf(events []syscall.EpollEvent, members []*polled) []*polled {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		members[i] = nil
		if slot := int(events[i].Fd); slot >= 0 && slot < len(l.slots) {
			if t := l.slots[slot]; t != nil && t.generation == uint32(events[i].Pad) {
				members[i] = t
			}
		}
	}
	return members[:len(events)]
}

// runTasks does what was posted. more is false when the last connection has
// left, and the loop is then closed, or when the loop was lost.
func (l *pollLoop) runTasks() (did, more bool) {
	for {
		l.mu.Lock()
		if len(l.tasks) == 0 {
			more := l.members > 0
			if !more {
				l.stop()
			}
			l.mu.Unlock()
			return did, more
		}
		t := l.tasks[0]
		l.tasks[0] = nil
		if l.tasks = l.tasks[1:]; len(l.tasks) == 0 {
			l.tasks = nil
		}
		tasks := t.tasks
		t.tasks = 0
		l.mu.Unlock()
		did = true
		t.run(tasks)
		if tasks&taskClose != 0 {
			l.leave(t)
		}
		if t.workDue && !l.work(t) {
			return did, false
		}
	}
}

// leave gives up a connection's slot.
func (l *pollLoop) leave(t *polled) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(t)
}

// stop closes the epoll instance. The caller holds the lock.
func (l *pollLoop) stop() {
	_ = syscall.Close(l.epoll)
	_ = syscall.Close(l.wake)
	l.running, l.slots, l.free = false, nil, nil
}
