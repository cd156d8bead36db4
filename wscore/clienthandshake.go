package wscore

import "io"

// ClientHandshake is a client's opening handshake apart from the connection
// that follows: for callers that bring their own stream and read and write
// frames otherwise. Write [ClientHandshake.Request] to the stream, read the
// answer with [ReadResponse], and judge it with [ClientHandshake.Verify].
// [Connect] does all of it.
type ClientHandshake struct {
	request   []byte
	check     ResponseCheck
	maxFields int
}

// NewClientHandshake prepares a request with a fresh key. Of the options it uses
// Host, Path, Subprotocols, Headers and Deflate, which must have its defaults.
// The error is a [*HandshakeError] about what cannot be requested.
func NewClientHandshake(options ConnectOptions) (*ClientHandshake, error) {
	return newClientHandshake(nil, options)
}

func newClientHandshake(dst []byte, options ConnectOptions) (*ClientHandshake, error) {
	h := &ClientHandshake{}
	var err error
	if h.maxFields, err = headerFieldLimit(options.MaxHeaderFields); err != nil {
		return nil, err
	}
	var key [keySize]byte
	if h.request, err = appendRequest(dst, options, &key); err != nil {
		return nil, err
	}
	h.check = NewResponseCheck(key, options.Subprotocols)
	h.check.deflate = options.Deflate
	return h, nil
}

// Request returns the request's bytes.
func (h *ClientHandshake) Request() []byte { return h.request }

// Verify judges the answer and returns what was agreed on compression. It is
// called once. The error is that of [ResponseCheck.Verify].
func (h *ClientHandshake) Verify(r *Response) (DeflateParams, error) {
	h.check.Status(r.status)
	for i := range r.Len() {
		h.check.Field(r.At(i))
	}
	return h.check.agreed, h.check.Verify()
}

// ReadResponse reads the head of an HTTP/1 response into the buffer, which with
// [MaxHeadSize] bounds it, and returns it together with the bytes that were read
// behind it. Up to five interim responses before it, such as 103, are passed
// over (RFC 9110 section 15.2). Both borrow the buffer. The error is a [*HandshakeError] about the
// head, or the stream's.
func ReadResponse(stream io.Reader, buffer []byte) (response *Response, rest []byte, err error) {
	parser := headParser{maxFields: MaxHeaderFields}
	size, end, err := parser.readResponse(stream, buffer, 0)
	if err != nil {
		return nil, nil, err
	}
	return &Response{Fields: parser.fields, status: parser.status()}, buffer[size:end], nil
}
