package rawpeer

import (
	"fmt"
	"io"
	"net"
	"net/http"
)

// Response is what a server answered to a handshake.
type Response struct {
	Status int
	Header http.Header
	Body   []byte // of a refusal, cut at MaxBody
}

// RequestHead builds an honest client head. A header given replaces the one
// of the same name; one given with no values removes it.
func RequestHead(host, path, key string, header http.Header) []byte {
	h := http.Header{
		"Host":                  {host},
		"Upgrade":               {"websocket"},
		"Connection":            {"Upgrade"},
		"Sec-WebSocket-Version": {"13"},
		"Sec-WebSocket-Key":     {key},
	}
	for name, values := range header {
		for present := range h {
			if http.CanonicalHeaderKey(present) == http.CanonicalHeaderKey(name) {
				delete(h, present)
			}
		}
		h[name] = values
	}
	head := fmt.Appendf(nil, "GET %s HTTP/1.1\r\n", path)
	return append(appendHeader(head, h), "\r\n"...)
}

// DialClient connects to a TCP address and performs an honest handshake. On a
// refusal the response is returned together with a *HandshakeError.
func DialClient(addr, path string, header http.Header) (*Peer, *Response, error) {
	conn, err := net.DialTimeout("tcp", addr, DefaultTimeout)
	if err != nil {
		return nil, nil, err
	}
	p, response, err := OpenClient(conn, addr, path, header)
	if err != nil {
		_ = conn.Close()
		return nil, response, err
	}
	return p, response, nil
}

// OpenClient performs an honest client handshake over an open connection and
// checks the answer. The connection stays open on an error.
func OpenClient(conn net.Conn, host, path string, header http.Header) (*Peer, *Response, error) {
	p := New(conn, Client)
	key := NewHandshakeKey()
	if err := p.WriteRaw(RequestHead(host, path, key, header)); err != nil {
		return nil, nil, err
	}
	response, err := p.ReadResponse()
	if err != nil {
		return nil, nil, err
	}
	if err := CheckResponse(response, key); err != nil {
		return nil, response, err
	}
	return p, response, nil
}

// ExchangeHead writes a request head verbatim and reads whatever response
// comes, unchecked. The peer can go on as a client if the answer was a 101.
func ExchangeHead(conn net.Conn, head []byte) (*Peer, *Response, error) {
	p := New(conn, Client)
	if err := p.WriteRaw(head); err != nil {
		return nil, nil, err
	}
	response, err := p.ReadResponse()
	return p, response, err
}

// ReadResponse reads one HTTP response, unchecked.
func (p *Peer) ReadResponse() (*Response, error) {
	if err := p.armRead(p.timeout()); err != nil {
		return nil, err
	}
	answer, err := http.ReadResponse(p.reader, &http.Request{Method: http.MethodGet})
	if err != nil {
		return nil, err
	}
	response := &Response{Status: answer.StatusCode, Header: answer.Header}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		response.Body, _ = io.ReadAll(io.LimitReader(answer.Body, MaxBody)) // a body cut short is no matter here
	}
	return response, nil
}

// CheckResponse judges a server's answer to an honest request with this key
// (RFC 6455 4.1). Extensions and subprotocols are left to the caller.
func CheckResponse(r *Response, key string) error {
	wrong := func(reason string) error { return &HandshakeError{Reason: reason, Status: r.Status} }
	switch {
	case r.Status != http.StatusSwitchingProtocols:
		return wrong("status is not 101")
	case !hasToken(r.Header, "Upgrade", "websocket"):
		return wrong("Upgrade does not name websocket")
	case !hasToken(r.Header, "Connection", "Upgrade"):
		return wrong("Connection does not name Upgrade")
	case r.Header.Get("Sec-WebSocket-Accept") != AcceptKey(key):
		return wrong("Sec-WebSocket-Accept does not answer the key")
	case len(r.Header.Values("Sec-WebSocket-Accept")) != 1:
		return wrong("Sec-WebSocket-Accept appears more than once")
	}
	return nil
}
