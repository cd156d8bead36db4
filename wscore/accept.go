package wscore

import (
	"errors"
	"io"
	"strconv"
)

// HeaderField is one header field that the application adds to a handshake;
// [CheckHeaders] says which may be added.
type HeaderField struct{ Name, Value string }

// Request is a client's opening handshake as a view of the read buffer; see
// [Fields] for how long it is valid.
type Request struct {
	Fields
	method, target, version []byte
}

// Method returns the request's method, which is GET for every request that a
// hook sees.
func (r *Request) Method() []byte { return r.method }

// Target returns the request target: path and query, beginning with a slash,
// visible ASCII only.
func (r *Request) Target() []byte { return r.target }

// Answer is what a server adds to its response; an [AcceptOptions.OnRequest]
// hook fills it in.
type Answer struct {
	Subprotocol string        // one that the client offered, or empty for none (RFC 6455 section 4.2.2)
	Headers     []HeaderField // further header fields, as CheckHeaders allows
	Deflate     DeflateParams // what is agreed on compression; [Accept] fills it in itself
}

// AcceptOptions are the settings of a server's handshake. The zero value
// accepts every correct request from the same origin.
type AcceptOptions struct {
	Options
	// MaxHeaderFields is the most header fields that a request may have.
	// Default and highest value: [MaxHeaderFields]. Over it: status 431.
	MaxHeaderFields int
	// CheckOrigin reports whether the request's origin may connect; a refusal
	// is answered with 403 (RFC 6455 section 10.2). Default: [SameOrigin] of the
	// Origin and Host fields.
	CheckOrigin func(*Request) bool
	// OnRequest sees the request once it is known to be correct; the request is
	// valid until it returns. It may fill in the answer, or refuse with an error:
	// one made by [Reject] sets the HTTP status and the text, any other is
	// answered with 403 and its text is not shown to the client.
	OnRequest func(*Request, *Answer) error
}

// Accept performs a server's handshake on a stream and returns the open
// connection. A request that is refused is answered over the stream with the
// HTTP status that says why, and the error is a [*HandshakeError], the hook's
// own error, or the stream's. Bytes that the client sent behind its request are
// kept for [Conn.Next]. A head that does not fit Buffers.Read or [MaxHeadSize]
// is refused with 431. The caller bounds the wait with the stream's deadline and
// closes the stream after an error (RFC 6455 section 4.2).
func Accept(stream io.ReadWriter, buffers Buffers, options AcceptOptions) (*Conn, error) {
	c := &Conn{}
	if err := c.init(stream, Server, buffers, options.Options); err != nil {
		return nil, err
	}
	maxFields, err := headerFieldLimit(options.MaxHeaderFields)
	if err != nil {
		return nil, err
	}
	if err := c.accept(options, maxFields); err != nil {
		var refusal *HandshakeError
		if !errors.As(err, &refusal) {
			return nil, err
		}
		if refusal.Status != 0 {
			if err := c.flush(AppendRefusal(c.write[:0], refusal)); err != nil {
				return nil, err
			}
		}
		return nil, err
	}
	return c, nil
}

func (c *Conn) accept(options AcceptOptions, maxFields int) error {
	parser, size, err := c.readHead(maxFields)
	if err != nil {
		return err
	}
	var request Request
	var check RequestCheck
	if err := request.judge(parser, &check); err != nil {
		return err
	}
	if !originAllowed(&request, options.CheckOrigin) {
		return ErrOrigin
	}
	var answer Answer
	if options.OnRequest != nil {
		if err := options.OnRequest(&request, &answer); err != nil {
			return asRefusal(err)
		}
	}
	if err := checkAnswer(&request, answer); err != nil {
		return err
	}
	answer.Deflate = acceptDeflate(&request, c.options.Deflate)
	if err := c.enableDeflate(answer.Deflate, *c.decoder.limits); err != nil {
		return err
	}
	c.start = size
	return c.flush(AppendSwitch(c.write[:0], check.Accept(), answer))
}

// acceptDeflate answers the request's offers, if compression is wanted.
func acceptDeflate(request *Request, config *DeflateConfig) DeflateParams {
	if config == nil {
		return DeflateParams{}
	}
	for value := range request.Values("Sec-WebSocket-Extensions") {
		if params := AcceptDeflate(value, *config); params.Agreed {
			return params
		}
	}
	return DeflateParams{}
}

func originAllowed(request *Request, check func(*Request) bool) bool {
	if check != nil {
		return check(request)
	}
	return SameOrigin(request.Get("Origin"), request.Get("Host"))
}

// asRefusal keeps a refusal that names its status and gives any other error
// 403; a hook may well return what it heard from another server.
func asRefusal(err error) error {
	var refusal *HandshakeError
	if errors.As(err, &refusal) && refuses(refusal.Status) {
		return err
	}
	return errors.Join(Reject(403, "refused by the application"), err)
}

func checkAnswer(request *Request, answer Answer) error {
	if answer.Subprotocol != "" {
		offered := false
		for value := range request.Values("Sec-WebSocket-Protocol") {
			offered = offered || OffersSubprotocol(value, answer.Subprotocol)
		}
		if !offered {
			return ErrSubprotocol
		}
	}
	return CheckHeaders(answer.Headers)
}

