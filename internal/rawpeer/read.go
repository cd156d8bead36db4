package rawpeer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"
)

// NoStatus stands for a close frame without a code (RFC 6455 7.1.5).
const NoStatus uint16 = 1005

// Event is one assembled data message or one control frame.
type Event struct {
	Opcode    byte // OpText, OpBinary, OpClose, OpPing or OpPong
	RSV       byte // reserved bits of the first frame
	Fragments int  // frames the message travelled in
	Payload   []byte
	Code      uint16 // OpClose only; NoStatus when the frame was empty
	Reason    string // OpClose only
}

// String describes the event in one line.
func (e Event) String() string {
	const shown = 32
	excerpt := e.Payload[:min(shown, len(e.Payload))]
	switch e.Opcode {
	case OpText:
		return fmt.Sprintf("text of %d octets %q", len(e.Payload), excerpt)
	case OpBinary:
		return fmt.Sprintf("binary of %d octets %x", len(e.Payload), excerpt)
	case OpPing:
		return fmt.Sprintf("ping %q", excerpt)
	case OpPong:
		return fmt.Sprintf("pong %q", excerpt)
	case OpClose:
		return fmt.Sprintf("close %d %q", e.Code, e.Reason)
	}
	return fmt.Sprintf("opcode %#x of %d octets", e.Opcode, len(e.Payload))
}

// ReadFrame reads one frame and judges it by itself and by its place in the
// message it belongs to. The frame is returned with its payload unmasked.
func (p *Peer) ReadFrame() (Frame, error) {
	if err := p.armRead(p.timeout()); err != nil {
		return Frame{}, err
	}
	var head [8]byte
	if _, err := io.ReadFull(p.reader, head[:2]); err != nil {
		return Frame{}, err
	}
	f := Frame{Fin: head[0]&0x80 != 0, RSV: head[0] >> 4 & 7, Opcode: head[0] & 0xF, Masked: head[1]&0x80 != 0}
	length, form := uint64(head[1]&0x7F), Form7
	switch length {
	case 126:
		form = Form16
		if err := p.readRest(head[:2]); err != nil {
			return Frame{}, err
		}
		length = uint64(binary.BigEndian.Uint16(head[:2]))
	case 127:
		form = Form64
		if err := p.readRest(head[:8]); err != nil {
			return Frame{}, err
		}
		length = binary.BigEndian.Uint64(head[:8])
	}
	if rule := p.judgeHeader(f, length, form); rule != "" {
		return f, &ViolationError{Rule: rule, Opcode: f.Opcode, Fin: f.Fin, RSV: f.RSV, Length: length}
	}
	if f.Masked {
		if err := p.readRest(f.Key[:]); err != nil {
			return Frame{}, err
		}
	}
	f.Payload = make([]byte, length)
	if err := p.readRest(f.Payload); err != nil {
		return Frame{}, err
	}
	if f.Masked {
		mask(f.Payload, f.Key)
	}
	if !f.IsControl() {
		p.fragmentOpen = !f.Fin
	}
	return f, nil
}

