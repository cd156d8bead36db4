package rawpeer

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
)

// Request is what a client sent to open the connection.
type Request struct {
	Method string
	Target string
	Header http.Header // includes Host
	Head   []byte      // as it came
}

// Key returns the request's Sec-WebSocket-Key.
func (r *Request) Key() string { return r.Header.Get("Sec-WebSocket-Key") }

// AcceptOptions bends the answer of AcceptServer. The zero value is honest.
type AcceptOptions struct {
	// Header is added to the honest answer; a header given replaces the one
	// of the same name, one given with no values removes it.
	Header http.Header
	// Respond, when set, builds the whole answer, octet for octet.
	Respond func(*Request) []byte
}

// ResponseHead builds the honest 101 answer to the request, with headers
// replaced or removed as in RequestHead.
func ResponseHead(r *Request, header http.Header) []byte {
	h := http.Header{
		"Upgrade":              {"websocket"},
		"Connection":           {"Upgrade"},
		"Sec-WebSocket-Accept": {AcceptKey(r.Key())},
	}
	for name, values := range header {
		for present := range h {
			if http.CanonicalHeaderKey(present) == http.CanonicalHeaderKey(name) {
				delete(h, present)
			}
		}
		h[name] = values
	}
	head := []byte("HTTP/1.1 101 Switching Protocols\r\n")
	return append(appendHeader(head, h), "\r\n"...)
}

// AcceptServer reads a client's handshake, judges it and answers it. The
// connection stays open on an error.
func AcceptServer(conn net.Conn, options AcceptOptions) (*Peer, *Request, error) {
	p := New(conn, Server)
	request, err := p.ReadRequest()
	if err != nil {
		return nil, nil, err
	}
	if err := CheckRequest(request); err != nil {
		return nil, request, err
	}
	answer := ResponseHead(request, options.Header)
	if options.Respond != nil {
		answer = options.Respond(request)
	}
	if err := p.WriteRaw(answer); err != nil {
		return nil, request, err
	}
	return p, request, nil
}

// ReadRequest reads one HTTP request head, unchecked.
func (p *Peer) ReadRequest() (*Request, error) {
	head, err := p.readHead()
	if err != nil {
		return nil, err
	}
	parsed, err := parseRequest(head)
	if err != nil {
		return nil, fmt.Errorf("parse request head: %w", err)
	}
	if parsed.ProtoMajor != 1 || parsed.ProtoMinor < 1 {
		return nil, &HandshakeError{Reason: "protocol is " + parsed.Proto}
	}
	if parsed.Host != "" {
		parsed.Header.Set("Host", parsed.Host)
	}
	return &Request{Method: parsed.Method, Target: parsed.RequestURI, Header: parsed.Header, Head: head}, nil
}

// CheckRequest judges a client's handshake (RFC 6455 4.1).
func CheckRequest(r *Request) error {
	wrong := func(reason string) error { return &HandshakeError{Reason: reason} }
	key, err := base64.StdEncoding.DecodeString(r.Key())
	switch {
	case r.Method != http.MethodGet:
		return wrong("method is " + r.Method)
	case r.Header.Get("Host") == "":
		return wrong("Host is missing")
	case !hasToken(r.Header, "Upgrade", "websocket"):
		return wrong("Upgrade does not name websocket")
	case !hasToken(r.Header, "Connection", "Upgrade"):
		return wrong("Connection does not name Upgrade")
	case r.Header.Get("Sec-WebSocket-Version") != "13":
		return wrong("version is not 13")
	case len(r.Header.Values("Sec-WebSocket-Version")) != 1:
		return wrong("version is given more than once")
	case len(r.Header.Values("Sec-WebSocket-Key")) != 1:
		return wrong("the key is not given exactly once")
	case err != nil || len(key) != 16:
		return wrong("the key is not 16 octets in base64")
	}
	return nil
}
