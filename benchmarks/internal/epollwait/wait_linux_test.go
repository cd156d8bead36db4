package epollwait

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWaitReportsWhatIsReadableAndGivesUp(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(epoll) }()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = unix.Close(pipe[0]), unix.Close(pipe[1]) }()
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, pipe[0], &unix.EpollEvent{Events: unix.EPOLLIN, Fd: 42}); err != nil {
		t.Fatal(err)
	}
	events := make([]unix.EpollEvent, 4)
	if n, err := Wait(epoll, events, 1); n != 0 || err != nil {
		t.Errorf("an empty pipe: %d events, %v", n, err)
	}
	if _, err := unix.Write(pipe[1], []byte{1}); err != nil {
		t.Fatal(err)
	}
	for range 2 { // level-triggered
		if n, err := Wait(epoll, events, -1); n != 1 || err != nil || events[0].Fd != 42 {
			t.Errorf("a full pipe: %d events, %v, %+v", n, err, events[0])
		}
	}
	if _, err := Wait(-1, events, 0); err == nil {
		t.Error("a wrong descriptor is no error")
	}
}
