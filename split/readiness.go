package split

import (
	"errors"
	"io"
	"net"
	"time"
)

// Readiness wakes readers when their connections have bytes. An
// implementation decides what an idle connection costs.
type Readiness interface {
	// Attach takes over the connection: from now on only the transport touches
	// it. Early bytes, which the peer sent behind its handshake, are given to
	// the handler first. Nothing is read before [Transport.Start].
	Attach(conn net.Conn, early []byte, handler Handler) (Transport, error)
	// String names the implementation for metrics and logs.
	String() string
}

// Handler is what a readiness wakes; a connection's calls never overlap.
type Handler interface {
	// Fill takes memory, one byte or more, and reads from the source at most
	// once. It returns nil when bytes came, [ErrWouldBlock] when none were there
	// and the memory has been given back, and any other error when the stream
	// has ended. A panic reaches Drain as a [*PanicError].
	Fill(source io.Reader) error
	// Drain deals with what Fill brought, and says what is to happen next. The
	// error is the one that ended the stream, or nil; a stream that was closed
	// during a pause ends with [net.ErrClosed]. It must not block: what could is
	// left to a [Worker].
	Drain(err error) Verdict
}

// Worker is a [Handler] with work that may block, such as calling an
// application's code. Its Drain adds [WorkDue] to its verdict, and Work is then
// called once Drain has returned; reading goes on meanwhile.
type Worker interface {
	Handler
	// Work does what is due and may take its time. With watched it runs where
	// others wait for it, and Late is called if it does not return soon.
	Work(watched bool)
	// Late tells, from another goroutine, that Work has not returned for a
	// millisecond or more. Nobody waits for it any longer.
	Late()
}

// Verdict is what a [Handler] wants next.
type Verdict uint8

// The verdicts.
const (
	// Park: wait until bytes arrive; no memory is held between messages.
	Park Verdict = iota
	// ReadMore: a frame is unfinished; wait for its rest.
	ReadMore
	// Pause: read nothing until [Transport.Resume], so that TCP pushes back.
	// Then Drain is called for what is still undelivered.
	Pause
	// Stop: read nothing ever again.
	Stop

	// WorkDue is added to the verdict of a [Worker] that has something to do.
	WorkDue Verdict = 1 << 7
)

// Split parts a verdict from the WorkDue added to it.
func (v Verdict) Split() (verdict Verdict, workDue bool) { return v &^ WorkDue, v&WorkDue != 0 }

// ErrWouldBlock is returned by a source that has no bytes at the moment, and
// by what tries to write without waiting when it would have to wait. It is
// never the end of a connection.
var ErrWouldBlock = errors.New("websocket: the stream would block")

// Transport is the stream under a connection, owned by its readiness. One that
// is a [fmt.Stringer] names its kind, where a readiness has several.
type Transport interface {
	// Start lets the handler be woken. It is called once.
	Start()
	// Resume ends a pause. It may come before the pause does.
	Resume()
	// Write writes all of the buffers in order, for at most the timeout. Only
	// one goroutine writes at a time. Written bytes are taken off the front of
	// the buffers.
	Write(buffers *net.Buffers, timeout time.Duration) (int64, error)
	// TryWrite writes what the stream takes at once and never waits. Written
	// bytes are taken off the front of the buffers; while some are left the
	// error is [ErrWouldBlock], and Write or TryWrite goes on from there. A
	// stream that cannot be tried, TLS among them, takes nothing. Calls count
	// as calls of Write.
	TryWrite(buffers *net.Buffers) (int64, error)
	// CloseWrite ends the sending direction and leaves the other open, where
	// the stream knows such a thing.
	CloseWrite() error
	// Close ends the stream in both directions and wakes whoever waits in it.
	// It may be called from any goroutine, also from [Handler].Drain but not
	// from its Fill, and more than once.
	Close() error
	// RemoteAddr returns the address of the peer as the stream knows it.
	RemoteAddr() net.Addr
}
