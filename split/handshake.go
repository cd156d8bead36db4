package split

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"

	"github.com/tandem-ws/tandem/wscore"
)

// Handshake is a client's request for a connection that an [Acceptor] has read
// and found correct. It and everything it returns are valid only while
// [AcceptConfig].Decide runs.
type Handshake struct {
	acceptor *Acceptor
	channel  channel
	head     wscore.RequestHead
	buffer   []byte // what has arrived
	start    int    // where the head begins: behind a PROXY header
	size     int    // of the head, 0 while it is not whole
	proxied  bool   // there is no PROXY header, or it has been read
	answered bool
	broken   error          // why the answer did not leave
	peer     netip.AddrPort // of the stream; the zero value if it has none
	source   netip.AddrPort // the peer, or what a PROXY header says
	remote   netip.AddrPort // the source, or what SetRemote says
	request  *http.Request

	first  [firstHead]byte // memory of the buffer, until the head is longer
	answer [320]byte       // memory of the answer, unless that is longer
}

const firstHead = 4 << 10

// channel is what a handshake came on.
type channel interface {
	// open answers the handshake and gives the stream to its next handler.
	open(h *Handshake, response, early []byte, handler Handler) (Transport, error)
	// stream returns the stream if it is not a plain one of the poller's.
	stream() net.Conn
}

var handshakes = sync.Pool{New: func() any { return &Handshake{} }}

// handshake returns an empty handshake.
func (a *Acceptor) handshake(c channel, peer netip.AddrPort) *Handshake {
	h := handshakes.Get().(*Handshake)
	h.acceptor, h.channel, h.peer, h.source, h.remote = a, c, peer, peer, peer
	h.buffer = h.first[:0]
	_ = h.head.Reset(a.config.MaxHeaderFields) // in range, as the config was checked
	return h
}

// release gives the handshake's memory back.
func (h *Handshake) release() {
	h.acceptor, h.channel, h.buffer, h.request = nil, nil, nil, nil
	h.start, h.size, h.proxied, h.answered, h.broken = 0, 0, false, false, nil
	_ = h.head.Reset(0) // or it would keep what it was read from
	handshakes.Put(h)
}

// room returns where the next bytes may be read to.
func (h *Handshake) room() []byte {
	if len(h.buffer) == cap(h.buffer) {
		larger := make([]byte, len(h.buffer), 2*len(h.buffer))
		copy(larger, h.buffer)
		h.buffer = larger
	}
	return h.buffer[len(h.buffer):cap(h.buffer)]
}

// took notes how many bytes came.
func (h *Handshake) took(n int) { h.buffer = h.buffer[:len(h.buffer)+n] }

// advance looks at what has come, and reports whether the request is whole.
func (h *Handshake) advance() (whole bool, err error) {
	if !h.proxied {
		if whole, err := h.readProxyHeader(); err != nil || !whole {
			return false, err
		}
		h.proxied = true
	}
	arrived := h.buffer[h.start:]
	if h.size, err = h.head.Parse(arrived); err != nil {
		return false, err
	}
	switch {
	case h.size > h.acceptor.config.MaxHeadBytes, h.size == 0 && len(arrived) >= h.acceptor.config.MaxHeadBytes:
		return false, wscore.ErrHeadTooLarge
	case h.size == 0:
		return false, nil
	case !validEscapes(h.Path()):
		return false, wscore.ErrTargetForm
	}
	return true, nil
}

// validEscapes reports whether each percent sign is followed by two digits, as
// net/http demands of a path.
func validEscapes(path []byte) bool {
	for {
		at := bytes.IndexByte(path, '%')
		if at < 0 {
			return true
		}
		if path = path[at+1:]; len(path) < 2 || !hexadecimal(path[0]) || !hexadecimal(path[1]) {
			return false
		}
	}
}

func hexadecimal(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}

// decide lets the application decide. The error says why the handshake is
// refused.
func (h *Handshake) decide() (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		value := recover()
		if value == nil {
			value = "runtime.Goexit was called"
		}
		h.acceptor.config.Observer.DecidePanicked(value)
		err = ErrDecidePanic
	}()
	if !h.acceptor.config.CheckOrigin(h) {
		err = wscore.ErrOrigin
	} else {
		err = h.acceptor.config.Decide(h)
	}
	returned = true
	switch {
	case err != nil:
		return err
	case !h.answered:
		return ErrUndecided
	}
	return h.broken
}

// Head returns the request's line and header fields.
func (h *Handshake) Head() *wscore.Request { return h.head.Request() }

// Path returns the path of the request target, escaped as it came; it begins
// with a slash.
func (h *Handshake) Path() []byte {
	path, _, _ := bytes.Cut(h.Head().Target(), []byte{'?'})
	return path
}