// headerFieldLimit puts the default in the place of 0.
func headerFieldLimit(maxFields int) (int, error) {
	if maxFields == 0 {
		return MaxHeaderFields, nil
	}
	if maxFields < 1 || maxFields > MaxHeaderFields {
		return 0, &ConfigError{Field: "MaxHeaderFields", Value: maxFields, Range: "1 to " + strconv.Itoa(MaxHeaderFields) + " (0 for the default)"}
	}
	return maxFields, nil
}

// readHead reads a handshake head into the read buffer and parses it as it
// arrives.
func (c *Conn) readHead(maxFields int) (parser *headParser, size int, err error) {
	parser = &headParser{maxFields: maxFields}
	size, c.end, err = parser.read(c.stream, c.read, c.end)
	return parser, size, err
}

// read reads a head into the buffer, which holds end bytes of it already. It
// returns the head's length and how many bytes the buffer holds then.
func (p *headParser) read(stream io.Reader, buffer []byte, end int) (size, held int, err error) {
	for {
		size, err := p.parse(buffer[:end])
		if err != nil || size > 0 {
			return size, end, err
		}
		if end == len(buffer) {
			return 0, end, ErrHeadTooLarge
		}
		n, err := readProgress(stream, buffer[end:])
		end += n
		if err == io.EOF {
			err = ErrHandshakeEnded
		}
		if err != nil {
			return 0, end, err
		}
	}
}

// httpVersion reads "HTTP/1.1"; anything else that does not look like it is 0, 0.
func httpVersion(version []byte) (major, minor int) {
	if len(version) != 8 || string(version[:5]) != "HTTP/" || version[6] != '.' {
		return 0, 0
	}
	if version[5] < '0' || version[5] > '9' || version[7] < '0' || version[7] > '9' {
		return 0, 0
	}
	return int(version[5] - '0'), int(version[7] - '0')
}

// AppendSwitch appends the 101 response to dst (RFC 6455 section 4.2.2); accept
// is what [RequestCheck.Accept] returned. The answer must have been checked:
// [CheckHeaders], and a subprotocol that the client offered.
func AppendSwitch(dst []byte, accept [acceptSize]byte, answer Answer) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = append(append(dst, accept[:]...), '\r', '\n')
	if answer.Subprotocol != "" {
		dst = appendField(dst, "Sec-WebSocket-Protocol", answer.Subprotocol)
	}
	if answer.Deflate.Agreed {
		dst = append(answer.Deflate.appendAnswer(append(dst, "Sec-WebSocket-Extensions: "...)), '\r', '\n')
	}
	for _, header := range answer.Headers {
		dst = appendField(dst, header.Name, header.Value)
	}
	return append(dst, '\r', '\n')
}

// AppendRefusal appends the HTTP response that says why a handshake was
// refused: status, which must be an HTTP error status, the fields that the
// status asks for, and the error's text as the body.
func AppendRefusal(dst []byte, refusal *HandshakeError) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(refusal.Status), 10)
	dst = append(append(dst, ' '), statusText(refusal.Status)...)
	dst = append(dst, "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"...)
	for _, field := range RefusalHeaders(refusal.Status) {
		dst = appendField(dst, field.Name, field.Value)
	}
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(refusal.Text)+1), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(append(dst, refusal.Text...), '\n')
}

// RefusalHeaders returns the header fields that a refusal with that status
// has: what is allowed instead (RFC 9110 sections 7.8, 15.5.6 and 15.5.22,
// RFC 6455 section 4.4), and for 503 when to come back, in a second (RFC 9110
// section 15.6.4).
func RefusalHeaders(status int) []HeaderField {
	switch status {
	case 405:
		return []HeaderField{{"Allow", "GET"}}
	case 503:
		return []HeaderField{{"Retry-After", "1"}}
	case 426:
		return []HeaderField{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}}
	}
	return nil
}

func appendField(dst []byte, name, value string) []byte {
	dst = append(append(dst, name...), ": "...)
	return append(append(dst, value...), '\r', '\n')
}

// statusText names the statuses that the handshake itself answers with; the
// reason phrase means nothing to a client (RFC 9112 section 4).
func statusText(status int) string {
	switch status {
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 408:
		return "Request Timeout"
	case 426:
		return "Upgrade Required"
	case 429:
		return "Too Many Requests"
	case 431:
		return "Request Header Fields Too Large"
	case 500:
		return "Internal Server Error"
	case 503:
		return "Service Unavailable"
	}
	return "Refused"
}

// CheckHeaders refuses header fields that would break the head or the
// handshake: a name that is not a token, a value with control characters (CR
// and LF above all), and the fields that the handshake writes itself (RFC 9110
// sections 5.1 and 5.5). The error is [ErrHeaderField].
func CheckHeaders(headers []HeaderField) error {
	for _, header := range headers {
		if !validField(header.Name, header.Value) {
			return ErrHeaderField
		}
	}
	return nil
}

func validField(name, value string) bool {
	if !isToken(name) || reservedField(name) {
		return false
	}
	for i := range len(value) {
		if b := value[i]; b < 0x20 && b != '\t' || b == 0x7F {
			return false
		}
	}
	return true
}

func reservedField(name string) bool {
	for _, reserved := range [...]string{
		"Host", "Upgrade", "Connection", "Content-Length", "Transfer-Encoding",
		"Sec-WebSocket-Key", "Sec-WebSocket-Accept", "Sec-WebSocket-Version",
		"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions",
	} {
		if equalFold([]byte(name), reserved) {
			return true
		}
	}
	return false
}
