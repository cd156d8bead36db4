package wscore

import (
	"errors"
	"io"
)

// Buffers is the memory of a [Conn], supplied by the caller and owned by the
// Conn until it is done with. Nothing else is allocated once the connection is
// open.
type Buffers struct {
	// Read is the window that the stream is read into. It holds a whole
	// handshake head and any whole control frame: 256 bytes or more.
	Read []byte
	// Write is where frames are put together: 256 bytes or more. A frame that
	// fits leaves in one Write call.
	Write []byte
	// Message holds a message that does not arrive as one frame inside the
	// window. Its length is the longest message that the Conn receives, unless
	// Limits.MaxMessage is lower.
	Message []byte
}

// MinBuffer is the smallest length in bytes of [Buffers].Read and Write.
const MinBuffer = 256

// Options changes how a [Conn] behaves. The zero value is safe.
type Options struct {
	// Limits bounds what the peer may send.
	Limits Limits
	// ManualPong leaves it to the caller to answer pings.
	ManualPong bool
	// ManualClose leaves it to the caller to answer a close frame and to send
	// the close frame that a violation makes due.
	ManualClose bool
	// MaskKey returns the masking key of each frame that a client sends; it
	// must be unpredictable. Default: crypto/rand.
	MaskKey func() uint32
}

// Conn is a synchronous connection over a stream that has shaken hands: a thin
// shell around [Decoder] and [Encoder]. It is lazy: pings and close frames are
// answered only while the caller is inside [Conn.Next]. It is used by one
// goroutine at a time.
type Conn struct {
	stream    io.ReadWriter
	lifecycle Lifecycle
	decoder   Decoder
	encoder   Encoder
	options   Options

	read       []byte
	start, end int // the bytes of read that are not decoded yet
	write      []byte
	message    []byte
	length     int // bytes of message in use
	ended      error
}

// NewConn makes a Conn of a stream whose handshake is done. The error is a
// [*ConfigError].
func NewConn(stream io.ReadWriter, role Role, buffers Buffers, options Options) (*Conn, error) {
	c := &Conn{}
	if err := c.init(stream, role, buffers, options); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Conn) init(stream io.ReadWriter, role Role, buffers Buffers, options Options) error {
	const least = "256 bytes or more"
	switch {
	case len(buffers.Read) < MinBuffer:
		return &ConfigError{Field: "Buffers.Read", Value: len(buffers.Read), Range: least}
	case len(buffers.Write) < MinBuffer:
		return &ConfigError{Field: "Buffers.Write", Value: len(buffers.Write), Range: least}
	case len(buffers.Message) < 1:
		return &ConfigError{Field: "Buffers.Message", Value: len(buffers.Message), Range: "1 byte or more"}
	}
	limits, err := options.Limits.WithDefaults()
	if err != nil {
		return err
	}
	limits.MaxMessage = min(limits.MaxMessage, int64(len(buffers.Message)))
	c.stream, c.options = stream, options
	c.read, c.write, c.message = buffers.Read, buffers.Write, buffers.Message
	c.decoder, err = NewDecoder(role, &c.lifecycle, limits)
	c.encoder = NewEncoder(role, &c.lifecycle, options.MaskKey)
	return err
}

// Next returns the next message or control frame. Its payload borrows the
// buffers until the following Next.
//
// Unless the options say otherwise, a ping has been answered when it is
// returned, and so has a close frame. After a close frame in either direction
// was answered, Next returns io.EOF. The other errors are a [*ProtocolError]
// (the close frame that it makes due has been sent), [ErrConnectionLost] for a
// stream that ended without a close frame, and the stream's own error.
func (c *Conn) Next() (Message, error) {
	if c.ended != nil {
		return Message{}, c.ended
	}
	for {
		event, used, err := c.decoder.Decode(c.read[c.start:c.end])
		c.start += used
		if err != nil {
			return Message{}, c.finish(c.answerViolation(err))
		}
		switch event.Kind {
		case NeedMore:
			if err := c.fill(); err != nil {
				return Message{}, c.finish(err)
			}
		case Data:
			if message, ok, err := c.take(event); ok || err != nil {
				return message, err
			}
		case Ping:
			if !c.options.ManualPong && c.lifecycle.State().Sending() {
				if err := c.Send(PongMessage(event.Payload)); err != nil {
					return Message{}, c.finish(err)
				}
			}
			return Message{Opcode: OpPing, Payload: event.Payload}, nil
		case Pong:
			return Message{Opcode: OpPong, Payload: event.Payload}, nil
		case Close:
			c.ended = io.EOF
			message := Message{Opcode: OpClose, Payload: event.Payload, Code: event.Code}
			if !c.options.ManualClose && c.lifecycle.State().Sending() {
				if err := c.sendClose(event.Code, ""); err != nil {
					return message, err
				}
			}
			return message, nil
		}
	}
}

// finish makes err the answer to every later Next.
func (c *Conn) finish(err error) error {
	c.ended = err
	return err
}

// answerViolation sends the close frame that err makes due.
func (c *Conn) answerViolation(err error) error {
	var violation *ProtocolError
	if !c.options.ManualClose && errors.As(err, &violation) && violation.Code != 0 && c.lifecycle.State().Sending() {
		_ = c.sendClose(violation.Code, violation.Text) // the violation is what the caller must hear of
	}
	return err
}