// readRest reads the remainder of a frame; an end of input in here is a
// truncated frame, never a clean end.
func (p *Peer) readRest(b []byte) error {
	_, err := io.ReadFull(p.reader, b)
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (p *Peer) judgeHeader(f Frame, length uint64, form LengthForm) Rule {
	allowed := byte(0)
	if f.Opcode == OpText || f.Opcode == OpBinary {
		allowed = p.AllowRSV
	}
	switch {
	case f.Masked && p.role == Client:
		return RuleMaskUnexpected
	case !f.Masked && p.role == Server:
		return RuleMaskMissing
	case f.RSV&^allowed != 0:
		return RuleReservedBits
	case f.Opcode > OpBinary && f.Opcode < OpClose || f.Opcode > OpPong:
		return RuleReservedOpcode
	case f.IsControl() && !f.Fin:
		return RuleControlFragmented
	case f.IsControl() && length > MaxControlPayload:
		return RuleControlTooLong
	case length>>63 != 0:
		return RuleLengthTopBit
	case form != minimalForm(length):
		return RuleLengthNotMinimal
	case length > p.maxPayload():
		return RuleLengthLimit
	case f.Opcode == OpContinuation && !p.fragmentOpen:
		return RuleUnexpectedContinuation
	case (f.Opcode == OpText || f.Opcode == OpBinary) && p.fragmentOpen:
		return RuleInterleavedMessage
	}
	return ""
}

// ReadEvent reads frames until a data message is complete or a control frame
// came, whichever is first. Fragments read so far wait for the next call.
// Text is checked unless RSV1 marks it as compressed.
func (p *Peer) ReadEvent() (Event, error) {
	for {
		f, err := p.ReadFrame()
		if err != nil {
			return Event{}, err
		}
		if f.IsControl() {
			return judgeControl(f)
		}
		if f.Opcode != OpContinuation {
			p.fragmentOpcode, p.fragmentRSV, p.fragments, p.partial = f.Opcode, f.RSV, 0, nil
		}
		p.fragments++
		if p.partial == nil {
			p.partial = f.Payload
		} else {
			p.partial = append(p.partial, f.Payload...)
		}
		if uint64(len(p.partial)) > p.maxPayload() {
			return Event{}, violation(RuleLengthLimit, f)
		}
		if !f.Fin {
			continue
		}
		e := Event{Opcode: p.fragmentOpcode, RSV: p.fragmentRSV, Fragments: p.fragments, Payload: p.partial}
		p.partial = nil
		if e.Opcode == OpText && e.RSV&RSV1 == 0 && !utf8.Valid(e.Payload) {
			return e, violation(RuleInvalidUTF8, f)
		}
		return e, nil
	}
}

func judgeControl(f Frame) (Event, error) {
	e := Event{Opcode: f.Opcode, Fragments: 1, Payload: f.Payload}
	if f.Opcode != OpClose {
		return e, nil
	}
	switch {
	case len(f.Payload) == 0:
		e.Code = NoStatus
		return e, nil
	case len(f.Payload) == 1:
		return e, violation(RuleClosePayload, f)
	}
	e.Code, e.Reason = binary.BigEndian.Uint16(f.Payload), string(f.Payload[2:])
	switch {
	case !mayBeSent(e.Code):
		return e, violation(RuleCloseCode, f)
	case !utf8.ValidString(e.Reason):
		return e, violation(RuleCloseReason, f)
	}
	return e, nil
}

// mayBeSent reports whether a code may stand in a close frame: those of RFC
// 6455 7.4.1 and the IANA registry, and the ranges open to applications.
func mayBeSent(code uint16) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014:
		return true
	}
	return code >= 3000 && code <= 4999
}

func violation(rule Rule, f Frame) error {
	return &ViolationError{Rule: rule, Opcode: f.Opcode, Fin: f.Fin, RSV: f.RSV, Length: uint64(len(f.Payload))}
}

// next is ReadEvent without the pings of a remote heartbeat, which are
// answered on the way.
func (p *Peer) next() (Event, error) {
	for {
		e, err := p.ReadEvent()
		if err != nil || e.Opcode != OpPing || p.KeepPings {
			return e, err
		}
		// The remote side may have gone since; the read that follows tells.
		_ = p.Pong(e.Payload)
	}
}

// ReadMessage returns the next data message. Pings are answered and pongs
// skipped; a close frame is returned as *CloseError.
func (p *Peer) ReadMessage() (Event, error) {
	for {
		e, err := p.next()
		if err != nil {
			return e, err
		}
		switch e.Opcode {
		case OpText, OpBinary:
			return e, nil
		case OpClose:
			return e, &CloseError{Code: e.Code, Reason: e.Reason}
		case OpPing:
			return e, &UnexpectedError{Want: "a message", Got: e}
		}
	}
}

// ErrNotEnded is returned by ExpectEOF when the remote peer neither spoke nor
// left in time.
var ErrNotEnded = errors.New("the remote peer did not end the connection in time")

// Peek waits up to a timeout, zero being the peer's own, until the remote peer
// has said something, and returns its first octet without consuming it.
func (p *Peer) Peek(timeout time.Duration) (byte, error) {
	if timeout <= 0 {
		timeout = p.timeout()
	}
	if err := p.armRead(timeout); err != nil {
		return 0, err
	}
	first, err := p.reader.Peek(1)
	if err != nil {
		return 0, err
	}
	return first[0], nil
}
