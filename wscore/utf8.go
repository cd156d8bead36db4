package wscore

import (
	"encoding/binary"
	"unicode/utf8"
)

// TextValidator judges UTF-8 as its bytes arrive, in pieces of any size, and
// fails at the first byte that no continuation can make valid (RFC 6455
// section 8.1, RFC 3629). It keeps no bytes. The zero value is ready for a new
// text.
type TextValidator struct {
	state uint8
}

// States between bytes: how many continuation bytes are due, and where the
// second byte of a sequence has a narrower range, which one.
const (
	textStart      = iota // between characters
	textOne               // one continuation byte is due
	textTwo               // two are due
	textThree             // three are due
	textAfterE0           // A0..BF, then one more: shorter forms are not allowed
	textAfterED           // 80..9F, then one more: no surrogates
	textAfterF0           // 90..BF, then two more: shorter forms are not allowed
	textAfterF4           // 80..8F, then two more: nothing above U+10FFFF
	textImpossible        // no byte can mend the text any more
)

// Write judges the next piece and reports whether the text can still be valid.
// Once it has returned false it returns false for ever.
func (v *TextValidator) Write(p []byte) bool {
	if v.state == textStart && validText(p) {
		return true
	}
	for v.state != textStart {
		if len(p) == 0 || v.state == textImpossible {
			return v.state != textImpossible
		}
		v.step(p[0])
		p = p[1:]
	}
	// Only a character that the piece cuts off is walked byte by byte.
	whole := len(p) - cutOff(p)
	if !validText(p[:whole]) {
		v.state = textImpossible
		return false
	}
	for _, b := range p[whole:] {
		v.step(b)
	}
	return v.state != textImpossible
}

// cutOff returns how many bytes at the end of p begin a character that needs
// more; whether they can begin one at all is not judged.
func cutOff(p []byte) int {
	for back := 1; back <= 3 && back <= len(p); back++ {
		b := p[len(p)-back]
		switch {
		case b < 0x80:
			return 0
		case b >= 0xC0:
			if back == 1 || back == 2 && b >= 0xE0 || b >= 0xF0 {
				return back
			}
			return 0
		}
	}
	return 0
}

// longText is the shortest text for the vector path: one block of 32 bytes, and
// the last block looks three bytes back.
const longText = 32 + 3

// validText reports whether p is UTF-8, as utf8.Valid does, but faster: short
// ASCII is looked through a word at a time, other text in vectors where the
// processor has them.
func validText(p []byte) bool {
	n := len(p)
	switch {
	case n < 8:
		return utf8.Valid(p)
	case n <= 16:
		first, last := binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[n-8:])
		return (first|last)&notASCII == 0 || validTwoWords(p, first, last)
	case n >= longText:
		return validLongText(p)
	}
	seen := binary.LittleEndian.Uint64(p[n-8:])
	for rest := p; len(rest) > 8; rest = rest[8:] {
		seen |= binary.LittleEndian.Uint64(rest)
	}
	return seen&notASCII == 0 || validShortText(p)
}

const notASCII = 0x8080808080808080

// endsCutOff reports whether the last of p's characters, three bytes or more,
// needs more bytes.
func endsCutOff(p []byte) bool {
	n := len(p)
	return p[n-1] >= 0xC0 || p[n-2] >= 0xE0 || p[n-3] >= 0xF0
}

// Complete reports whether the text may end here: no character is cut off.
func (v *TextValidator) Complete() bool { return v.state == textStart }

// Reset makes the validator ready for a new text.
func (v *TextValidator) Reset() { v.state = textStart }

func (v *TextValidator) step(b byte) {
	low, high := byte(0x80), byte(0xBF)
	next := uint8(textStart)
	switch v.state {
	case textStart:
		v.state = firstByte(b)
		return
	case textOne:
	case textTwo:
		next = textOne
	case textThree:
		next = textTwo
	case textAfterE0:
		low, next = 0xA0, textOne
	case textAfterED:
		high, next = 0x9F, textOne
	case textAfterF0:
		low, next = 0x90, textTwo
	case textAfterF4:
		high, next = 0x8F, textTwo
	case textImpossible:
		return
	}
	if b < low || b > high {
		next = textImpossible
	}
	v.state = next
}

func firstByte(b byte) uint8 {
	switch {
	case b < 0x80:
		return textStart
	case b < 0xC2:
		return textImpossible
	case b < 0xE0:
		return textOne
	case b == 0xE0:
		return textAfterE0
	case b == 0xED:
		return textAfterED
	case b < 0xF0:
		return textTwo
	case b == 0xF0:
		return textAfterF0
	case b < 0xF4:
		return textThree
	case b == 0xF4:
		return textAfterF4
	}
	return textImpossible
}
