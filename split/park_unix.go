//go:build unix

package split

import (
	"net"
	"os"
	"syscall"
	"time"
)

// newParked picks the way to wait. A plain TCP or Unix connection waits on its
// descriptor; anything else, TLS among it, waits in a one-byte read. Exact
// types only: one that embeds a connection may do more than the descriptor
// knows.
func newParked(begin parkedBegin, conn net.Conn) (Transport, error) {
	switch plain := conn.(type) {
	case *net.TCPConn:
		return newParkedSocket(begin, plain)
	case *net.UnixConn:
		return newParkedSocket(begin, plain)
	}
	return newParkedConn(begin, conn), nil
}

// descriptorConn is a connection of package net that has a descriptor.
type descriptorConn interface {
	net.Conn
	syscall.Conn
}

// parkedSocket looks whether bytes are there, parks on the descriptor if not,
// and reads. It has to look first: Go clears the descriptor's readiness before
// it calls back, so a wake-up may already be gone.
type parkedSocket struct {
	parkedTransport
	file       *os.File
	raw        syscall.RawConn               // of the file
	read       func(descriptor uintptr) bool // try
	result     error
	remote     remote
	descriptor int32
	looked     bool // this wait has found nothing once, or need not look
	timed      bool // a write deadline may be set; for who writes
}

func newParkedSocket(begin parkedBegin, conn descriptorConn) (Transport, error) {
	peer := newRemote(conn.RemoteAddr())
	descriptor, err := detach(conn)
	if err != nil {
		return nil, err
	}
	t := &parkedSocket{parkedTransport: parkedTransport{parkedBegin: begin}, remote: peer, descriptor: int32(descriptor)}
	t.file = os.NewFile(uintptr(descriptor), "")
	t.read = t.try
	if t.raw, err = t.file.SyscallConn(); err == nil {
		err = t.file.SetDeadline(time.Time{}) // fails if Go's poller does not watch it
	}
	if err != nil {
		_ = t.file.Close()
		return nil, err
	}
	return t, nil
}

// detach returns a descriptor of the connection that Go's poller does not
// watch, and closes Go's own.
func detach(conn descriptorConn) (descriptor int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	if descriptor, err = duplicate(raw); err != nil {
		return -1, err
	}
	if err := conn.Close(); err != nil {
		_ = syscall.Close(descriptor)
		return -1, err
	}
	return descriptor, nil
}

// duplicate returns a descriptor of the same socket that Go's poller does not
// watch.
func duplicate(raw syscall.RawConn) (descriptor int, err error) {
	var failure error
	if err := raw.Control(func(fd uintptr) { descriptor, failure = duplicateDescriptor(int(fd)) }); err != nil {
		return -1, err
	}
	return descriptor, failure
}

// Start lets the handler be woken.
func (t *parkedSocket) Start() { go runParked(t, Park) }

func (t *parkedSocket) fill(unfinished bool) error {
	t.looked = unfinished
	if err := t.raw.Read(t.read); err != nil {
		return t.failed(err)
	}
	return t.result
}

// failed tells of the failure of a file what it would be of a connection.
func (t *parkedSocket) failed(err error) error {
	if t.closed.Load() {
		return net.ErrClosed
	}
	return err
}

func (t *parkedSocket) try(uintptr) bool {
	// Looking takes no memory and little stack, so that the goroutine parks on
	// what it was born with.
	if !t.looked {
		t.looked = true
		switch t.result = look(int(t.descriptor)); t.result {
		case nil:
		case ErrWouldBlock:
			return false
		default:
			return true // the socket tells its error once
		}
	}
	t.result = t.handler.Fill(t)
	return t.result != ErrWouldBlock
}

// Read reads the descriptor once, without blocking, for the handler.
func (t *parkedSocket) Read(p []byte) (int, error) { return socketRead(int(t.descriptor), p) }

// Write writes all of the buffers.
func (t *parkedSocket) Write(buffers *net.Buffers, timeout time.Duration) (int64, error) {
	t.timed = true
	if err := t.file.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return 0, t.failed(err)
	}
	n, err := attemptWrite(t.raw, buffers, true)
	if err != nil {
		err = t.failed(err)
	}
	return n, err
}

// TryWrite writes straight to the descriptor until it takes no more.
func (t *parkedSocket) TryWrite(buffers *net.Buffers) (int64, error) {
	if t.timed { // one that has passed would fail the attempt
		if err := t.file.SetWriteDeadline(time.Time{}); err != nil {
			return 0, t.failed(err)
		}
		t.timed = false
	}
	n, err := attemptWrite(t.raw, buffers, false)
	if err != nil && err != ErrWouldBlock {
		err = t.failed(err)
	}
	return n, err
}

// CloseWrite ends the sending direction.
func (t *parkedSocket) CloseWrite() error {
	var failure error
	if err := t.raw.Control(func(fd uintptr) { failure = syscall.Shutdown(int(fd), syscall.SHUT_WR) }); err != nil {
		return t.failed(err)
	}
	return os.NewSyscallError("shutdown", failure)
}

// Close closes the socket, once.
func (t *parkedSocket) Close() error {
	if !t.close() {
		return nil
	}
	return t.file.Close()
}

// RemoteAddr returns the address of the peer.
func (t *parkedSocket) RemoteAddr() net.Addr { return t.remote.addr() }

// SetRemoteAddr says what the peer's address is. It is called before Start.
func (t *parkedSocket) SetRemoteAddr(addr net.Addr) { t.remote = newRemote(addr) }
