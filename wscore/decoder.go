package wscore

import (
	"encoding/binary"
)

// EventKind says what a [Decoder] found.
type EventKind uint8

// The kinds of event.
const (
	// NeedMore: the bytes at hand are used up or hold only part of a header or
	// control frame. Keep what was not consumed and come back with more.
	NeedMore EventKind = iota
	// Data: a piece of a message; see the fields of [Event].
	Data
	// Ping: a ping frame; a pong with the same payload is due.
	Ping
	// Pong: a pong frame.
	Pong
	// Close: a close frame; nothing after it is decoded.
	Close
)

// Event is what a [Decoder] found. Payload lies in the bytes given to
// [Decoder.Decode], unmasked in place: it is valid as long as they are.
type Event struct {
	// Kind says what was found and which of the fields below count.
	Kind EventKind
	// Opcode is the message's type for Data (OpText or OpBinary, also in its
	// continuation frames) and the frame's opcode otherwise.
	Opcode Opcode
	// FrameStart is set on the first piece of each frame.
	FrameStart bool
	// First is set on the first piece of a message, Final on its last.
	First, Final bool
	// Compressed is set for each piece of a message whose first frame had RSV1.
	Compressed bool
	// Payload is the piece itself; it may be empty.
	Payload []byte
	// Remaining is how many bytes of this frame's payload are still to come.
	Remaining uint64
	// Code is the close code of a Close event: [CloseNoStatus] if the frame had
	// none. The reason is Payload.
	Code CloseCode
}

// Decoder turns the peer's bytes into events and judges every one of them. It
// keeps no bytes and allocates nothing. It is made by [NewDecoder] and used by
// one goroutine at a time.
type Decoder struct {
	// In an order without gaps: every connection has one.
	lifecycle *Lifecycle
	limits    *Limits
	failure   *ProtocolError

	// The message being received.
	messageLength  uint64
	fragments      uint32
	emptyFragments uint32

	// The frame whose payload is being received.
	remaining uint64
	key       uint32
	inPayload bool
	fin       bool
	first     bool // the next piece is the message's first
	start     bool // the next piece is the frame's first
	masked    bool

	message    Opcode // OpContinuation while there is none
	compressed bool   // the message
	text       TextValidator
	role       Role
	allowRSV   uint8 // reserved bits that a negotiated extension defines
	ended      bool  // nothing more is decoded
}

// NewDecoder returns a decoder for the given role (a server reads masked
// frames, RFC 6455 section 5.1). The lifecycle is shared with the connection's
// [Encoder]. Limits that have their defaults ([Limits.WithDefaults]) are shared
// and must not change. The error is a [*ConfigError].
func NewDecoder(role Role, lifecycle *Lifecycle, limits *Limits) (Decoder, error) {
	complete, err := limits.WithDefaults()
	switch {
	case err != nil:
		return Decoder{}, err
	case complete != *limits:
		limits = complete.copied()
	}
	return Decoder{role: role, lifecycle: lifecycle, limits: limits}, nil
}

// EnableDeflate allows RSV1, which marks a compressed message (RFC 7692
// section 6), once both sides have agreed on it. The payload of such a message
// is delivered as it came; a [Decompressor] judges it.
func (d *Decoder) EnableDeflate() { d.allowRSV = RSV1 }

// InPayload reports whether the next byte belongs to the payload of a data
// frame, and how many bytes of that frame are still to come. A caller may then read
// the stream straight into the message's own buffer and decode it there.
func (d *Decoder) InPayload() (remaining uint64, ok bool) { return d.remaining, d.inPayload }

// AtBoundary reports whether no message is unfinished: the stream may end or
// a close frame may come without cutting one off.
func (d *Decoder) AtBoundary() bool { return d.message == OpContinuation && !d.inPayload }

// Decode looks at p and returns at most one event and the number of bytes of p
// that it used. Payload bytes in p are unmasked in place, so p must be
// presented again only from the byte after those used.
//
// The error is a [*ProtocolError] of the remote side, with the close code that
// is due; every later call returns it again. What the first bytes of a header
// or of a text show to be wrong is refused without waiting for the rest. After a
// close frame all further bytes are used up without an event (RFC 6455 section
// 1.4).
func (d *Decoder) Decode(p []byte) (Event, int, error) {
	if d.failure != nil {
		return Event{}, len(p), d.failure
	}
	if d.ended {
		return Event{}, len(p), nil
	}
	if d.inPayload {
		return d.payload(p, 0)
	}
	if len(p) == 0 {
		return Event{}, 0, nil
	}
	if err := d.judgeStart(p); err != nil {
		return d.fail(err, len(p))
	}
	header, size, err := ParseHeader(p)
	if err != nil {
		return d.fail(err.(*ProtocolError), len(p))
	}
	if size == 0 {
		return Event{}, 0, nil
	}
	if header.Opcode.IsControl() {
		return d.control(p, header, size)
	}
	if err := d.beginFrame(header); err != nil {
		return d.fail(err, len(p))
	}
	return d.payload(p, size)
}

