package split

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// AcceptConfig are the settings of an [Acceptor]. The zero value of a field
// means its default.
type AcceptConfig struct {
	// Decide is given every correct handshake: it calls [Handshake.Accept], or
	// returns the error that refuses it. One with a status ([wscore.Reject]) is
	// answered with that, any other with 403 and without its text. Decide may
	// block: with a [Poller] it runs as a [Worker]'s work. A panic in it is
	// answered with 500. Needed.
	Decide func(*Handshake) error
	// CheckOrigin decides whether a browser page of that origin may connect; a
	// refusal is answered with 403. Default: [wscore.SameOrigin].
	CheckOrigin func(*Handshake) bool
	// Readiness has the connections afterwards. Default: [NewReadiness]. A
	// [Poller] also performs the handshakes of plain TCP, without a goroutine
	// for each.
	Readiness Readiness

	// Timeout bounds a handshake, from the accepted connection to the answer.
	// Default: 10 s. Range: 1 ms to 1 h. Over it: 408 if a part of the request
	// has come, and the connection is closed.
	Timeout time.Duration
	// MaxHandshakes is how many handshakes may be in progress at once, over all
	// listeners. Default: [DefaultMaxHandshakes]. Range: 1 to 1,048,576. Over it:
	// further connections wait in the system's backlog, and where the poller does
	// not accept, one of each listener waits accepted and unread.
	MaxHandshakes int
	// MaxHeadBytes is the longest head of a request. Default and highest value:
	// [wscore.MaxHeadSize]; least 256. Over it: 431.
	MaxHeadBytes int
	// MaxHeaderFields is the most header fields of a request. Default and highest
	// value: [wscore.MaxHeaderFields]. Over it: 431.
	MaxHeaderFields int

	// Proxy says what to do about the PROXY protocol. Default: [ProxyOff].
	Proxy ProxyMode
	// TrustedProxies are the addresses whose PROXY headers are believed.
	// See [NewNetworks] for which they are.
	TrustedProxies []netip.Prefix
	trusted        Networks // the same, as they are compared

	// Observer is told what fails. Default: nobody.
	Observer AcceptObserver
}

// DefaultMaxHandshakes is the default of AcceptConfig.MaxHandshakes. One that
// has sent a part of its request holds 7 KiB, and beside them up to twice its
// head if that is longer than 4 KiB.
const DefaultMaxHandshakes = 4096

// DefaultHandshakeTimeout is the default of AcceptConfig.Timeout.
const DefaultHandshakeTimeout = 10 * time.Second

const minHeadBytes = 256

// AcceptObserver is told what fails while connections are accepted. Its
// methods are called from many goroutines at once: they must not block.
type AcceptObserver interface {
	// HandshakeFailed reports a handshake that did not become a connection: a
	// [*wscore.HandshakeError], a [*ProxyHeaderError], a [*TransportError], or what
	// Decide returned. Connections that send nothing are not reported.
	HandshakeFailed(err error)
	// AcceptFailed reports that no connection can be accepted at the moment, such
	// as for want of file descriptors; the next attempt is made after the wait.
	AcceptFailed(err error, wait time.Duration)
	// DecidePanicked reports a panic in [AcceptConfig].Decide.
	DecidePanicked(value any)
}

// nopAcceptObserver ignores everything.
type nopAcceptObserver struct{}

func (nopAcceptObserver) HandshakeFailed(error)             {}
func (nopAcceptObserver) AcceptFailed(error, time.Duration) {}
func (nopAcceptObserver) DecidePanicked(any)                {}

// ErrAcceptorClosed is returned by [Acceptor.Serve] after [Acceptor.Close].
var ErrAcceptorClosed = errors.New("websocket: acceptor closed")

// Why a handshake that was correct ends all the same.
var (
	// ErrDecidePanic: AcceptConfig.Decide panicked.
	ErrDecidePanic = &wscore.HandshakeError{Side: wscore.Local, Clause: "RFC 6455 4.2.2", Status: 500, Reason: "panic", Text: "internal error"}
	// ErrUndecided: AcceptConfig.Decide neither accepted nor refused.
	ErrUndecided = &wscore.HandshakeError{Side: wscore.Local, Clause: "RFC 6455 4.2.2", Status: 500, Reason: "undecided", Text: "internal error"}
	// ErrAnswered: the handshake has its answer already.
	ErrAnswered = &wscore.HandshakeError{Side: wscore.Local, Clause: "RFC 6455 4.2.2", Reason: "answered", Text: "the handshake was answered before"}
)

// Acceptor performs WebSocket handshakes on the connections of its listeners,
// without net/http. One may serve several listeners.
type Acceptor struct {
	config AcceptConfig

	mu        sync.Mutex
	room      sync.Cond // a handshake has ended, or the acceptor is closed
	closed    bool
	listeners map[listening]struct{}
	underway  int // handshakes in progress, lingering ones included
	reading   deadlineQueue
	lingering deadlineQueue
}

