package split

import (
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

// NewReadiness returns the cheapest readiness of this system: a [Poller] on
// Linux, [Parked] elsewhere.
func NewReadiness() Readiness { return NewPoller(0) }

// Poller is the readiness for plain TCP on Linux: epoll loops, as few as keep
// up, watch all connections, so that an idle one holds no goroutine, no buffer and no timer.
// Reads and writes go straight to the descriptor. A connection of any other
// kind, TLS among them, is parked instead ([Parked]).
//
// A loop's goroutine and its descriptors exist while it has connections.
// Handlers run on it and must not block. The work of a [Worker] runs on it too,
// because a goroutine for each message costs more than most messages do; work
// that does not return soon loses the loop to another goroutine, and where
// that keeps happening work gets goroutines of its own for a while.
type Poller struct {
	loops   []pollLoop
	next    atomic.Uint32
	monitor pollMonitor
	parked  Parked
}

// NewPoller returns a poller with at most that many loops; 0 means one per
// processor. They open one at a time, as they are needed.
func NewPoller(loops int) *Poller {
	if loops < 1 {
		loops = runtime.GOMAXPROCS(0)
	}
	p := &Poller{loops: make([]pollLoop, loops), parked: NewParked()}
	p.monitor.init(p.loops)
	return p
}

// Stats returns what the loops have done since the poller was made.
func (p *Poller) Stats() PollerStats {
	stats := PollerStats{OpenLoops: int(p.monitor.open.Load())}
	for i := range p.loops {
		stats.Wakes += p.loops[i].wakes.Load()
		stats.Reads += p.loops[i].reads.Load()
	}
	return stats
}

// String returns "epoll".
func (p *Poller) String() string { return "epoll" }

// Attach takes over the connection. Its descriptor is taken out of Go's own
// poller: if it stayed there, each event would wake both.
func (p *Poller) Attach(conn net.Conn, early []byte, handler Handler) (Transport, error) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return p.parked.Attach(conn, early, handler)
	}
	remote := tcp.RemoteAddr()
	descriptor, err := detach(tcp)
	if err != nil {
		return nil, err
	}
	t := &polled{descriptor: descriptor, remote: addrPort(remote), handler: handler, early: early}
	t.worker, _ = handler.(Worker)
	loop := &p.loops[p.next.Add(1)%uint32(p.monitor.open.Load())]
	t.loop.Store(loop)
	if err := loop.admit(t); err != nil {
		_ = syscall.Close(descriptor)
		return nil, err
	}
	return t, nil
}

// polled is a connection that a poller watches.
type polled struct {
	loop       atomic.Pointer[pollLoop]
	descriptor int
	remote     netip.AddrPort
	handler    Handler // another one after a handshake; changed on the loop under mu
	worker     Worker  // the handler, if it is one

	// uses counts system calls in flight; its top bit is set once the
	// connection is closed. The descriptor is closed with the last of them, so
	// that none ever meets a descriptor that was given to somebody else.
	uses atomic.Uint32

	mu       sync.Mutex
	interest uint32        // what epoll watches for
	deaf     syscall.Errno // why epoll did not take it
	writable chan struct{} // a writer waits for this to be closed

	slot       int32 // guarded by the loop's lock, as are the next two
	generation uint32
	tasks      task // what the loop is asked to do

	// Touched on the loop only.
	early   []byte // what came with the handshake and is not read yet
	started bool
	paused  bool
	stopped bool // the handler wants nothing more
	reading bool // epoll watches for bytes, as far as the loop has asked for it
	workDue bool
}

// task is something that the loop does for a connection on request.
type task uint8

const (
	taskStart task = 1 << iota
	taskResume
	taskClose
)

const closedBit = 1 << 31

// acquire lets a system call begin; it reports false once closed.
func (t *polled) acquire() bool {
	for {
		uses := t.uses.Load()
		if uses&closedBit != 0 {
			return false
		}
		if t.uses.CompareAndSwap(uses, uses+1) {
			return true
		}
	}
}

// release ends a system call, and the descriptor with the last one.
func (t *polled) release() {
	if t.uses.Add(^uint32(0)) == closedBit {
		_ = syscall.Close(t.descriptor) // nothing is left to be done about an error
	}
}

// Start lets the handler be woken.
func (t *polled) Start() { t.post(taskStart) }

// Resume ends a pause.
func (t *polled) Resume() { t.post(taskResume) }

// Close closes the stream; the loop tells the handler.
func (t *polled) Close() error {
	for {
		uses := t.uses.Load()
		if uses&closedBit != 0 {
			return nil
		}
		if t.uses.CompareAndSwap(uses, (uses+1)|closedBit) {
			break // with a use of our own, until the descriptor is out of epoll
		}
	}
	t.mu.Lock()
	t.watch(0)
	t.wakeWriter()
	t.mu.Unlock()
	t.release()
	t.post(taskClose)
	return nil
}

// CloseWrite ends the sending direction.
func (t *polled) CloseWrite() error {
	if !t.acquire() {
		return net.ErrClosed
	}
	defer t.release()
	return os.NewSyscallError("shutdown", syscall.Shutdown(t.descriptor, syscall.SHUT_WR))
}

// RemoteAddr returns the address of the peer.
func (t *polled) RemoteAddr() net.Addr { return netAddr(t.remote) }