// Query returns what follows the question mark in the request target, escaped
// as it came; nil if there is none.
func (h *Handshake) Query() []byte {
	_, query, _ := bytes.Cut(h.Head().Target(), []byte{'?'})
	return query
}

// Remote returns the address of the client: the peer's, the one in the PROXY
// header, or what SetRemote said. The zero value if the stream knows no IP
// address.
func (h *Handshake) Remote() netip.AddrPort { return h.remote }

// SetRemote says what the client's address is, for whoever knows better, before
// Accept: it is [Transport].RemoteAddr from then on, with a readiness of this
// package.
func (h *Handshake) SetRemote(remote netip.AddrPort) { h.remote = remote }

// Polled reports whether a [Poller] performs the handshake. Then Start of the
// transport calls the handler's Drain at once.
func (h *Handshake) Polled() bool { return h.channel.stream() == nil }

// TLS returns the state of TLS, or nil without.
func (h *Handshake) TLS() *tls.ConnectionState {
	if conn, ok := h.channel.stream().(interface{ ConnectionState() tls.ConnectionState }); ok {
		state := conn.ConnectionState()
		return &state
	}
	return nil
}

// Request returns the request as net/http would, made when first asked for.
// It has no body, and may be kept. Its RemoteAddr is the peer's or that in the
// PROXY header, whatever SetRemote says.
func (h *Handshake) Request() *http.Request {
	if h.request != nil {
		return h.request
	}
	head := h.Head()
	r := &http.Request{
		Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Host: string(head.Get("Host")), RequestURI: string(head.Target()),
		Header: make(http.Header, head.Len()), Body: http.NoBody, TLS: h.TLS(),
	}
	if h.source.IsValid() {
		r.RemoteAddr = h.source.String()
	} else if conn := h.channel.stream(); conn != nil && conn.RemoteAddr() != nil {
		r.RemoteAddr = conn.RemoteAddr().String()
	}
	var err error
	if r.URL, err = url.ParseRequestURI(r.RequestURI); err != nil {
		r.URL = &url.URL{Path: string(h.Path()), RawQuery: string(h.Query())} // the target was checked
	}
	for i := range head.Len() {
		name, value := head.At(i)
		if key := http.CanonicalHeaderKey(string(name)); key != "Host" {
			r.Header[key] = append(r.Header[key], string(value))
		}
	}
	h.request = r
	return r
}

// Offers reports whether the client offered the subprotocol.
func (h *Handshake) Offers(subprotocol string) bool {
	for value := range h.Head().Values("Sec-WebSocket-Protocol") {
		if wscore.OffersSubprotocol(value, subprotocol) {
			return true
		}
	}
	return false
}

// Deflate answers the client's offers of compression; nil wants none. The
// result belongs into the answer and to [New].
func (h *Handshake) Deflate(config *wscore.DeflateConfig) wscore.DeflateParams {
	if config == nil {
		return wscore.DeflateParams{}
	}
	for value := range h.Head().Values("Sec-WebSocket-Extensions") {
		if params := wscore.AcceptDeflate(value, *config); params.Agreed {
			return params
		}
	}
	return wscore.DeflateParams{}
}

// Accept answers the handshake and gives the stream to the handler, which is
// woken once [Transport].Start is called; see also [Handshake.Polled]. A
// [*wscore.HandshakeError] means that nothing was sent, and that Decide is to
// return it; after any other error the connection is closed.
func (h *Handshake) Accept(answer wscore.Answer, handler Handler) (Transport, error) {
	if h.answered {
		return nil, ErrAnswered
	}
	if answer.Subprotocol != "" && !h.Offers(answer.Subprotocol) {
		return nil, wscore.ErrSubprotocol
	}
	if err := wscore.CheckHeaders(answer.Headers); err != nil {
		return nil, err
	}
	h.answered = true
	var early []byte
	if rest := h.buffer[h.start+h.size:]; len(rest) > 0 {
		early = bytes.Clone(rest)
	}
	var transport Transport
	transport, h.broken = h.channel.open(h, wscore.AppendSwitch(h.answer[:0], h.head.Accept(), answer), early, handler)
	return transport, h.broken
}

// addrPort is the address of a TCP stream; the zero value for any other.
func addrPort(addr net.Addr) netip.AddrPort {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok || tcp == nil {
		return netip.AddrPort{}
	}
	remote := tcp.AddrPort()
	return netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port())
}

// netAddr is the other way round; nil for the zero value.
func netAddr(remote netip.AddrPort) net.Addr {
	if !remote.IsValid() {
		return nil
	}
	return net.TCPAddrFromAddrPort(remote)
}
