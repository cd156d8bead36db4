package split

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// errHandshakeTimeout is what is reported of a handshake whose time is over.
var errHandshakeTimeout error = wscore.ErrHandshakeTimeout

// endOfRequest is the error of a stream that ended inside the request.
func endOfRequest(err error) error {
	if err == io.EOF {
		return wscore.ErrHandshakeEnded
	}
	return &TransportError{Operation: "handshake", Err: err}
}

// refusalResponse is the answer to a handshake that is refused.
func refusalResponse(err error) []byte { return wscore.AppendRefusal(nil, refusal(err)) }

// streamListener is a listener with a goroutine for each handshake.
type streamListener struct {
	net.Listener
	stopped chan struct{}
	once    atomic.Bool
}

func (l *streamListener) stop() {
	if !l.once.Swap(true) {
		close(l.stopped)
		_ = l.Close()
	}
}

func (l *streamListener) resume() {}

// serveStreams accepts connections of any kind.
func (a *Acceptor) serveStreams(listener net.Listener, config *tls.Config) error {
	l := &streamListener{Listener: listener, stopped: make(chan struct{})}
	if !a.listen(l) {
		return ErrAcceptorClosed
	}
	var pause backoff
	for a.awaitRoom() {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause.reset()
			s := &streamArrival{acceptor: a, conn: conn, raw: conn}
			s.owner = s
			// Another listener may have taken the place meanwhile. It is not taken
			// before the wait for a client, or one listener would starve the rest.
			if !a.reserveLater() || !a.enter(&s.place) {
				_ = conn.Close()
				continue
			}
			go s.perform(config)
		case exhausted(err):
			wait := pause.next()
			a.config.Observer.AcceptFailed(err, wait)
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-l.stopped:
				timer.Stop()
			}
		case !passing(err):
			return a.unlisten(l, err)
		}
	}
	return a.unlisten(l, ErrAcceptorClosed)
}

// awaitRoom waits until another handshake may begin; false once closed.
func (a *Acceptor) awaitRoom() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.underway >= a.config.MaxHandshakes && !a.closed {
		a.room.Wait()
	}
	return !a.closed
}

// exhausted reports whether accepting failed for want of something that may be
// there again soon.
func exhausted(err error) bool {
	for _, errno := range [...]syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// passing reports whether accepting failed for a reason of that one connection's.
func passing(err error) bool {
	for _, errno := range passingErrors {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}

// streamArrival is a handshake on a goroutine of its own.
type streamArrival struct {
	place
	acceptor *Acceptor
	conn     net.Conn // as accepted, or under TLS
	raw      net.Conn // as accepted
	deciding atomic.Bool
}

// perform performs a handshake.
func (s *streamArrival) perform(config *tls.Config) {
	a, conn := s.acceptor, s.conn
	defer a.leave(&s.place)
	_ = conn.SetDeadline(time.Now().Add(a.config.Timeout)) // a stream that has ended fails the read
	h := a.handshake(s, addrPort(conn.RemoteAddr()))
	var err error = ErrDecidePanic
	defer func() { // also when the application ends this goroutine
		answered := h.answered
		h.release()
		if err != nil {
			s.fail(answered, err)
		}
	}()
	if err = s.request(h, config); err != nil {
		return
	}
	s.deciding.Store(true)
	err = ErrDecidePanic
	err = h.decide()
}

// request reads the request, below TLS also the PROXY header.
func (s *streamArrival) request(h *Handshake, config *tls.Config) error {
	if config != nil {
		if err := s.beginTLS(h, config); err != nil {
			return err
		}
	}
	for {
		if err := s.read(h); err != nil {
			return err
		}
		if whole, err := h.advance(); err != nil || whole {
			return err
		}
	}
}

// read reads once.
func (s *streamArrival) read(h *Handshake) error {
	n, err := s.conn.Read(h.room())
	h.took(n)
	switch {
	case n > 0 || err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded) && len(h.buffer) > 0:
		return errHandshakeTimeout
	case len(h.buffer) == 0 && (err == io.EOF || errors.Is(err, os.ErrDeadlineExceeded)):
		return errSilent
	}
	return endOfRequest(err)
}

// errSilent is a connection that sent nothing, which is nobody's failure.
var errSilent = errors.New("websocket: nothing was sent")

// beginTLS puts TLS on the stream, behind a PROXY header if there is one.
func (s *streamArrival) beginTLS(h *Handshake, config *tls.Config) error {
	for !h.proxied {
		if err := s.read(h); err != nil { // TLS does not tell who sent nothing
			return err
		}
		var err error
		if h.proxied, err = h.readProxyHeader(); err != nil {
			return err
		}
	}
	s.conn = &prefixedConn{Conn: s.raw, rest: bytes.Clone(h.buffer[h.start:])}
	h.buffer, h.start = h.first[:0], 0
	secured := tls.Server(s.conn, config)
	if err := secured.Handshake(); err != nil {
		return &TransportError{Operation: "TLS handshake", Err: err}
	}
	s.conn = secured
	return nil
}

// prefixedConn reads what was read too early first.
type prefixedConn struct {
	net.Conn
	rest []byte
}

func (c *prefixedConn) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.rest)
	if c.rest = c.rest[n:]; len(c.rest) == 0 {
		c.rest = nil
	}
	return n, nil
}

// fail refuses the handshake and closes the stream.
func (s *streamArrival) fail(answered bool, err error) {
	defer func() { _ = s.conn.Close() }()
	if err == errSilent {
		return
	}
	s.acceptor.failed(err)
	var proxy *ProxyHeaderError
	var transport *TransportError
	if answered || errors.As(err, &proxy) || errors.As(err, &transport) || err == wscore.ErrHandshakeEnded {
		return
	}
	_ = s.conn.SetDeadline(time.Now().Add(refusalLinger))
	if _, err := s.conn.Write(refusalResponse(err)); err != nil {
		return
	}
	if half, ok := s.conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_, _ = io.CopyN(io.Discard, s.conn, refusalBytes) // any end will do
	}
}

// open answers the handshake; see [channel].
func (s *streamArrival) open(h *Handshake, response, early []byte, handler Handler) (Transport, error) {
	_, err := s.conn.Write(response)
	if err == nil {
		err = s.conn.SetDeadline(time.Time{})
	}
	var transport Transport
	if err == nil {
		transport, err = s.acceptor.config.Readiness.Attach(s.conn, early, handler)
	}
	if err != nil {
		_ = s.conn.Close()
		return nil, &TransportError{Operation: "handshake", Err: err}
	}
	if named, ok := transport.(interface{ SetRemoteAddr(net.Addr) }); ok && h.remote != h.peer {
		named.SetRemoteAddr(netAddr(h.remote))
	}
	s.acceptor.leave(&s.place)
	return transport, nil
}

func (s *streamArrival) stream() net.Conn { return s.conn }

// expire ends a stream that knows no deadlines. Others have passed theirs by now,
// and get the time that a refusal takes.
func (s *streamArrival) expire() {
	time.AfterFunc(2*refusalLinger, func() {
		if s.acceptor.isUnderway(&s.place) {
			s.cancel()
		}
	})
}

// cancel ends a handshake that has not brought its request.
func (s *streamArrival) cancel() {
	if !s.deciding.Load() {
		_ = s.raw.Close()
	}
}