// listening is a listener that is being served.
type listening interface {
	stop()   // the acceptor is closed
	resume() // there is room for a handshake again
}

// NewAcceptor makes an acceptor. The error is a [*wscore.ConfigError] that
// names the field out of range.
func NewAcceptor(config AcceptConfig) (*Acceptor, error) {
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &Acceptor{config: config, listeners: map[listening]struct{}{}}
	a.room.L = &a.mu
	a.reading.init(&a.mu, config.Timeout)
	a.lingering.init(&a.mu, refusalLinger)
	return a, nil
}

func (c AcceptConfig) withDefaults() (AcceptConfig, error) {
	if c.CheckOrigin == nil {
		c.CheckOrigin = func(h *Handshake) bool {
			return wscore.SameOrigin(h.Head().Get("Origin"), h.Head().Get("Host"))
		}
	}
	if c.Readiness == nil {
		c.Readiness = NewReadiness()
	}
	if c.Observer == nil {
		c.Observer = nopAcceptObserver{}
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultHandshakeTimeout
	}
	if c.MaxHandshakes == 0 {
		c.MaxHandshakes = DefaultMaxHandshakes
	}
	if c.MaxHeadBytes == 0 {
		c.MaxHeadBytes = wscore.MaxHeadSize
	}
	if c.MaxHeaderFields == 0 {
		c.MaxHeaderFields = wscore.MaxHeaderFields
	}
	switch {
	case c.Decide == nil:
		return c, &wscore.ConfigError{Field: "Decide", Value: nil, Range: "a function"}
	case c.Timeout < time.Millisecond || c.Timeout > time.Hour:
		return c, &wscore.ConfigError{Field: "Timeout", Value: c.Timeout, Range: "1ms to 1h (0 for the default)"}
	case c.Proxy > ProxyRequired:
		return c, &wscore.ConfigError{Field: "Proxy", Value: int(c.Proxy), Range: "ProxyOff, ProxyOptional or ProxyRequired"}
	case c.Proxy != ProxyOff && len(c.TrustedProxies) == 0:
		return c, &wscore.ConfigError{Field: "TrustedProxies", Value: nil, Range: "one prefix or more, since Proxy is on"}
	}
	var err error
	if c.trusted, err = NewNetworks("TrustedProxies", c.TrustedProxies); err != nil {
		return c, err
	}
	for _, field := range [...]struct {
		name               string
		value, least, most int
	}{
		{"MaxHandshakes", c.MaxHandshakes, 1, 1 << 20},
		{"MaxHeadBytes", c.MaxHeadBytes, minHeadBytes, wscore.MaxHeadSize},
		{"MaxHeaderFields", c.MaxHeaderFields, 1, wscore.MaxHeaderFields},
	} {
		if field.value < field.least || field.value > field.most {
			return c, &wscore.ConfigError{Field: field.name, Value: field.value, Range: fmt.Sprintf("%d to %d (0 for the default)", field.least, field.most)}
		}
	}
	return c, nil
}

// Serve accepts connections until the listener fails or is closed, or the
// acceptor is: then the error is [ErrAcceptorClosed]. The listener is closed in
// any case. When connections cannot be accepted for a while, such as for want
// of file descriptors, it waits 5 ms, twice as long each further time, up to
// 1 s, and goes on.
//
// With a [Poller] a *net.TCPListener is watched by the poll loop: connections
// come straight from it, without Go's keep-alive probes. Closing that listener
// instead of the acceptor is noticed within a second.
func (a *Acceptor) Serve(listener net.Listener) error { return a.serve(listener, nil) }

// ServeTLS is [Acceptor.Serve] with TLS on the connections. PROXY headers stand
// before TLS. Its handshake counts as a part of ours.
func (a *Acceptor) ServeTLS(listener net.Listener, config *tls.Config) error {
	if config == nil {
		_ = listener.Close()
		return &wscore.ConfigError{Field: "config", Value: nil, Range: "a TLS config"}
	}
	return a.serve(listener, config)
}

func (a *Acceptor) serve(listener net.Listener, config *tls.Config) error {
	defer func() { _ = listener.Close() }()
	if config == nil {
		if polled, err := a.servePolled(listener); polled {
			return err
		}
	}
	return a.serveStreams(listener, config)
}

// Close ends Serve, and the handshakes that have not brought a whole request
// yet. The others are decided on.
func (a *Acceptor) Close() error {
	a.mu.Lock()
	a.closed = true
	a.room.Broadcast()
	listeners := make([]listening, 0, len(a.listeners))
	for l := range a.listeners {
		listeners = append(listeners, l)
	}
	waiting := a.reading.all()
	a.mu.Unlock()
	for _, l := range listeners {
		l.stop()
	}
	for _, one := range waiting {
		one.owner.cancel()
	}
	return nil
}

