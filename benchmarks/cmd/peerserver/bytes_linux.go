package main

import (
	"errors"
	"net/http"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/tandem-ws/tandem/benchmarks/internal/epollwait"
)

// serveBytesEpoll is the least that a Go program can do for a message: one epoll
// loop on one thread, one read and one write for each event, and no goroutine,
// buffer or net.Conn for a connection.
func serveBytesEpoll(s settings) error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	loop := &byteLoop{epoll: epoll, unsent: make(map[int][]byte)}
	go loop.run()
	return serveHTTP(s.addr, func(w http.ResponseWriter, r *http.Request) {
		c, early, ok := upgradeBytes(w, r)
		if !ok {
			return
		}
		defer func() { _ = c.Close() }() // the descriptor's copy lives on
		raw, err := c.(syscall.Conn).SyscallConn()
		if err != nil {
			return
		}
		fd := -1
		if raw.Control(func(own uintptr) { fd, err = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) }) != nil || err != nil {
			return
		}
		pending, _ := early.Peek(early.Buffered())
		loop.add(fd, pending)
	})
}

type byteLoop struct {
	epoll  int
	mu     sync.Mutex     // guards unsent, which add touches too
	unsent map[int][]byte // what the peer did not take yet; nothing is read meanwhile
}

func (l *byteLoop) add(fd int, early []byte) {
	events := uint32(unix.EPOLLIN)
	if len(early) > 0 {
		l.mu.Lock()
		l.unsent[fd] = append([]byte(nil), early...)
		l.mu.Unlock()
		events = unix.EPOLLOUT
	}
	if unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}) != nil {
		_ = unix.Close(fd)
	}
}

func (l *byteLoop) run() {
	runtime.LockOSThread()
	buffer := make([]byte, largestRead)
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := epollwait.Wait(l.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		for i := range max(n, 0) {
			if fd := int(events[i].Fd); !l.serve(fd, events[i].Events, buffer) {
				l.mu.Lock()
				delete(l.unsent, fd)
				l.mu.Unlock()
				_ = unix.Close(fd)
			}
		}
	}
}

// serve answers one event and reports whether the connection goes on.
func (l *byteLoop) serve(fd int, events uint32, buffer []byte) bool {
	if events&unix.EPOLLOUT != 0 {
		l.mu.Lock()
		defer l.mu.Unlock()
		rest := l.unsent[fd]
		n, err := unix.Write(fd, rest)
		if err != nil {
			return errors.Is(err, unix.EAGAIN)
		}
		if l.unsent[fd] = rest[n:]; n < len(rest) {
			return true
		}
		delete(l.unsent, fd)
		return l.watch(fd, unix.EPOLLIN)
	}
	n, err := unix.Read(fd, buffer)
	if n <= 0 {
		return errors.Is(err, unix.EAGAIN)
	}
	sent, err := unix.Write(fd, buffer[:n])
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return false
	}
	if sent = max(sent, 0); sent < n {
		l.mu.Lock()
		l.unsent[fd] = append([]byte(nil), buffer[sent:n]...)
		l.mu.Unlock()
		return l.watch(fd, unix.EPOLLOUT)
	}
	return true
}

func (l *byteLoop) watch(fd int, events uint32) bool {
	return unix.EpollCtl(l.epoll, unix.EPOLL_CTL_MOD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)}) == nil
}
