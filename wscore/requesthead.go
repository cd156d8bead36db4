package wscore

// RequestHead reads and judges a client's opening handshake for who owns the
// stream: give it all that has arrived each time that more has. It allocates
// nothing and may be used again after [RequestHead.Reset].
type RequestHead struct {
	parser  headParser
	request Request
	check   RequestCheck
}

// Reset makes the head ready for a request with at most that many header
// fields; 0 means [MaxHeaderFields], which is also the highest value. It borrows
// nothing any more. The error is a [*ConfigError].
func (h *RequestHead) Reset(maxFields int) error {
	maxFields, err := headerFieldLimit(maxFields)
	if err != nil {
		return err
	}
	h.parser.reset(maxFields)
	h.request.raw, h.request.count = nil, 0
	h.request.method, h.request.target, h.request.version = nil, nil, nil
	h.check = RequestCheck{}
	return nil
}

// Parse takes everything that has arrived of the request, of which it looks
// only at what is new. Once the head is whole it returns its length, and what
// follows it is the client's first frames; before that it returns 0. The error
// is a [*HandshakeError]: the head is malformed, over a limit ([MaxHeadSize],
// the number of fields), or not a correct opening handshake (RFC 6455 section
// 4.2.1). The bytes may lie elsewhere each time; the last ones are borrowed by
// [RequestHead.Request].
func (h *RequestHead) Parse(raw []byte) (size int, err error) {
	size, err = h.parser.parse(raw)
	if err != nil || size == 0 {
		return 0, err
	}
	return size, h.request.judge(&h.parser, &h.check)
}

// Request returns the request, once Parse has returned its length.
func (h *RequestHead) Request() *Request { return &h.request }

// Accept returns the Sec-WebSocket-Accept value that answers the request, for
// [AppendSwitch].
func (h *RequestHead) Accept() [acceptSize]byte { return h.check.Accept() }

// judge takes a whole head and returns what is wrong with it as a handshake.
func (r *Request) judge(parser *headParser, check *RequestCheck) error {
	r.Fields.take(&parser.fields)
	r.method, r.target, r.version = parser.startLine()
	major, minor := httpVersion(r.version)
	check.Line(string(r.method), major, minor)
	for i := range r.Len() {
		check.Field(r.At(i))
	}
	if err := check.Verify(); err != nil {
		return err
	}
	if len(r.target) == 0 || r.target[0] != '/' || !visible(r.target) {
		return ErrTargetForm
	}
	return nil
}

// take copies a view, of its spans only those in use.
func (f *Fields) take(from *Fields) {
	f.raw, f.count = from.raw, from.count
	copy(f.spans[:from.count], from.spans[:from.count])
}

// reset makes the parser ready for another head.
func (p *headParser) reset(maxFields int) {
	p.fields.raw, p.fields.count = nil, 0
	p.maxFields, p.position, p.state, p.lineEnd = maxFields, 0, inStartLine, 0
}
