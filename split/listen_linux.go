package split

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// pollListener takes connections from a listening socket on a poll loop. The
// loop has it like any connection: what makes it readable is another client.
type pollListener struct {
	acceptor  *Acceptor
	poller    *Poller
	transport *polled
	raw       syscall.RawConn // Go's own descriptor of the same socket
	pause     backoff
	failure   error         // ends it
	wait      time.Duration // until the next attempt, 0 for at once
	full      bool          // there is no room for another handshake
	drained   bool          // whoever came before the listener's options were set has been taken
	ended     chan error
	once      sync.Once
}

const (
	// acceptBatch is how many connections are taken before those that are open
	// have their turn.
	acceptBatch = 64
	// closedLook is how often a listener is asked whether somebody closed it.
	closedLook = time.Second
)

// servePolled serves a plain TCP listener on the poller, if that is what there
// is. Exact types only: a listener that embeds one may do more than its socket.
func (a *Acceptor) servePolled(listener net.Listener) (polled bool, err error) {
	poller, ok := a.config.Readiness.(*Poller)
	tcp, plain := listener.(*net.TCPListener)
	if !ok || !plain {
		return false, nil
	}
	l := &pollListener{acceptor: a, poller: poller, ended: make(chan error, 1)}
	if err := l.watch(tcp); err != nil {
		return true, err
	}
	if a.listen(l) { // before the first connection: only who is known is resumed
		l.transport.expect()
	} else {
		l.stop()
	}
	look := time.NewTicker(closedLook)
	defer look.Stop()
	for {
		select {
		case err := <-l.ended:
			return true, a.unlisten(l, err)
		case <-look.C:
			if err := l.raw.Control(func(uintptr) {}); err != nil {
				l.end(err)
			}
		}
	}
}

// watch puts the socket on a loop, under a descriptor of its own. Nothing is
// accepted before [polled.expect].
func (l *pollListener) watch(listener *net.TCPListener) error {
	raw, err := listener.SyscallConn()
	if err != nil {
		return err
	}
	l.raw = raw
	descriptor, err := duplicate(raw)
	if err != nil {
		return err
	}
	noDelay(descriptor) // connections that come from now on have it from their listener
	l.transport = &polled{descriptor: descriptor, handler: l}
	return l.poller.admit(l.transport)
}

// noDelay lets small writes leave at once. An error shows in the first use of a
// socket that is broken.
func noDelay(descriptor int) {
	_ = syscall.SetsockoptInt(descriptor, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
}

// admit gives a connection to a loop. Nothing is to be done for it before its
// first bytes come, which [polled.expect] waits for.
func (p *Poller) admit(t *polled) error {
	loop := &p.loops[p.next.Add(1)%uint32(p.monitor.open.Load())]
	t.loop.Store(loop)
	t.started, t.reading = true, true
	if err := loop.admit(t); err != nil {
		_ = syscall.Close(t.descriptor)
		return err
	}
	return nil
}

// expect lets epoll watch for the first bytes.
func (t *polled) expect() { t.watched(func() { t.watch(watchRead) }) }

// Fill takes the connections that wait.
func (l *pollListener) Fill(io.Reader) error {
	for range acceptBatch {
		if l.full = !l.acceptor.reserve(); l.full {
			return nil
		}
		descriptor, remote, errno := acceptSocket(l.transport.descriptor)
		if errno != 0 {
			l.acceptor.giveUp()
		}
		switch {
		case errno == 0:
			l.pause.reset()
			if !l.drained {
				noDelay(descriptor)
			}
			l.take(descriptor, remote)
		case errno == syscall.EAGAIN:
			l.drained = true
			return ErrWouldBlock
		case exhausted(errno):
			l.wait = l.pause.next()
			l.acceptor.config.Observer.AcceptFailed(os.NewSyscallError("accept4", errno), l.wait)
			return nil
		case !passing(errno):
			l.failure = os.NewSyscallError("accept4", errno)
			return nil
		}
	}
	return ErrWouldBlock // others first; epoll reports again
}

// take begins a handshake in the place that was reserved for it.
func (l *pollListener) take(descriptor int, remote netip.AddrPort) {
	t := &polled{descriptor: descriptor, remote: remote}
	a := &arrival{acceptor: l.acceptor, transport: t}
	a.owner = a
	t.handler, t.worker = a, a
	if err := l.poller.admit(t); err != nil {
		l.acceptor.giveUp()
		l.acceptor.failed(&TransportError{Operation: "attach", Err: err})
		return
	}
	if !l.acceptor.enter(&a.place) {
		_ = t.Close() // always nil
		return
	}
	t.expect()
}

// Drain says how to go on.
func (l *pollListener) Drain(err error) Verdict {
	if err == nil {
		err = l.failure
	}
	switch {
	case err != nil:
		l.end(err)
		return Stop
	case l.wait > 0:
		time.AfterFunc(l.wait, l.transport.Resume)
		l.wait = 0
		return Pause
	case l.full:
		l.full = false
		if !l.acceptor.hasRoom() { // otherwise resume has come before the pause
			return Pause
		}
	}
	return Park
}

// end makes Serve return.
func (l *pollListener) end(err error) {
	l.once.Do(func() {
		_ = l.transport.Close() // always nil
		l.ended <- err
	})
}

func (l *pollListener) stop() { l.end(ErrAcceptorClosed) }

func (l *pollListener) resume() { l.transport.Resume() }

// passingErrors are those of accept(2) that concern one connection only.
var passingErrors = []syscall.Errno{
	syscall.EINTR, syscall.ECONNABORTED, syscall.EPERM, syscall.EPROTO, syscall.ENETDOWN, syscall.ENOPROTOOPT,
	syscall.EHOSTDOWN, syscall.ENONET, syscall.EHOSTUNREACH, syscall.EOPNOTSUPP, syscall.ENETUNREACH,
}
