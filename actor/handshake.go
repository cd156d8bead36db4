package actor

import (
	"net"
	"net/http"
	"net/netip"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// Handshake is a request that is about to become a connection. It is valid
// only while the session producer runs.
type Handshake struct {
	upgrade *split.Upgrade   // of a request of net/http, or nil
	own     *split.Handshake // of one that Serve accepted, or nil
	remote  netip.AddrPort
	from    netip.Prefix // as which it is counted; the zero value for not
	answer  wscore.Answer
}

// Request returns the HTTP request. Nothing of it may be kept. Under
// [Server.Serve] it is made by the first call, which the methods below spare.
func (h *Handshake) Request() *http.Request {
	if h.own != nil {
		return h.own.Request()
	}
	return h.upgrade.Request
}

// Path returns the path of the request, escaped as it came.
func (h *Handshake) Path() string {
	if h.own != nil {
		return string(h.own.Path())
	}
	return h.upgrade.Request.URL.EscapedPath()
}

// Query returns what follows the question mark, escaped as it came.
func (h *Handshake) Query() string {
	if h.own != nil {
		return string(h.own.Query())
	}
	return h.upgrade.Request.URL.RawQuery
}

// Header returns the first value of a header field, "" if there is none. The
// name's case does not matter; "Host" is one of them.
func (h *Handshake) Header(name string) string {
	if h.own != nil {
		return string(h.own.Head().Get(name))
	}
	if http.CanonicalHeaderKey(name) == "Host" {
		return h.upgrade.Request.Host // net/http takes it out of the header
	}
	return h.upgrade.Request.Header.Get(name)
}

// RemoteAddr returns the address of the client: the peer's, or what trusted
// proxies say of it ([ServerConfig].TrustedProxies). Its port is 0 if they do
// not tell. It is nil for a stream without an IP address.
func (h *Handshake) RemoteAddr() net.Addr { return netAddr(h.remote) }

// SelectSubprotocol picks the first of the names, in the server's order of
// preference, that the client offered, and returns it; "" if it offered none.
func (h *Handshake) SelectSubprotocol(names ...string) string {
	for _, name := range names {
		if h.offers(name) {
			h.answer.Subprotocol = name
			return name
		}
	}
	return ""
}

func (h *Handshake) offers(subprotocol string) bool {
	if h.own != nil {
		return h.own.Offers(subprotocol)
	}
	return h.upgrade.Offers(subprotocol)
}

// AddHeader adds a header field to the answer. One that would break the head
// or the handshake refuses the connection with status 500.
func (h *Handshake) AddHeader(name, value string) {
	h.answer.Headers = append(h.answer.Headers, wscore.HeaderField{Name: name, Value: value})
}
