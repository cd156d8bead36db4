package rawpeer

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"sort"
	"strings"
)

// MaxHead bounds the HTTP head this peer reads.
const MaxHead = 1 << 20

// MaxBody bounds how much of a refusal's body is kept.
const MaxBody = 64 << 10

const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// AcceptKey computes the Sec-WebSocket-Accept value due for a key.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// NewHandshakeKey makes a fresh Sec-WebSocket-Key value.
func NewHandshakeKey() string {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // crypto/rand.Read never fails
	return base64.StdEncoding.EncodeToString(nonce[:])
}

// readHead reads up to and including the empty line that ends an HTTP head.
func (p *Peer) readHead() ([]byte, error) {
	if err := p.armRead(p.timeout()); err != nil {
		return nil, err
	}
	var head []byte
	for {
		line, err := p.reader.ReadSlice('\n')
		head = append(head, line...)
		if err != nil && err != bufio.ErrBufferFull {
			if err == io.EOF && len(head) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return head, err
		}
		if len(head) > MaxHead {
			return head, &HandshakeError{Reason: fmt.Sprintf("head longer than %d octets", MaxHead)}
		}
		if err == nil && (string(line) == "\r\n" || string(line) == "\n") && len(head) > len(line) {
			return head, nil
		}
	}
}

// hasToken reports whether a comma-separated header names the token.
func hasToken(h http.Header, name, token string) bool {
	for _, value := range h.Values(name) {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), token) {
				return true
			}
		}
	}
	return false
}

// appendHeader appends the header lines in a stable order.
func appendHeader(dst []byte, h http.Header) []byte {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, value := range h[name] {
			dst = fmt.Appendf(dst, "%s: %s\r\n", name, value)
		}
	}
	return dst
}

func parseRequest(head []byte) (*http.Request, error) {
	return http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
}
