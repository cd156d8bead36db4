package actortest

import (
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// Options are what a peer asks for in its handshake, under the names that
// package wscore gives them. The zero value is a plain handshake for "/" with
// the host "actortest". Limits.MaxMessage bounds what the peer takes (default
// 1 MiB), and the peer decides itself about ManualPong and ManualClose; see
// [Peer.Mute].
type Options = wscore.ConnectOptions

// HeaderField is a header field of a handshake, for Options.Headers.
type HeaderField = wscore.HeaderField

// Connect opens a connection to the handler, which may be an *actor.Server, or
// a mux or middleware around one, and returns the peer's end. The request takes
// the way through net/http that it takes in production, over a [Pipe] instead
// of a socket. A handshake that fails ends the test. The peer disconnects when
// the test ends.
func Connect(t TB, handler http.Handler, options Options) *Peer {
	t.Helper()
	peer, err := connect(t, handler, options)
	if err != nil {
		t.Fatalf("actortest: handshake: %v", err)
	}
	return peer
}

// ConnectRefused is [Connect] for a handshake that must be refused; it returns
// the HTTP status. A handshake that is accepted ends the test.
func ConnectRefused(t TB, handler http.Handler, options Options) (status int) {
	t.Helper()
	_, err := connect(t, handler, options)
	var refusal *wscore.HandshakeError
	switch {
	case err == nil:
		t.Fatalf("actortest: the handshake was accepted, which should have been refused")
	case !errors.As(err, &refusal) || !errors.Is(err, wscore.ErrNotUpgraded):
		t.Fatalf("actortest: handshake: %v", err)
	}
	return refusal.Status
}

func connect(t TB, handler http.Handler, options Options) (*Peer, error) {
	t.Helper()
	listener := NewListener()
	web := &http.Server{Handler: handler, ReadHeaderTimeout: DefaultTimeout}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = web.Serve(listener) // ends with web.Close
	}()
	defer func() {
		_ = web.Close() // what was upgraded is none of its business
		<-served
	}()
	stream, err := listener.Dial()
	if err != nil {
		return nil, err
	}
	return NewPeer(t, stream, options)
}

// NewPeer shakes hands on a stream, which it owns from then on, and returns the
// client's end: for a stream of [Listener.Dial], or one to a server anywhere. The
// error is as of [wscore.Connect]. The peer disconnects when the test ends.
func NewPeer(t TB, stream net.Conn, options Options) (*Peer, error) {
	t.Helper()
	if options.Host == "" {
		options.Host = "actortest"
	}
	return newPeer(t, stream, wscore.Client, &options.Options, func(p *Peer, buffers wscore.Buffers) (conn *wscore.Conn, err error) {
		conn, p.subprotocol, err = wscore.Connect(reading{p}, buffers, options)
		return conn, err
	})
}

// Accept waits for the next stream of the listener, for at most a minute, and
// returns a server's end of it: what a client under test, such as an
// actor.Dialer whose DialContext is the listener's, is connected to. A hook in
// the options may refuse the handshake; the error is as of [wscore.Accept]. The
// peer disconnects when the test ends.
func Accept(t TB, listener *Listener, options wscore.AcceptOptions) (*Peer, error) {
	t.Helper()
	patience := time.NewTimer(acceptTimeout)
	defer patience.Stop()
	var stream net.Conn
	select {
	case stream = <-listener.waiting:
	case <-listener.closed:
		return nil, net.ErrClosed
	case <-patience.C:
		return nil, os.ErrDeadlineExceeded
	}
	return newPeer(t, stream, wscore.Server, &options.Options, func(p *Peer, buffers wscore.Buffers) (*wscore.Conn, error) {
		return wscore.Accept(reading{p}, buffers, options)
	})
}

const acceptTimeout = time.Minute

// newPeer makes a peer by a handshake with the options, which it completes.
func newPeer(t TB, stream net.Conn, role wscore.Role, options *wscore.Options, handshake func(*Peer, wscore.Buffers) (*wscore.Conn, error)) (*Peer, error) {
	t.Helper()
	options.ManualPong, options.ManualClose = true, true
	limits, err := options.Limits.WithDefaults()
	if err == nil {
		err = stream.SetDeadline(time.Now().Add(DefaultTimeout))
	}
	p := &Peer{Timeout: DefaultTimeout, t: t, stream: stream, changed: make(chan struct{}), done: make(chan struct{}), writing: make(chan struct{}, 1)}
	if err == nil {
		p.conn, err = handshake(p, wscore.Buffers{Read: make([]byte, readWindow), Write: make([]byte, readWindow), Message: make([]byte, limits.MaxMessage)})
	}
	if err == nil {
		err = stream.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = stream.Close()
		return nil, err
	}
	p.encoder = wscore.NewEncoder(role, p.conn.Lifecycle(), options.MaskKey)
	go p.read()
	t.Cleanup(func() {
		p.Disconnect()
		<-p.done
	})
	return p, nil
}
