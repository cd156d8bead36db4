package wscore

import (
	"crypto/rand"
	"encoding/base64"
	"io"
	"slices"
	"strings"
)

// Response is a server's answer to the opening handshake as a view of the read
// buffer; see [Fields] for how long it is valid.
type Response struct {
	Fields
	status int
}

// Status returns the HTTP status code, 0 if the response had none: 101 for
// every response that [ConnectOptions].OnResponse sees.
func (r *Response) Status() int { return r.status }

// Subprotocol returns the subprotocol that the server chose, "" for none.
func (r *Response) Subprotocol() string { return string(r.Get("Sec-WebSocket-Protocol")) }

// ConnectOptions are the settings of a client's handshake.
type ConnectOptions struct {
	Options
	// Host is the value of the Host field: the server's name, with the port
	// unless it is the scheme's default. Required.
	Host string
	// Path is the request target: path and query, beginning with a slash, in
	// visible ASCII without "#" (RFC 6455 section 3). Default: "/".
	Path string
	// Subprotocols are offered in this order of preference: different tokens
	// (RFC 6455 section 4.1).
	Subprotocols []string
	// Headers are further header fields, such as Origin; see [CheckHeaders].
	Headers []HeaderField
	// MaxHeaderFields is the most header fields that the response may have.
	// Default and highest value: [MaxHeaderFields].
	MaxHeaderFields int
	// OnResponse sees the response once it is known to be correct, before the
	// first message; the response is valid until it returns. Its error ends the
	// handshake and is returned as it is.
	OnResponse func(*Response) error
}

// Connect performs a client's handshake on a stream and returns the open
// connection and the subprotocol that the server chose. A server that answers
// with another status than 101 gives a [*HandshakeError] that matches
// [ErrNotUpgraded] and carries the status; redirects are not followed. Bytes
// that the server sent behind its response are kept for [Conn.Next]. The caller
// bounds the wait with the stream's deadline and closes the stream after an
// error (RFC 6455 section 4.1).
func Connect(stream io.ReadWriter, buffers Buffers, options ConnectOptions) (*Conn, string, error) {
	c := &Conn{}
	if err := c.init(stream, Client, buffers, options.Options); err != nil {
		return nil, "", err
	}
	options.Options = c.options
	handshake, err := newClientHandshake(c.write[:0], options)
	if err != nil {
		return nil, "", err
	}
	if err := c.flush(handshake.request); err != nil {
		return nil, "", err
	}
	parser := &headParser{maxFields: handshake.maxFields}
	size, end, err := parser.readResponse(c.stream, c.read, 0)
	if err != nil {
		return nil, "", err
	}
	c.end = end
	response := Response{Fields: parser.fields, status: parser.status()}
	agreed, err := handshake.Verify(&response)
	if err != nil {
		return nil, "", err
	}
	if options.OnResponse != nil {
		if err := options.OnResponse(&response); err != nil {
			return nil, "", err
		}
	}
	if err := c.enableDeflate(agreed, *c.decoder.limits); err != nil {
		return nil, "", err
	}
	c.start = size
	return c, response.Subprotocol(), nil
}

// maxInterim is how many interim responses may come before the one that counts
// (RFC 9110 section 15.2). Over it, one of them is taken for that.
const maxInterim = 5

// readResponse reads the head of a response into the buffer as read does, and
// passes over interim responses; a 101 is none.
func (p *headParser) readResponse(stream io.Reader, buffer []byte, end int) (size, held int, err error) {
	for interim := 0; ; interim++ {
		size, held, err = p.read(stream, buffer, end)
		if err != nil || p.status()/100 != 1 || p.status() == 101 || interim == maxInterim {
			return size, held, err
		}
		end = copy(buffer, buffer[size:held])
		p.reset(p.maxFields)
	}
}

// status reads the status code of a response's first line. It is 0 if the line
// is not an HTTP/1 status line, and for a 101 before HTTP/1.1, which could not
// switch protocols.
func (p *headParser) status() (status int) {
	version, code, _ := p.startLine()
	major, minor := httpVersion(version)
	if major != 1 || len(code) != 3 {
		return 0
	}
	for _, digit := range code {
		if digit < '0' || digit > '9' {
			return 0
		}
		status = status*10 + int(digit-'0')
	}
	if status == 101 && minor < 1 {
		return 0
	}
	return status
}

// appendRequest appends the client's handshake with a fresh random key.
func appendRequest(dst []byte, options ConnectOptions, key *[keySize]byte) ([]byte, error) {
	path := options.Path
	if path == "" {
		path = "/"
	}
	if options.Host == "" || !visible(options.Host) || path[0] != '/' || !visible(path) || strings.Contains(path, "#") {
		return nil, ErrTarget
	}
	for i, subprotocol := range options.Subprotocols {
		if !isToken(subprotocol) || slices.Contains(options.Subprotocols[:i], subprotocol) {
			return nil, ErrSubprotocol
		}
	}
	if err := CheckHeaders(options.Headers); err != nil {
		return nil, err
	}
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	base64.StdEncoding.Encode(key[:], random[:])

	dst = append(append(append(dst, "GET "...), path...), " HTTP/1.1\r\nHost: "...)
	dst = append(append(dst, options.Host...), "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "...)
	dst = append(append(dst, key[:]...), '\r', '\n')
	for i, subprotocol := range options.Subprotocols {
		if i == 0 {
			dst = append(dst, "Sec-WebSocket-Protocol: "...)
		} else {
			dst = append(dst, ", "...)
		}
		dst = append(dst, subprotocol...)
	}
	if len(options.Subprotocols) > 0 {
		dst = append(dst, '\r', '\n')
	}
	if options.Deflate != nil {
		dst = append(options.Deflate.appendOffer(append(dst, "Sec-WebSocket-Extensions: "...)), '\r', '\n')
	}
	for _, header := range options.Headers {
		dst = appendField(dst, header.Name, header.Value)
	}
	return append(dst, '\r', '\n'), nil
}

// visible reports whether s has only visible ASCII characters.
func visible[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] <= 0x20 || s[i] >= 0x7F {
			return false
		}
	}
	return true
}
