package rawpeer

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// The opcodes of RFC 6455 section 5.2.
const (
	OpContinuation byte = 0x0
	OpText         byte = 0x1
	OpBinary       byte = 0x2
	OpClose        byte = 0x8
	OpPing         byte = 0x9
	OpPong         byte = 0xA
)

// The reserved bits as they stand in Frame.RSV.
const (
	RSV1 byte = 4
	RSV2 byte = 2
	RSV3 byte = 1
)

// maxHeader is the length of the longest header.
const maxHeader = 14

// MaxControlPayload is the longest payload a control frame may carry.
const MaxControlPayload = 125

// Frame is one frame as it travels. Payload is always held unmasked; writing a
// masked frame masks a copy, and reading one removes the mask.
type Frame struct {
	Fin     bool
	RSV     byte // three bits, RSV1 is 4
	Opcode  byte
	Masked  bool
	Key     [4]byte
	Payload []byte
}

// IsControl reports whether the opcode is in the control range.
func (f Frame) IsControl() bool { return f.Opcode&0x8 != 0 }

// LengthForm chooses how a payload length is written in a header.
type LengthForm uint8

// The ways to write a length; FormMinimal is the only one the RFC allows.
const (
	FormMinimal LengthForm = iota
	Form7
	Form16
	Form64
)

// Lie makes a header say something other than the truth.
type Lie struct {
	Form    LengthForm // how the length is written
	Declare bool       // write Length instead of the payload's own length
	Length  uint64     // the declared length; the top bit may be set
}

// AppendFrame appends the frame, honestly encoded, to dst.
func AppendFrame(dst []byte, f Frame) []byte {
	return AppendFrameLying(dst, f, Lie{})
}

// AppendFrames appends all frames, honestly encoded, to dst.
func AppendFrames(dst []byte, frames ...Frame) []byte {
	total := 0
	for _, f := range frames {
		total += maxHeader + len(f.Payload)
	}
	dst = slices.Grow(dst, total)
	for _, f := range frames {
		dst = AppendFrame(dst, f)
	}
	return dst
}

// AppendFrameLying appends the frame with a header bent as the lie asks. The
// payload that follows is the frame's own, whatever length was declared.
func AppendFrameLying(dst []byte, f Frame, lie Lie) []byte {
	dst = AppendHeaderLying(dst, f, lie)
	start := len(dst)
	dst = append(dst, f.Payload...)
	if f.Masked {
		mask(dst[start:], f.Key)
	}
	return dst
}

// AppendHeaderLying appends only the frame's header, bent as the lie asks.
func AppendHeaderLying(dst []byte, f Frame, lie Lie) []byte {
	first := f.RSV&7<<4 | f.Opcode&0xF
	if f.Fin {
		first |= 0x80
	}
	var second byte
	if f.Masked {
		second = 0x80
	}
	length := uint64(len(f.Payload))
	if lie.Declare {
		length = lie.Length
	}
	form := lie.Form
	if form == FormMinimal {
		form = minimalForm(length)
	}
	dst = append(dst, first)
	switch form {
	case Form7:
		dst = append(dst, second|byte(length)&0x7F)
	case Form16:
		dst = append(dst, second|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(length))
	default:
		dst = append(dst, second|127)
		dst = binary.BigEndian.AppendUint64(dst, length)
	}
	if f.Masked {
		dst = append(dst, f.Key[:]...)
	}
	return dst
}

// ClosePayload builds the payload of a close frame.
func ClosePayload(code uint16, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, code), reason...)
}

func minimalForm(length uint64) LengthForm {
	switch {
	case length <= 125:
		return Form7
	case length <= 0xFFFF:
		return Form16
	default:
		return Form64
	}
}

// mask applies the key to b in place; applying it twice restores b.
func mask(b []byte, key [4]byte) {
	word := uint64(binary.LittleEndian.Uint32(key[:]))
	word |= word << 32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^word)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
}

// newKey makes a mask that differs from frame to frame; a test peer has no
// need for one that nobody can guess.
func newKey() (key [4]byte) {
	binary.LittleEndian.PutUint32(key[:], rand.Uint32())
	return key
}
