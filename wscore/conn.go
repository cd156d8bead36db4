package wscore

import (
	"errors"
	"io"
)

// Buffers is the memory of a [Conn], supplied by the caller and owned by the
// Conn until it is done with; the three must not overlap. Nothing else is
// allocated once the connection is open.
type Buffers struct {
	// Read is the window that the stream is read into. It holds a whole
	// handshake head and any whole control frame: 256 bytes or more.
	Read []byte
	// Write is where frames are put together: 256 bytes or more. A frame that
	// fits leaves in one Write call.
	Write []byte
	// Message holds a message that does not arrive as one frame inside the
	// window: 1 byte or more. Its length is the longest message in bytes that
	// [Conn.Next] returns, unless Limits.MaxMessage (by default 1 MiB) is lower.
	// [Conn.NextPiece] is for longer ones.
	Message []byte
}

// MinBuffer is the smallest length in bytes of [Buffers].Read and Write.
const MinBuffer = 256

// Options changes how a [Conn] behaves. The zero value is safe.
type Options struct {
	// Limits bounds what the peer may send.
	Limits Limits
	// ManualPong leaves it to the caller to answer pings (RFC 6455 section 5.5.3).
	ManualPong bool
	// ManualClose leaves it to the caller to answer a close frame and to send
	// the close frame that a violation makes due (RFC 6455 sections 5.5.1, 7.1.7).
	ManualClose bool
	// MaskKey returns the masking key of each frame that a client sends; it
	// must be unpredictable (RFC 6455 section 10.3). Default: crypto/rand.
	MaskKey func() uint32
	// Deflate asks for permessage-deflate in the handshake (RFC 7692).
	// Default: no compression.
	Deflate *DeflateConfig
	// Agreed is what a handshake done elsewhere agreed on compression; [NewConn]
	// uses it, [Accept] and [Connect] find it out themselves.
	Agreed DeflateParams
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
	lentAt     int // read[lentAt:start] is the payload that Next took in one go
	write      []byte
	message    []byte
	length     int          // bytes of message in use
	deflate    *connDeflate // nil without compression
	limits     Limits       // of the decoder
	maxMessage int64        // Limits.MaxMessage, where no message is put together
	maxWhole   int          // the longest payload that Next may take in one go
	incoming   incoming     // the message being read in pieces
	outgoing   outgoing     // the message being sent in pieces
	ended      error
}