// SetRemoteAddr says what the peer's address is. It is called before Start.
func (t *polled) SetRemoteAddr(remote net.Addr) { t.remote = addrPort(remote) }

// Read reads the descriptor once, for the handler.
func (t *polled) Read(p []byte) (int, error) { return socketRead(t.descriptor, p) }

// watch sets what epoll watches the descriptor for; 0 takes it out altogether,
// because a hang-up is reported whatever is asked for. The caller holds the
// lock, and the descriptor is open.
func (t *polled) watch(interest uint32) {
	if interest == t.interest {
		return
	}
	operation := syscall.EPOLL_CTL_MOD
	switch {
	case t.interest == 0:
		operation = syscall.EPOLL_CTL_ADD
	case interest == 0:
		operation = syscall.EPOLL_CTL_DEL
	}
	t.interest = interest
	event := syscall.EpollEvent{Events: interest, Fd: t.slot, Pad: int32(t.generation)}
	// To add fails where kernel memory or fs.epoll.max_user_watches is used up.
	if err := syscall.EpollCtl(t.loop.Load().epoll, operation, t.descriptor, &event); err != nil && operation == syscall.EPOLL_CTL_ADD {
		t.interest = 0
		t.deaf, _ = err.(syscall.Errno) // always one
	}
}

const watchRead = syscall.EPOLLIN | syscall.EPOLLRDHUP

// watchReading turns the watch for bytes on or off, unless closed. It runs on
// the loop.
func (t *polled) watchReading(on bool) {
	if on == t.reading {
		return
	}
	t.reading = on
	t.watched(func() {
		if on {
			t.watch(t.interest | watchRead)
		} else {
			t.watch(t.interest &^ watchRead)
		}
	})
}

// watched runs change under the lock, unless the stream is closed: then the
// descriptor must not go back into epoll. One that epoll does not take would
// never be heard of again and is closed.
func (t *polled) watched(change func()) bool {
	if !t.acquire() {
		return false
	}
	defer t.release()
	t.mu.Lock()
	open := t.uses.Load()&closedBit == 0
	if open {
		change()
	}
	deaf := t.deaf
	t.mu.Unlock()
	if open && deaf != 0 {
		_ = t.Close() // always nil
	}
	return open
}

// ready deals with what epoll reported, and reports whether that was bytes to
// read. It runs on the loop.
func (t *polled) ready(events uint32) (read bool) {
	if events&(syscall.EPOLLOUT|syscall.EPOLLERR|syscall.EPOLLHUP) != 0 {
		t.watched(func() {
			t.watch(t.interest &^ syscall.EPOLLOUT)
			t.wakeWriter()
		})
	}
	switch {
	case events&^syscall.EPOLLOUT == 0:
	case t.started && !t.paused && !t.stopped:
		t.fill()
		return true
	default:
		t.watchReading(false)
	}
	return false
}

// fill reads once and lets the handler deal with it. After a short read whose
// event said that the peer has gone, epoll reports again, because the watch is
// level-triggered: the stream is always read to its end.
func (t *polled) fill() {
	if !t.acquire() {
		return // the loop is about to tell the handler
	}
	err := t.fillFrom(t)
	t.release()
	if err != ErrWouldBlock {
		t.drain(err)
	}
}

// fillFrom lets the handler read once, and survives it: the loop serves others too.
func (t *polled) fillFrom(source io.Reader) (err error) {
	defer recovered(&err)
	return t.handler.Fill(source)
}

// drain lets the handler deal with what came and does what it wants next.
func (t *polled) drain(err error) {
	verdict, workDue := t.handler.Drain(err).Split()
	t.workDue = t.workDue || workDue && t.worker != nil
	t.follow(verdict)
}

// follow does what the handler wants next.
func (t *polled) follow(verdict Verdict) {
	t.paused = verdict == Pause
	t.stopped = t.stopped || verdict == Stop
	if t.paused && t.workDue && t.reading && !t.stopped {
		return // most such pauses end with the work; if bytes come before that, the watch ends then
	}
	t.watchReading(!t.paused && !t.stopped && len(t.early) == 0)
}

// run does what was asked for. It runs on the loop.
func (t *polled) run(tasks task) {
	begins := tasks&(taskStart|taskClose) != 0 && t.adopt()
	if tasks&taskClose != 0 {
		if !t.stopped {
			t.stopped = true
			t.drain(t.end())
		}
		return
	}
	if tasks&taskStart != 0 {
		t.started = true
		switch {
		case len(t.early) > 0:
			t.paused = false
		case begins:
			t.drain(nil)
		default:
			t.follow(Park)
		}
	}
	if tasks&taskResume != 0 && t.paused {
		t.drain(nil) // what was read and not delivered
	}
	for len(t.early) > 0 && t.started && !t.paused && !t.stopped {
		source := bytesSource{rest: t.early}
		err := t.fillFrom(&source)
		t.early = source.rest
		if len(t.early) == 0 {
			t.early = nil
		}
		if err == ErrWouldBlock {
			break
		}
		t.drain(err)
	}
}

// end is the error of a closed connection.
func (t *polled) end() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.deaf != 0 {
		return os.NewSyscallError("epoll_ctl", t.deaf)
	}
	return net.ErrClosed
}

var _ io.Reader = (*polled)(nil)
