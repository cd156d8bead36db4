package wscore

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"unsafe"
)

// acceptGUID is the constant that a server hashes with the key (RFC 6455
// section 1.3).
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

const (
	keySize    = 24 // base64 of 16 bytes
	acceptSize = 28 // base64 of a SHA-1 sum
)

// RequestCheck judges a client's opening handshake field by field (RFC 6455
// section 4.2.1), whoever parsed it: this package or net/http. Give it the
// request line with [RequestCheck.Line], each field with [RequestCheck.Field]
// or [RequestCheck.FieldString], then ask [RequestCheck.Verify]. It borrows
// nothing and allocates nothing.
type RequestCheck struct {
	get, http11, host, upgrade, connection, version bool

	hosts, versions, keys, origins int
	key                            [keySize]byte
	keyValid                       bool
}

// Line takes the request's method and HTTP version.
func (c *RequestCheck) Line(method string, major, minor int) {
	c.get = method == "GET"
	c.http11 = major == 1 && minor >= 1
}

// Field takes one header field; fields that the handshake does not use are
// ignored.
func (c *RequestCheck) Field(name, value []byte) {
	switch {
	case equalFold(name, "Host"):
		c.hosts++
		c.host = validHost(value)
	case equalFold(name, "Upgrade"):
		c.upgrade = c.upgrade || hasToken(value, "websocket")
	case equalFold(name, "Connection"):
		c.connection = c.connection || hasToken(value, "upgrade")
	case equalFold(name, "Sec-WebSocket-Version"):
		c.versions++
		c.version = string(value) == "13"
	case equalFold(name, "Sec-WebSocket-Key"):
		c.keys++
		c.keyValid = len(value) == keySize && validKey(value)
		copy(c.key[:], value)
	case equalFold(name, "Origin"):
		c.origins++
	}
}

// FieldString is [RequestCheck.Field] for strings.
func (c *RequestCheck) FieldString(name, value string) {
	c.Field(unsafe.Slice(unsafe.StringData(name), len(name)), unsafe.Slice(unsafe.StringData(value), len(value)))
}

// Verify returns what is wrong with the request, or nil. The error's Status
// is the answer that is due.
func (c *RequestCheck) Verify() error {
	switch {
	case !c.get:
		return ErrMethod
	case !c.http11:
		return ErrHTTPVersion
	case !c.upgrade:
		return ErrNotWebSocket
	case !c.connection:
		return ErrConnectionField
	case c.hosts != 1 || !c.host:
		return ErrNoHost
	case c.versions != 1 || !c.version:
		return ErrWebSocketVersion
	case c.keys != 1 || !c.keyValid:
		return ErrWebSocketKey
	case c.origins > 1:
		return ErrOrigin
	}
	return nil
}

// Accept returns the Sec-WebSocket-Accept value for the request's key, as 28
// bytes of base64 (RFC 6455 section 4.2.2). It means something once
// [RequestCheck.Verify] returned nil.
func (c *RequestCheck) Accept() [acceptSize]byte { return acceptFor(c.key) }

func acceptFor(key [keySize]byte) [acceptSize]byte {
	var seed [keySize + len(acceptGUID)]byte
	copy(seed[:], key[:])
	copy(seed[keySize:], acceptGUID)
	sum := sha1.Sum(seed[:])
	var accept [acceptSize]byte
	base64.StdEncoding.Encode(accept[:], sum[:])
	return accept
}

// validHost reports whether a Host value has only what may stand in a name, an
// address and a port (RFC 3986 sections 3.2.2 and 3.2.3), and is not empty. A
// server has to refuse any other (RFC 9112 section 3.2).
func validHost(value []byte) bool {
	for _, b := range value {
		switch b {
		case ':', '[', ']', '(', ')', ',', ';', '=':
		case '#', '^', '`', '|':
			return false // tokens may have these, hosts not
		default:
			if !isTokenByte(b) {
				return false
			}
		}
	}
	return len(value) > 0
}

// validKey reports whether 24 characters are the base64 of exactly 16 bytes.
func validKey(value []byte) bool {
	var decoded [18]byte
	n, err := base64.StdEncoding.Decode(decoded[:], value)
	return err == nil && n == 16
}

// SameOrigin reports whether an Origin header names the host that the request
// was sent to (RFC 6455 section 10.2). Only the host and port are compared, since a proxy may have
// taken off the TLS. An empty origin passes: it is not a browser's.
func SameOrigin(origin, host []byte) bool {
	if len(origin) == 0 {
		return true
	}
	_, authority, ok := bytes.Cut(origin, []byte("://"))
	return ok && len(host) > 0 && equalFold(authority, host)
}

// OffersSubprotocol reports whether a Sec-WebSocket-Protocol value names the
// subprotocol. Names are compared exactly (RFC 6455 section 1.9).
func OffersSubprotocol(value []byte, subprotocol string) bool {
	for item := range listItems(value) {
		if string(item) == subprotocol {
			return true
		}
	}
	return false
}