// take adds a piece to the message. A message that lies in the window as one
// frame is lent from there; any other is put together in the message buffer.
func (c *Conn) take(event Event) (Message, bool, error) {
	if event.First && event.Final {
		return received(event.Opcode, event.Payload), true, nil
	}
	if event.First {
		c.length = 0
	}
	c.length += copy(c.message[c.length:], event.Payload)
	for event.Remaining > 0 && c.start == c.end {
		// The rest of a large frame goes from the stream straight into place.
		room := c.message[c.length:]
		if uint64(len(room)) > event.Remaining {
			room = room[:event.Remaining]
		}
		n, err := c.readSome(room)
		if err != nil {
			return Message{}, false, c.finish(err)
		}
		if event, _, err = c.decoder.Decode(room[:n]); err != nil {
			return Message{}, false, c.finish(c.answerViolation(err))
		}
		c.length += n
	}
	if !event.Final {
		return Message{}, false, nil
	}
	return received(event.Opcode, c.message[:c.length]), true, nil
}

// fill reads more bytes behind those that are not decoded yet.
func (c *Conn) fill() error {
	if c.start > 0 {
		c.end = copy(c.read, c.read[c.start:c.end])
		c.start = 0
	}
	n, err := c.readSome(c.read[c.end:])
	c.end += n
	return err
}

// readSome reads at least one byte and turns the end of the stream into what
// it means for the connection.
func (c *Conn) readSome(p []byte) (int, error) {
	n, err := readProgress(c.stream, p)
	switch err {
	case nil:
	case io.EOF:
		err = c.decoder.End()
	default:
		_, _ = c.lifecycle.Apply(Lost)
	}
	return n, err
}

// readProgress reads at least one byte. A stream that again and again gives
// neither bytes nor an error ends in io.ErrNoProgress.
func readProgress(stream io.Reader, p []byte) (int, error) {
	for range 100 {
		if n, err := stream.Read(p); n > 0 || err != nil {
			if n > 0 {
				err = nil // it comes again with the next read
			}
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

// Send sends a message, a ping, a pong or a close frame. The payload may be
// one that [Conn.Next] lent; it is not changed. What the protocol forbids is
// refused with a local [*ProtocolError] and nothing is sent.
func (c *Conn) Send(m Message) error {
	switch m.Opcode {
	case OpText, OpBinary:
		if err := checkText(m); err != nil {
			return err
		}
		return c.sendFrame(m.Opcode, true, m.Payload)
	case OpPing, OpPong:
		frame, err := c.encoder.AppendControl(c.write[:0], m.Opcode, m.Payload)
		if err != nil {
			return err
		}
		return c.flush(frame)
	case OpClose:
		return c.sendClose(m.Code, string(m.Payload))
	}
	return ErrNotDataOpcode
}

// SendFragmented sends a text or binary message in frames of at most size
// bytes (RFC 6455 section 5.4).
func (c *Conn) SendFragmented(m Message, size int) error {
	switch {
	case !m.IsData():
		return ErrNotDataOpcode
	case size < 1:
		return ErrFragmentSize
	}
	if err := checkText(m); err != nil {
		return err
	}
	opcode, rest := m.Opcode, m.Payload
	for len(rest) > size {
		if err := c.sendFrame(opcode, false, rest[:size]); err != nil {
			return err
		}
		opcode, rest = OpContinuation, rest[size:]
	}
	return c.sendFrame(opcode, true, rest)
}

// Close sends the close frame, if none was sent yet. It does not wait for the
// peer's: call [Conn.Next] until it returns an error for that. The stream
// stays open.
func (c *Conn) Close(code CloseCode, reason string) error { return c.sendClose(code, reason) }

func (c *Conn) sendClose(code CloseCode, reason string) error {
	frame, err := c.encoder.AppendClose(c.write[:0], code, reason)
	if err != nil {
		return err
	}
	return c.flush(frame)
}

func checkText(m Message) error {
	if m.Opcode == OpText && !m.isUTF8() {
		return ErrTextNotUTF8
	}
	return nil
}

// sendFrame sends one data frame. One that fits the write buffer leaves in one
// Write; a server's larger payload leaves by reference, a client's is masked
// through the write buffer, a bufferful at a time.
func (c *Conn) sendFrame(opcode Opcode, fin bool, payload []byte) error {
	header, err := c.encoder.DataHeader(opcode, fin, len(payload))
	if err != nil {
		return err
	}
	used := header.Put(c.write)
	if !header.Masked && used+len(payload) > len(c.write) {
		if err := c.flush(c.write[:used]); err != nil {
			return err
		}
		return c.flush(payload)
	}
	for key := header.Key; ; {
		n := copy(c.write[used:], payload)
		if header.Masked {
			key = Mask(c.write[used:used+n], key)
		}
		if err := c.flush(c.write[:used+n]); err != nil {
			return err
		}
		if payload = payload[n:]; len(payload) == 0 {
			return nil
		}
		used = 0
	}
}

func (c *Conn) flush(p []byte) error {
	if _, err := c.stream.Write(p); err != nil {
		_, _ = c.lifecycle.Apply(Lost)
		return err
	}
	return nil
}

// State returns where the connection stands.
func (c *Conn) State() State { return c.lifecycle.State() }

// Lifecycle returns the connection's shared state.
func (c *Conn) Lifecycle() *Lifecycle { return &c.lifecycle }

// Stream returns the stream under the connection.
func (c *Conn) Stream() io.ReadWriter { return c.stream }

// Buffered returns how many bytes were read from the stream and not decoded.
func (c *Conn) Buffered() int { return c.end - c.start }

// Detach gives the stream back together with the bytes that were read from it
// and not decoded. They lie in the read buffer. The Conn is not used again.
func (c *Conn) Detach() (stream io.ReadWriter, unread []byte) {
	c.ended = io.EOF
	return c.stream, c.read[c.start:c.end]
}
