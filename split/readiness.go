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
	// has ended.
	Fill(source io.Reader) error
	// Drain deals with what Fill brought, and says what is to happen next. The
	// error is the one that ended the stream, or nil; a stream that was closed
	// during a pause ends with [net.ErrClosed]. It must not block.
	Drain(err error) Verdict
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
)

// ErrWouldBlock is returned by a source that has no bytes at the moment.
var ErrWouldBlock = errors.New("websocket: no bytes at the moment")

// Transport is the stream under a connection, owned by its readiness.
type Transport interface {
	// Start lets the handler be woken. It is called once.
	Start()
	// Resume ends a pause. It may come before the pause does.
	Resume()
	// Write writes all of the buffers in order, for at most the timeout. Only
	// one goroutine writes at a time.
	Write(buffers *net.Buffers, timeout time.Duration) (int64, error)
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