// NewConn makes a Conn of a stream whose handshake is done. It reads and writes
// nothing yet. The error is a [*ConfigError].
func NewConn(stream io.ReadWriter, role Role, buffers Buffers, options Options) (*Conn, error) {
	c := &Conn{}
	if err := c.init(stream, role, buffers, options); err != nil {
		return nil, err
	}
	if err := c.enableDeflate(options.Agreed, *c.decoder.limits); err != nil {
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
	c.read, c.write, c.message = buffers.Read, buffers.Write, buffers.Message
	limits, err := options.Limits.WithDefaults()
	if err != nil {
		return err
	}
	c.maxMessage = limits.MaxMessage
	limits.MaxMessage = c.longest(false)
	c.maxWhole = int(min(limits.MaxFrame, limits.MaxMessage, maxShortPayload))
	if options.Deflate != nil {
		config, err := options.Deflate.WithDefaults()
		if err != nil {
			return err
		}
		options.Deflate = &config
	}
	c.stream, c.options, c.limits = stream, options, limits
	c.decoder, err = NewDecoder(role, &c.lifecycle, &c.limits)
	c.encoder = NewEncoder(role, &c.lifecycle, options.MaskKey)
	return err
}

// Next returns the next message or control frame. Its payload borrows the
// buffers until the following Next.
//
// Unless the options say otherwise, a ping has been answered when it is
// returned, and so has a close frame. After the peer's close frame, Next returns
// io.EOF. The other errors are a [*ProtocolError] (the close frame that it makes
// due has been sent), [ErrConnectionLost] for a stream that ended without a
// close frame, and the stream's own error; every later call returns the same.
// If the answer to a close frame cannot be written, Next returns both the frame
// and the stream's error.
//
// After NextPiece returned a piece that is not the last of its message, the
// error is [ErrReadingMixed], and the connection goes on.
//
// After a Send that failed, Next still returns what the peer sent before: its
// close frame may say why the stream is gone.
func (c *Conn) Next() (Message, error) {
	if c.ended != nil {
		return Message{}, c.ended
	}
	if c.incoming.open {
		return Message{}, ErrReadingMixed
	}
	for {
		if c.start == c.end {
			if err := c.fill(); err != nil {
				return Message{}, c.finish(err)
			}
		}
		opcode, at, size := c.decoder.DecodeWhole(c.read[c.start:c.end], c.maxWhole)
		if size == 0 || size > len(c.read) {
			break
		}
		if end := c.start + size; end <= c.end {
			c.lentAt, c.start = c.start+at, end
			return received(opcode, c.read[c.lentAt:end:end]), nil
		}
		if err := c.fill(); err != nil {
			return Message{}, c.finish(err)
		}
	}
	message, _, err := c.next(false)
	return message, err
}

// next returns the next message, piece or control frame. final is false for
// any piece of a message but its last.
func (c *Conn) next(inPieces bool) (message Message, final bool, err error) {
	c.setLongest(c.longest(inPieces))
	if c.incoming.full {
		if message, final, ok, err := c.inflatePiece(); ok || err != nil {
			return message, final, err
		}
	}
	for {
		event, used, err := c.decoder.Decode(c.read[c.start:c.end])
		c.start += used
		if err != nil {
			return Message{}, true, c.finish(c.answerViolation(err))
		}
		switch event.Kind {
		case NeedMore:
			if err := c.fill(); err != nil {
				return Message{}, true, c.finish(err)
			}
		case Data:
			if message, final, ok, err := c.takeData(event, inPieces); ok || err != nil {
				return message, final, err
			}
		case Ping:
			if !c.options.ManualPong && c.lifecycle.State().Sending() {
				if err := c.Send(PongMessage(event.Payload)); err != nil {
					return Message{}, true, c.finish(err)
				}
			}
			return Message{Opcode: OpPing, Payload: event.Payload}, true, nil
		case Pong:
			return Message{Opcode: OpPong, Payload: event.Payload}, true, nil
		case Close:
			c.ended = io.EOF
			message := Message{Opcode: OpClose, Payload: event.Payload, Code: event.Code}
			if !c.options.ManualClose && c.lifecycle.State().Sending() {
				if err := c.sendClose(event.Code, ""); err != nil {
					return message, true, err
				}
			}
			return message, true, nil
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

func (c *Conn) takeData(event Event, inPieces bool) (message Message, final, ok bool, err error) {
	switch {
	case inPieces:
		return c.takePiece(event)
	case event.Compressed:
		message, ok, err = c.inflate(event)
	default:
		message, ok, err = c.take(event)
	}
	return message, true, ok, err
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
		c.start, c.lentAt = 0, 0
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

// State returns where the connection stands; it may be called from any
// goroutine.
func (c *Conn) State() State { return c.lifecycle.State() }

// Lifecycle returns the connection's shared state.
func (c *Conn) Lifecycle() *Lifecycle { return &c.lifecycle }

// Stream returns the stream under the connection. Reading from it or writing to
// it takes bytes from the connection; its deadlines are the caller's.
func (c *Conn) Stream() io.ReadWriter { return c.stream }

// Buffered returns how many bytes were read from the stream and not decoded.
func (c *Conn) Buffered() int { return c.end - c.start }

// Detach gives the stream back together with the bytes that were read from it
// and not decoded. They lie in the read buffer, which with the other buffers is
// the caller's again. The Conn is not used again.
func (c *Conn) Detach() (stream io.ReadWriter, unread []byte) {
	c.ended = io.EOF
	return c.stream, c.read[c.start:c.end]
}
