package epollwait

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Wait is unix.EpollWait that asks once without waiting: then the scheduler
// need not know, which otherwise may give the thread's processor away, and that
// costs more than the question. The caller must have locked its thread.
func Wait(epoll int, events []unix.EpollEvent, milliseconds int) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))),
		uintptr(len(events)), 0, 0, 0)
	if errno == 0 && n > 0 {
		return int(n), nil
	}
	return unix.EpollWait(epoll, events, milliseconds)
}