// Shutdown is [Acceptor.Close] that waits until no handshake is in progress, or
// the context ends: then its error is returned.
func (a *Acceptor) Shutdown(ctx context.Context) error {
	_ = a.Close() // returns nil
	stop := context.AfterFunc(ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.room.Broadcast()
	})
	defer stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.underway > 0 && ctx.Err() == nil {
		a.room.Wait()
	}
	if a.underway > 0 {
		return ctx.Err()
	}
	return nil
}

// Underway returns how many handshakes are in progress.
func (a *Acceptor) Underway() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.underway
}

// listen adds a listener, unless the acceptor is closed.
func (a *Acceptor) listen(l listening) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.listeners[l] = struct{}{}
	}
	return !a.closed
}

// unlisten takes a listener out and says what its Serve returns.
func (a *Acceptor) unlisten(l listening, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.listeners, l)
	if a.closed {
		return ErrAcceptorClosed
	}
	return err
}

// hasRoom reports whether another handshake may begin. If not, resume is called
// on all listeners once it may.
func (a *Acceptor) hasRoom() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.underway < a.config.MaxHandshakes
}

// reserve takes the place of a handshake, if there is one; it fails once the
// acceptor is closed. The place is for enter or giveUp.
func (a *Acceptor) reserve() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tryReserve()
}

func (a *Acceptor) tryReserve() bool {
	if a.closed || a.underway >= a.config.MaxHandshakes {
		return false
	}
	a.underway++
	return true
}

// reserveLater is reserve that waits for a place.
func (a *Acceptor) reserveLater() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for !a.tryReserve() {
		if a.closed {
			return false
		}
		a.room.Wait()
	}
	return true
}

// enter begins a handshake in a place that was reserved; it fails, and gives the
// place up, once the acceptor is closed.
func (a *Acceptor) enter(p *place) bool {
	a.mu.Lock()
	if a.closed {
		a.vacate()
		return false
	}
	defer a.mu.Unlock()
	p.counted = true
	a.reading.add(p)
	return true
}

func (a *Acceptor) isUnderway(p *place) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return p.counted
}

// giveUp gives up a place that was reserved.
func (a *Acceptor) giveUp() {
	a.mu.Lock()
	a.vacate()
}

// linger keeps a refused handshake a little longer.
func (a *Acceptor) linger(p *place) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p.counted {
		p.remove()
		a.lingering.add(p)
	}
}

// leave counts a handshake out; only the first call does something.
func (a *Acceptor) leave(p *place) {
	a.mu.Lock()
	if !p.counted {
		a.mu.Unlock()
		return
	}
	p.counted = false
	p.remove()
	a.vacate()
}

// vacate frees a place, and tells who waits for one. It gives up the lock.
func (a *Acceptor) vacate() {
	a.underway--
	full := a.underway == a.config.MaxHandshakes-1
	if full || a.closed {
		a.room.Broadcast()
	}
	var waiting []listening
	if full {
		for l := range a.listeners {
			waiting = append(waiting, l)
		}
	}
	a.mu.Unlock()
	for _, l := range waiting {
		l.resume()
	}
}

// failed reports a handshake that did not become a connection.
func (a *Acceptor) failed(err error) { a.config.Observer.HandshakeFailed(err) }

// refusal is what the client is told: the error itself if it names a status.
func refusal(err error) *wscore.HandshakeError {
	var known *wscore.HandshakeError
	if errors.As(err, &known) && known.Status >= 300 && known.Status <= 599 {
		return known
	}
	return refusedWithoutReason
}

// refusedWithoutReason stands for an error whose text may not be the client's
// business.
var refusedWithoutReason = &wscore.HandshakeError{Side: wscore.Local, Clause: "RFC 6455 4.2.2", Status: 403, Reason: "rejected", Text: "the handshake was refused"}

const (
	// refusalLinger bounds the wait for the peer to end its side once it was
	// refused: closing a socket with unread bytes resets it and could destroy the
	// answer on its way.
	refusalLinger = time.Second
	// refusalBytes bounds what is thrown away meanwhile.
	refusalBytes = 256 << 10
)

// backoff is how long to wait after a failure to accept.
type backoff struct{ wait time.Duration }

const (
	firstBackoff = 5 * time.Millisecond
	longBackoff  = time.Second
)

func (b *backoff) next() time.Duration {
	b.wait = min(max(firstBackoff, 2*b.wait), longBackoff)
	return b.wait
}

func (b *backoff) reset() { b.wait = 0 }
