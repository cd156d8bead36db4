package wscore

import (
	"crypto/rand"
	"encoding/binary"
	"unicode/utf8"
)

// Encoder turns what the application says into frames and refuses what the
// protocol forbids with a local [*ProtocolError]: then nothing was appended and
// nothing has changed. It keeps no bytes and allocates only where dst is too
// small. It is used by one goroutine at a time.
type Encoder struct {
	lifecycle  *Lifecycle
	keys       *maskKeys // nil for a server
	role       Role
	unfinished bool // a fragmented message has begun and not ended
}

// NewEncoder returns an encoder for the given role. The lifecycle is shared
// with the connection's [Decoder]. For a client, maskKey returns the masking
// key of each frame and must be unpredictable (RFC 6455 section 10.3); nil
// means keys from crypto/rand. A server's encoder does not call it.
func NewEncoder(role Role, lifecycle *Lifecycle, maskKey func() uint32) Encoder {
	e := Encoder{role: role, lifecycle: lifecycle}
	if role == Client {
		e.keys = &maskKeys{next: maskKey}
	}
	return e
}

// maskKeys hands out masking keys, fetched from the system a batch at a time.
type maskKeys struct {
	next  func() uint32
	batch [64]byte
	left  int
}

func (k *maskKeys) key() uint32 {
	if k.next != nil {
		return k.next()
	}
	if k.left == 0 {
		_, _ = rand.Read(k.batch[:]) // never fails: crypto/rand ends the program instead
		k.left = len(k.batch)
	}
	k.left -= 4
	return binary.LittleEndian.Uint32(k.batch[k.left:])
}

// wholeHeader is the longest header of putWhole in bytes.
const wholeHeader = 4

// putWhole writes the header of a server's message in one frame to the end of
// p, which has wholeHeader bytes, and returns its size. It returns 0, and leaves
// the message to DataHeader, for a client, in the middle of a message, where the
// state forbids it, and for more than 65,535 bytes.
func (e *Encoder) putWhole(p []byte, opcode Opcode, length int) int {
	if e.role != Server || e.unfinished || length > maxShortPayload || !e.lifecycle.State().Sending() {
		return 0
	}
	const final = 0x80
	if length < 126 {
		p[2], p[3] = final|byte(opcode), byte(length)
		return 2
	}
	p[0], p[1], p[2], p[3] = final|byte(opcode), 126, byte(length>>8), byte(length)
	return 4
}

// DataHeader returns the header of a data frame with length bytes of payload,
// 0 or more, after checking that the connection's state lets it be sent. The
// first frame of a message has its opcode, text or binary; the others
// [OpContinuation], and no other message may begin before the one with fin
// (RFC 6455 section 5.4). For a client the header holds a fresh masking key,
// and the caller masks the payload with it. That a text message is UTF-8 is for
// the caller to check.
func (e *Encoder) DataHeader(opcode Opcode, fin bool, length int) (Header, error) {
	if !opcode.IsData() {
		return Header{}, ErrNotDataOpcode
	}
	if _, err := e.lifecycle.Apply(SendMessage); err != nil {
		return Header{}, err
	}
	if (opcode == OpContinuation) != e.unfinished {
		return Header{}, ErrFragmentOrder
	}
	e.unfinished = !fin
	return e.header(opcode, fin, length), nil
}

// mayBegin reports what forbids a new message, if anything.
func (e *Encoder) mayBegin() error {
	if _, err := e.lifecycle.Apply(SendMessage); err != nil {
		return err
	}
	if e.unfinished {
		return ErrFragmentOrder
	}
	return nil
}

// AppendMessage appends a whole message in one frame to dst (RFC 6455 section
// 5.6); text must be UTF-8. For a server that is header and payload; for a
// client the appended payload is masked, and payload itself is left alone.
func (e *Encoder) AppendMessage(dst []byte, opcode Opcode, payload []byte) ([]byte, error) {
	if opcode != OpText && opcode != OpBinary {
		return dst, ErrNotDataOpcode
	}
	if err := e.mayBegin(); err != nil {
		return dst, err
	}
	if opcode == OpText && !validText(payload) {
		return dst, ErrTextNotUTF8
	}
	return e.append(dst, e.header(opcode, true, len(payload)), payload), nil
}

// AppendControl appends a ping or pong with at most [MaxControlPayload] bytes
// of payload (RFC 6455 sections 5.5.2 and 5.5.3). It may stand between the
// fragments of a message. A close frame is made by [Encoder.AppendClose].
func (e *Encoder) AppendControl(dst []byte, opcode Opcode, payload []byte) ([]byte, error) {
	if opcode != OpPing && opcode != OpPong {
		return dst, ErrNotPingOrPong
	}
	if len(payload) > MaxControlPayload {
		return dst, ErrControlPayload
	}
	if _, err := e.lifecycle.Apply(SendControl); err != nil {
		return dst, err
	}
	return e.append(dst, e.header(opcode, true, len(payload)), payload), nil
}

// AppendClose appends the connection's one close frame (RFC 6455 section
// 5.5.1). [CloseNoStatus] makes one without a body; a code that may not stand
// on the wire, a reason of more than [MaxCloseReason] bytes and one that is not
// UTF-8 are refused.
func (e *Encoder) AppendClose(dst []byte, code CloseCode, reason string) ([]byte, error) {
	if err := CheckClose(code, reason); err != nil {
		return dst, err
	}
	if _, err := e.lifecycle.applyClose(SendClose, code, Local); err != nil {
		return dst, err
	}
	var body [MaxControlPayload]byte
	length := 0
	if code != CloseNoStatus {
		binary.BigEndian.PutUint16(body[:], uint16(code))
		length = 2 + copy(body[2:], reason)
	}
	return e.append(dst, e.header(OpClose, true, length), body[:length]), nil
}

// CheckClose reports whether a close frame with this code and reason may be
// sent; the error is the one that [Encoder.AppendClose] would return.
func CheckClose(code CloseCode, reason string) error {
	switch {
	case code == CloseNoStatus && reason == "":
		return nil
	case !code.OnWire():
		return ErrCloseCodeNotOnWire
	case len(reason) > MaxCloseReason:
		return ErrCloseReasonTooLong
	case !utf8.ValidString(reason):
		return ErrTextNotUTF8
	}
	return nil
}

// TrimReason shortens a reason to [MaxCloseReason] bytes without cutting a
// character, and replaces one that is not UTF-8 by nothing (RFC 6455 section
// 5.5.1).
func TrimReason(reason string) string {
	if !utf8.ValidString(reason) {
		return ""
	}
	if len(reason) <= MaxCloseReason {
		return reason
	}
	end := MaxCloseReason
	for !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}

func (e *Encoder) header(opcode Opcode, fin bool, length int) Header {
	h := Header{Fin: fin, Opcode: opcode, Length: uint64(length)}
	if e.keys != nil {
		h.Masked, h.Key = true, e.keys.key()
	}
	return h
}

func (e *Encoder) append(dst []byte, h Header, payload []byte) []byte {
	dst = h.Append(dst)
	start := len(dst)
	dst = append(dst, payload...)
	if h.Masked {
		Mask(dst[start:], h.Key)
	}
	return dst
}
