package split

import (
	"encoding/binary"
	"errors"
	"io"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// The read window: its first size, and the one that full reads let it grow to.
// Both are payload capacities of buffer classes.
const (
	smallWindow = 4 << 10
	largeWindow = 64 << 10
)

// trust bounds what a declared length may reserve: this many bytes at once,
// and beyond that a multiple of what has arrived.
const (
	trustBytes  = 64 << 10
	trustFactor = 16
)

// EventKind says what a [Reader] found.
type EventKind uint8

// The kinds of event.
const (
	// NeedMore: everything that was read is dealt with.
	NeedMore EventKind = iota
	// Message: a whole text or binary message; the receiver owns Buffer.
	Message
	// Ping: a ping; its pong is queued unless the config says otherwise.
	Ping
	// Pong: a pong; RoundTrip is set if it answers the newest ping.
	Pong
	// Close: the peer's close frame.
	Close
)

// Event is what a [Reader] found.
type Event struct {
	Kind      EventKind        // which of the fields below count
	Buffer    *Buffer          // of a Message
	Payload   []byte           // of a Ping or Pong; valid until the next call
	Code      wscore.CloseCode // of a Close
	Reason    string           // of a Close
	RoundTrip time.Duration    // of a Pong that answers the newest ping
	Wake      bool             // a pong was queued and the caller must see to it that Flush runs
}

// Reader is the receiving half of a connection: bytes go in with
// [Reader.Fill], messages come out with [Reader.Next]. It holds memory only
// while a frame or message is unfinished. One goroutine at a time uses it.
type Reader struct {
	*link
	decoder wscore.Decoder

	window     *Buffer      // what was read and is not decoded: from next to its end
	message    *Buffer      // the message being put together
	directFrom int          // index into its payload: see direct
	next       int32        // index into the window's payload
	class      uint8        // of the window's size: small, larger, large
	direct     bool         // the last read went straight into the message, from directFrom on
	full       bool         // the last read filled the window
	deflate    *readDeflate // nil without compression
}

// Lifecycle returns the state that both halves share.
func (r *Reader) Lifecycle() *wscore.Lifecycle { return &r.lifecycle }

// Fill reads once from the source: into the message if a large one is being
// received, else into the window. See [Handler.Fill] for what it returns.
func (r *Reader) Fill(source io.Reader) error {
	r.direct = false
	if remaining, ok := r.decoder.InPayload(); ok && r.unread() == 0 && r.message != nil && !r.deflate.inflating() && remaining >= smallWindow {
		return r.fillMessage(source, remaining)
	}
	r.makeRoom()
	room := r.window.room()
	n, err := source.Read(room)
	r.window.end += n
	r.full = n == len(room)
	if n == 0 && r.unread() == 0 {
		r.Rest()
	}
	return readResult(n, err)
}

// readResult turns what a source returned into what Fill returns.
func readResult(n int, err error) error {
	switch {
	case n > 0:
		return nil
	case err == nil:
		return ErrWouldBlock
	}
	return err
}

// fillMessage reads payload into the message's own buffer and decodes it there.
func (r *Reader) fillMessage(source io.Reader, remaining uint64) error {
	r.dropWindow()
	if len(r.message.room()) == 0 {
		r.message = r.message.grown(reserve(r.message.Len(), remaining))
	}
	room := r.message.room()
	if uint64(len(room)) > remaining {
		room = room[:remaining]
	}
	n, err := source.Read(room)
	r.message.end += n
	r.direct, r.directFrom = n > 0, r.message.Len()-n
	return readResult(n, err)
}

// reserve says how large a message's buffer may become when arrived bytes of
// it are there and remaining bytes of its current frame are still to come:
// what is declared, but no more than a multiple of what has arrived.
func reserve(arrived int, remaining uint64) int {
	return int(min(uint64(arrived)+remaining, max(trustBytes, trustFactor*uint64(arrived))))
}

func (r *Reader) unread() int {
	if r.window == nil {
		return 0
	}
	return r.window.Len() - int(r.next)
}

// makeRoom gives the window room behind the bytes that are not decoded yet:
// never more than an unfinished header or control frame, since payload is used
// up as it comes. The window grows after full reads.
func (r *Reader) makeRoom() {
	if r.full && r.windowSize() < largeWindow {
		r.class++
	}
	window := r.window
	if window == nil || r.windowSize() > window.Cap() {
		window = r.config.Pool.Get(r.windowSize())
	}
	if r.window != nil {
		rest := r.window.Payload()[r.next:]
		window.end = Headroom + copy(window.memory[Headroom:], rest)
		if window != r.window {
			r.window.Release()
		}
	}
	r.window, r.next = window, 0
}

// Rest gives back the window if it holds nothing. It is called when nothing
// more is to be read at the moment.
func (r *Reader) Rest() {
	if r.window == nil || r.unread() > 0 {
		return
	}
	r.dropWindow()
	if !r.full && r.class > 0 {
		r.class--
	}
}

func (r *Reader) windowSize() int { return smallWindow << (2 * r.class) }

func (r *Reader) dropWindow() {
	if r.window != nil {
		r.window.Release()
		r.window, r.next = nil, 0
	}
}

// Unfinished reports whether a frame has begun and not ended.
func (r *Reader) Unfinished() bool {
	_, inPayload := r.decoder.InPayload()
	return inPayload || r.unread() > 0
}

// Next returns the next event in what Fill brought. The error is a remote
// [*wscore.ProtocolError] with the close code that is due; nothing more is
// decoded after it.
func (r *Reader) Next() (Event, error) {
	if err := r.deflate.failed(); err != nil {
		return Event{}, err
	}
	for {
		if message := r.takeWhole(); message != nil {
			return Event{Kind: Message, Buffer: message}, nil
		}
		event, err := r.decode()
		if err != nil {
			return Event{}, err
		}
		if event.FrameStart {
			r.saw(event.Opcode, frameLength(event))
		}
		switch event.Kind {
		case wscore.NeedMore:
			return Event{}, nil
		case wscore.Data:
			message, err := r.takePiece(event)
			if err != nil {
				return Event{}, err
			}
			if message != nil {
				r.config.Observer.MessageRead(message.Len(), r.deflate.onTheWire(event))
				return Event{Kind: Message, Buffer: message}, nil
			}
		case wscore.Ping:
			result := Event{Kind: Ping, Payload: event.Payload}
			if !r.config.ManualPong {
				result.Wake = r.mailbox.pushPong(event.Payload)
			}
			return result, nil
		case wscore.Pong:
			return r.pong(event.Payload), nil
		case wscore.Close:
			return Event{Kind: Close, Code: event.Code, Reason: string(event.Payload)}, nil
		}
	}
}

// takeWhole takes a message that lies in the window in one frame, as most do,
// without the detour of pieces. It returns nil for anything else.
func (r *Reader) takeWhole() *Buffer {
	if r.window == nil || r.message != nil || r.direct {
		return nil
	}
	unread := r.window.Payload()[r.next:]
	longest := min(r.config.Limits.MaxMessage, r.config.Limits.MaxFrame, largeWindow)
	opcode, at, end := r.decoder.DecodeWhole(unread, int(longest))
	if end == 0 || end > len(unread) {
		return nil
	}
	r.next += int32(end)
	r.saw(opcode, end-at)
	r.config.Observer.MessageRead(end-at, 0)
	return r.config.Pool.message(opcode, unread[at:end])
}

// saw counts a frame.
func (r *Reader) saw(opcode wscore.Opcode, length int) {
	r.in.add(1, length)
	r.config.Observer.FrameRead(opcode, length)
}

// frameLength returns the length of the payload of the frame that the event
// begins.
func frameLength(event wscore.Event) int {
	if event.Kind == wscore.Close && event.Code != wscore.CloseNoStatus {
		return 2 + len(event.Payload) // the code is not in the event's payload
	}
	return len(event.Payload) + int(event.Remaining)
}

// decode takes the next event out of the message's own buffer or the window.
func (r *Reader) decode() (wscore.Event, error) {
	if r.direct {
		event, _, err := r.decoder.Decode(r.message.Payload()[r.directFrom:])
		return event, err
	}
	if r.window == nil {
		return wscore.Event{}, nil
	}
	event, used, err := r.decoder.Decode(r.window.Payload()[r.next:])
	r.next += int32(used)
	return event, err
}

func (r *Reader) takePiece(event wscore.Event) (*Buffer, error) {
	if !event.Compressed {
		return r.take(event), nil
	}
	message, err := r.takeCompressed(event)
	if err != nil {
		r.deflate.failure = err
		_, _ = r.lifecycle.Apply(wscore.ReceiveViolation)
	}
	return message, err
}

// take adds a piece to the message being received and returns it when it is
// whole.
func (r *Reader) take(event wscore.Event) *Buffer {
	if r.direct {
		r.direct = false // the piece is in its place already
	} else {
		if r.message == nil {
			r.message = r.config.Pool.Get(reserve(len(event.Payload), event.Remaining))
		} else if len(event.Payload) > len(r.message.room()) {
			arrived := r.message.Len() + len(event.Payload)
			doubled := int(min(2*int64(arrived), r.config.Limits.MaxMessage))
			r.message = r.message.grown(max(doubled, reserve(arrived, event.Remaining)))
		}
		r.message.append(event.Payload)
	}
	if !event.Final {
		return nil
	}
	message := r.message
	message.opcode, r.message = event.Opcode, nil
	return message
}

func (r *Reader) pong(payload []byte) Event {
	event := Event{Kind: Pong, Payload: payload}
	if len(payload) == 8 && binary.BigEndian.Uint64(payload) == uint64(r.ping.sequence.Load()) {
		event.RoundTrip, _ = r.ping.roundTrip()
		r.ping.note(event.RoundTrip)
	}
	return event
}

// End tells the reader that the peer's direction of the stream ended with err,
// and gives back all memory. It returns nil after a close frame, and what
// ended the connection otherwise.
func (r *Reader) End(err error) error {
	r.Discard()
	if err := r.deflate.failed(); err != nil {
		return err
	}
	if ended := r.decoder.End(); ended == nil || !errors.Is(ended, wscore.ErrConnectionLost) {
		return ended
	}
	if err == nil || err == io.EOF {
		return wscore.ErrConnectionLost
	}
	return &TransportError{Operation: "read", Err: err}
}

// Discard gives back all memory; what was not decoded is lost. The reader is
// not used for messages again.
func (r *Reader) Discard() {
	r.direct = false
	r.dropWindow()
	r.deflate.discard(r.config.Pool)
	if r.message != nil {
		r.message.Release()
		r.message = nil
	}
}