// maxShortPayload is the longest payload whose header has no 64-bit length.
const maxShortPayload = 0xFFFF

// DecodeWhole is [Decoder.Decode] for the commonest frame alone: a message to a
// server in one uncompressed frame with at most longest bytes of payload, which
// is at most what the limits allow. It returns the message's type, where in p its
// payload begins, unmasked in place, and where the frame ends. An end beyond p
// belongs to a binary frame of which the rest is missing; nothing was done yet. An
// end of 0 is for anything else, which is then left to Decode; so is text that is
// not UTF-8, after the failure has been noted.
func (d *Decoder) DecodeWhole(p []byte, longest int) (opcode Opcode, at, end int) {
	const final, masked = 0x80, 0x80
	if len(p) < 8 || d.message != OpContinuation || d.ended || d.role != Server {
		return 0, 0, 0
	}
	opcode = Opcode(p[0] &^ final)
	if p[0] < final || opcode != OpText && opcode != OpBinary || p[1] < masked {
		return 0, 0, 0
	}
	length := int(p[1] &^ masked)
	at = 2 + 4
	if length >= 126 {
		if length, at = int(binary.BigEndian.Uint16(p[2:])), 4+4; p[1] != masked|126 || length < 126 {
			return 0, 0, 0
		}
	}
	end = at + length
	if length > longest || end > len(p) && opcode == OpText {
		return 0, 0, 0 // text is judged as it arrives
	}
	if end > len(p) {
		return opcode, at, end
	}
	Mask(p[at:end], binary.LittleEndian.Uint32(p[at-4:]))
	if opcode == OpText && !validText(p[at:end]) {
		_, _, _ = d.fail(ErrInvalidText, end)
		return 0, 0, 0
	}
	return opcode, at, end
}

// judgeStart checks what the first one or two bytes of a frame already show,
// so that a bad frame is refused without waiting for the rest of its header.
func (d *Decoder) judgeStart(p []byte) *ProtocolError {
	opcode := Opcode(p[0] & 0x0F)
	fin := p[0]&0x80 != 0
	switch {
	case opcode.IsReserved():
		return ErrReservedOpcode
	case opcode.IsControl() && !fin:
		return ErrControlFragmented
	case opcode == OpContinuation && d.message == OpContinuation:
		return ErrUnexpectedContinuation
	case opcode == OpText || opcode == OpBinary:
		if d.message != OpContinuation {
			return ErrMessageInterrupted
		}
	}
	if rsv := p[0] & (RSV1 | RSV2 | RSV3); rsv != 0 {
		// An extension's bit belongs to the first frame of a data message
		// (RFC 7692 section 6.1).
		if rsv&^d.allowRSV != 0 || opcode == OpContinuation || opcode.IsControl() {
			return ErrReservedBits
		}
	}
	if len(p) < 2 {
		return nil
	}
	if masked := p[1]&0x80 != 0; masked != (d.role == Server) {
		if masked {
			return ErrFrameMasked
		}
		return ErrFrameNotMasked
	}
	if opcode.IsControl() && p[1]&0x7F > MaxControlPayload {
		return ErrControlTooLong
	}
	return nil
}

// beginFrame checks a data frame's header against the limits and makes its
// payload the current one. The length so far is within its limit, so that
// nothing can wrap.
func (d *Decoder) beginFrame(h Header) *ProtocolError {
	d.first = h.Opcode != OpContinuation
	if d.first {
		d.message = h.Opcode
		d.compressed = h.RSV&RSV1 != 0
		d.messageLength, d.fragments, d.emptyFragments = 0, 0, 0
		d.text.Reset()
	}
	if h.Length > d.wireLimit(d.limits.MaxFrame) {
		return ErrFrameTooBig
	}
	if h.Length > d.wireLimit(d.limits.MaxMessage)-d.messageLength {
		return ErrMessageTooBig
	}
	d.messageLength += h.Length
	if d.fragments++; int64(d.fragments) > int64(d.limits.MaxFragments) {
		return ErrTooManyFragments
	}
	if h.Length == 0 && !(d.first && h.Fin) {
		if d.emptyFragments++; int64(d.emptyFragments) > int64(d.limits.MaxEmptyFragments) {
			return ErrTooManyEmptyFragments
		}
	}
	d.inPayload, d.start = true, true
	d.fin, d.masked, d.key, d.remaining = h.Fin, h.Masked, h.Key, h.Length
	return nil
}

