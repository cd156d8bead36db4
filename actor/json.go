package actor

import (
	"encoding/json"
	"sync"
	"unicode/utf8"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// JSONError is a value that has no JSON form, or a message that is not the JSON
// of the value asked for. Nothing was sent, and the connection goes on: what a
// peer's wrong message deserves is the session's to decide, often a close with
// 1007 or an answer that says so.
type JSONError struct {
	Operation string // "encode" or "decode"
	Err       error  // of encoding/json, such as a *json.SyntaxError
}

// Error names the operation and what went wrong.
func (e *JSONError) Error() string { return "websocket: JSON " + e.Operation + ": " + e.Err.Error() }

// Unwrap returns the error of encoding/json.
func (e *JSONError) Unwrap() error { return e.Err }

// JSON decodes the message, text or binary, into the value that v points to.
// Nothing in it borrows the message. The error is a [*JSONError].
func (m *Message) JSON(v any) error {
	if err := json.Unmarshal(m.Bytes(), v); err != nil {
		return &JSONError{Operation: "decode", Err: err}
	}
	return nil
}

// SendJSON queues the JSON form of v as a text message; see [Conn.Send]. The
// error is also a [*JSONError], or a local [*wscore.ProtocolError] for JSON
// that a method of v made and that is not UTF-8.
func (c *Conn) SendJSON(v any) error {
	b, err := c.JSON(v)
	if err != nil {
		return err
	}
	return c.Send(b)
}

// JSON returns a buffer with the JSON form of v as a text message; the caller
// owns it. The error is as of [Conn.SendJSON].
func (c *Conn) JSON(v any) (*Buffer, error) { return encodeJSON(c.host.pool(), v) }

// JSON returns a buffer with the JSON form of v as a text message, for
// [Topic.Publish]; the caller owns it. The error is as of [Conn.SendJSON].
func (s *Server) JSON(v any) (*Buffer, error) { return encodeJSON(s.host.pool(), v) }

// jsonEncoder encodes into a buffer of a pool. encoding/json builds the whole
// value in memory of its own and writes it once, so that this is one copy and,
// with the encoder lent, no allocation here.
type jsonEncoder struct {
	encoder *json.Encoder
	pool    *split.Pool
	buffer  *Buffer
}

var jsonEncoders = sync.Pool{New: func() any {
	e := &jsonEncoder{}
	e.encoder = json.NewEncoder(e)
	return e
}}

func encodeJSON(pool *split.Pool, v any) (*Buffer, error) {
	e := jsonEncoders.Get().(*jsonEncoder)
	e.pool = pool
	err := e.encoder.Encode(v)
	b := e.buffer
	e.pool, e.buffer = nil, nil
	jsonEncoders.Put(e)
	switch {
	case err != nil:
		return nil, &JSONError{Operation: "encode", Err: err}
	case !utf8.Valid(b.Payload()):
		b.Release()
		return nil, wscore.ErrTextNotUTF8
	}
	return b, nil
}

// Write takes the value and the newline that the encoder adds. It never fails,
// because the encoder could not be used again.
func (e *jsonEncoder) Write(p []byte) (int, error) {
	e.buffer = e.pool.Get(len(p) - 1)
	e.buffer.SetOpcode(wscore.OpText)
	room, _ := e.buffer.Resize(len(p) - 1) // has that much
	copy(room, p)
	return len(p), nil
}
