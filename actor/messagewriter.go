package actor

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// MessageWriter collects a message to be sent, for encoders and templates that
// write to an io.Writer. It belongs to one goroutine and must be closed, or
// given up with Discard; it holds a pooled buffer from its first Write on.
//
// The message is one buffer, as all messages of this package are, and leaves as
// one frame. Messages that are larger than memory should be are streamed with
// [wscore.Conn.Writer] over a connection without actors, or sent in pieces that
// are messages of their own.
type MessageWriter struct {
	conn   *Conn
	opcode wscore.Opcode
	buffer *Buffer
	err    error // of every later call
}

// SizeError is a message that became longer than may wait to be sent.
type SizeError struct {
	Size  int // what it would have come to, in bytes
	Limit int // MailboxConfig.MaxBytes
}

// Error names the size and the limit.
func (e *SizeError) Error() string {
	return fmt.Sprintf("websocket: message of %d bytes is over Mailbox.MaxBytes, %d", e.Size, e.Limit)
}

var errWriterDone = errors.New("websocket: the message was sent or discarded")

// Writer returns a writer of one message of that type, [wscore.OpText] or
// [wscore.OpBinary]; its Close sends it. It may grow to Mailbox.MaxBytes bytes
// (default 1 MiB).
func (c *Conn) Writer(opcode wscore.Opcode) *MessageWriter {
	return &MessageWriter{conn: c, opcode: opcode}
}

// Write adds to the message. Over its limit the error is a [*SizeError], and the
// message is lost.
func (w *MessageWriter) Write(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	used := 0
	if w.buffer != nil {
		used = w.buffer.Len()
	}
	if err := w.reserve(used + len(p)); err != nil {
		w.give(err)
		return 0, err
	}
	payload, _ := w.buffer.Resize(used + len(p)) // reserved
	return copy(payload[used:], p), nil
}

// reserve sees to it that the buffer has room for a message of that size.
func (w *MessageWriter) reserve(size int) error {
	limit := w.conn.host.halves.Mailbox.MaxBytes
	if size > limit {
		return &SizeError{Size: size, Limit: limit}
	}
	if w.buffer != nil && size <= w.buffer.Cap()-split.Headroom {
		return nil
	}
	room := size
	if w.buffer != nil {
		room = min(limit, max(size, 2*w.buffer.Len()))
	}
	larger := w.conn.host.pool().Get(room)
	if w.buffer != nil {
		payload, _ := larger.Resize(w.buffer.Len()) // smaller than the room
		copy(payload, w.buffer.Payload())
		w.buffer.Release()
	}
	w.buffer = larger
	return nil
}

// Close sends the message, which may be empty; see [Conn.Send]. Text that is not
// UTF-8 is a local [*wscore.ProtocolError], and nothing is sent.
func (w *MessageWriter) Close() error {
	if w.err != nil {
		return w.err
	}
	if err := w.reserve(0); err != nil {
		return err
	}
	if w.opcode == wscore.OpText && !utf8.Valid(w.buffer.Payload()) {
		w.give(wscore.ErrTextNotUTF8)
		return w.err
	}
	b := w.buffer
	w.buffer, w.err = nil, errWriterDone
	b.SetOpcode(w.opcode)
	return w.conn.Send(b)
}

// Discard gives the message up, unless it was sent: it may be deferred.
func (w *MessageWriter) Discard() { w.give(errWriterDone) }

func (w *MessageWriter) give(err error) {
	if w.buffer != nil {
		w.buffer.Release()
		w.buffer = nil
	}
	if w.err == nil {
		w.err = err
	}
}