// wireLimit is how long a frame or message may be on the wire. The compressed
// form of what cannot be compressed is longer than the message itself, by an
// eighth for the simplest of compressors; its inflated length is judged by the
// [Decompressor].
func (d *Decoder) wireLimit(limit int64) uint64 {
	if !d.compressed {
		return uint64(limit)
	}
	return uint64(limit) + uint64(limit)/8 + 64
}

// payload takes what p holds of the current payload, from offset on.
func (d *Decoder) payload(p []byte, offset int) (Event, int, error) {
	piece := p[offset:]
	if uint64(len(piece)) > d.remaining {
		piece = piece[:d.remaining:d.remaining] // what lies behind is not the application's
	}
	if len(piece) == 0 && d.remaining > 0 && !d.start {
		return Event{}, 0, nil
	}
	if d.masked {
		d.key = Mask(piece, d.key)
	}
	d.remaining -= uint64(len(piece))
	final := d.fin && d.remaining == 0
	if d.message == OpText && !d.compressed {
		if !d.text.Write(piece) || final && !d.text.Complete() {
			return d.fail(ErrInvalidText, len(p))
		}
	}
	event := Event{
		Kind:       Data,
		Opcode:     d.message,
		FrameStart: d.start,
		First:      d.first,
		Final:      final,
		Compressed: d.compressed,
		Payload:    piece,
		Remaining:  d.remaining,
	}
	d.first, d.start = false, false
	d.inPayload = d.remaining > 0
	if final {
		d.message = OpContinuation
	}
	return event, offset + len(piece), nil
}

// control takes a control frame, which must lie in p whole.
func (d *Decoder) control(p []byte, h Header, size int) (Event, int, error) {
	end := size + int(h.Length)
	if len(p) < end {
		return Event{}, 0, nil
	}
	payload := p[size:end:end]
	if h.Masked {
		Mask(payload, h.Key)
	}
	event := Event{Opcode: h.Opcode, FrameStart: true, First: true, Final: true, Payload: payload}
	switch h.Opcode {
	case OpPing:
		event.Kind = Ping
	case OpPong:
		event.Kind = Pong
	case OpClose:
		code, reason, err := ParseClose(payload)
		if err != nil {
			return d.fail(err.(*ProtocolError), len(p))
		}
		event.Kind, event.Code, event.Payload = Close, code, reason
		d.ended = true
		_, _ = d.lifecycle.applyClose(ReceiveClose, code, Remote)
	}
	return event, end, nil
}

// End tells the decoder that the peer's direction of the stream ended. It
// returns nil after a close frame, the failure if there was one, and
// [ErrConnectionLost] otherwise, also for a stream that ends between messages
// (RFC 6455 section 7.1.5).
func (d *Decoder) End() error {
	_, _ = d.lifecycle.Apply(ReceiveEnd)
	if d.failure != nil {
		return d.failure
	}
	if d.ended {
		return nil
	}
	d.failure = ErrConnectionLost
	return d.failure
}

func (d *Decoder) fail(err *ProtocolError, used int) (Event, int, error) {
	d.failure, d.ended = err, true
	_, _ = d.lifecycle.Apply(ReceiveViolation)
	return Event{}, used, err
}

// ParseClose reads the body of a close frame (RFC 6455 section 5.5.1): nothing,
// or a code that may stand on the wire and a reason in UTF-8. Without a code
// the result is [CloseNoStatus].
func ParseClose(body []byte) (CloseCode, []byte, error) {
	switch len(body) {
	case 0:
		return CloseNoStatus, nil, nil
	case 1:
		return 0, nil, ErrCloseBodyLength
	}
	code := CloseCode(binary.BigEndian.Uint16(body))
	if !code.OnWire() {
		return 0, nil, ErrCloseCodeReserved
	}
	if !validText(body[2:]) {
		return 0, nil, ErrCloseReasonText
	}
	return code, body[2:], nil
}
