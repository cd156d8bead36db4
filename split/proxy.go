package split

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

// ProxyMode says what an [Acceptor] does about the PROXY protocol, with which a
// load balancer tells whose connection it passes on. Versions 1 and 2 are
// known. A header is believed only from a trusted address; from any other it
// ends the connection.
type ProxyMode uint8

// The modes.
const (
	// ProxyOff: no header is looked for.
	ProxyOff ProxyMode = iota
	// ProxyOptional: a connection may begin with a header.
	ProxyOptional
	// ProxyRequired: every connection must begin with a header, and so come from
	// a trusted address.
	ProxyRequired
)

// ProxyHeaderError is a PROXY header that is not accepted, or not there. The
// connection is closed without an answer.
type ProxyHeaderError struct {
	Reason string // a short name for metrics, such as "proxy_untrusted"
	Text   string
	Err    error // what is wrong with a malformed one
}

// Error says what is wrong.
func (e *ProxyHeaderError) Error() string {
	if e.Err != nil {
		return "websocket: PROXY header: " + e.Text + ": " + e.Err.Error()
	}
	return "websocket: PROXY header: " + e.Text
}

// Unwrap returns what is wrong with a malformed header.
func (e *ProxyHeaderError) Unwrap() error { return e.Err }

// Is makes errors.Is compare the reason.
func (e *ProxyHeaderError) Is(target error) bool {
	other, ok := target.(*ProxyHeaderError)
	return ok && other.Reason == e.Reason
}

// What can be wrong with a PROXY header.
var (
	ErrProxyUntrusted = &ProxyHeaderError{Reason: "proxy_untrusted", Text: "it came from an address that is not trusted"}
	ErrProxyMissing   = &ProxyHeaderError{Reason: "proxy_missing", Text: "it is required and not there"}
	ErrProxyTooLong   = &ProxyHeaderError{Reason: "proxy_too_long", Text: "it is too long"}
	ErrProxyMalformed = &ProxyHeaderError{Reason: "proxy_malformed", Text: "malformed"}
)

// MaxProxyHeader is the longest PROXY header of version 2 in bytes; one of
// version 1 has 107 at most. Over it: the connection is closed.
const MaxProxyHeader = 2 << 10

const (
	proxyVersion1    = "PROXY "
	proxyVersion2    = "\r\n\r\n\x00\r\nQUIT\n"
	maxProxyVersion1 = 107
	proxyFixed       = len(proxyVersion2) + 4 // version, family and length follow
)

// proxyHeader returns the length of the PROXY header that the bytes begin with.
// whole is false while that cannot be said yet; 0 with whole means that there
// is none.
func proxyHeader(p []byte) (length int, whole bool, err error) {
	switch {
	case begins(p, proxyVersion1):
		if len(p) < len(proxyVersion1) {
			return 0, false, nil
		}
		end := bytes.IndexByte(p[:min(len(p), maxProxyVersion1)], '\n')
		if end < 0 && len(p) >= maxProxyVersion1 {
			return 0, false, ErrProxyTooLong
		}
		return end + 1, end >= 0, nil
	case begins(p, proxyVersion2):
		if len(p) < proxyFixed {
			return 0, false, nil
		}
		length := proxyFixed + int(binary.BigEndian.Uint16(p[proxyFixed-2:]))
		if length > MaxProxyHeader {
			return 0, false, ErrProxyTooLong
		}
		return length, len(p) >= length, nil
	}
	return 0, true, nil
}

// begins reports whether the two agree as far as both go.
func begins(p []byte, prefix string) bool {
	n := min(len(p), len(prefix))
	return string(p[:n]) == prefix[:n]
}

// parseProxyHeader reads a whole header. The address is the zero value if the
// proxy speaks for itself, or for a client without an IP address.
func parseProxyHeader(p []byte) (netip.AddrPort, error) {
	reader := bufio.NewReaderSize(bytes.NewReader(p), max(16, len(p)))
	header, err := proxyproto.Read(reader)
	switch {
	case err != nil:
		return netip.AddrPort{}, malformed(err)
	case reader.Buffered() > 0:
		return netip.AddrPort{}, malformed(nil) // it ends before its length
	case header.Command.IsLocal():
		return netip.AddrPort{}, nil
	}
	switch source := header.SourceAddr.(type) {
	case *net.TCPAddr:
		return addrPort(source), nil
	case *net.UnixAddr:
		return netip.AddrPort{}, nil
	}
	return netip.AddrPort{}, malformed(nil) // nobody speaks WebSocket over datagrams
}

func malformed(err error) error {
	return &ProxyHeaderError{Reason: ErrProxyMalformed.Reason, Text: ErrProxyMalformed.Text, Err: err}
}

// readProxyHeader deals with the header, and reports whether it is whole or
// not there.
func (h *Handshake) readProxyHeader() (whole bool, err error) {
	mode := h.acceptor.config.Proxy
	if mode == ProxyOff {
		return true, nil
	}
	trusted := h.acceptor.config.trusted.Contain(h.peer.Addr())
	if mode == ProxyRequired && !trusted {
		return false, ErrProxyUntrusted
	}
	length, whole, err := proxyHeader(h.buffer)
	switch {
	case err != nil || !whole:
		return false, err
	case length == 0 && mode == ProxyRequired:
		return false, ErrProxyMissing
	case length == 0:
		return true, nil
	case !trusted:
		return false, ErrProxyUntrusted
	}
	source, err := parseProxyHeader(h.buffer[:length])
	if err != nil {
		return false, err
	}
	if source.IsValid() {
		h.source, h.remote = source, source
	}
	h.start = length
	return true, nil
}
