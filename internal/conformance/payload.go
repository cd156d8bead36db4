package conformance

import (
	"bytes"
	"unicode/utf8"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// textOf makes a valid UTF-8 text of exactly n octets with code points of
// every length, so that fragments and chops cut through them.
func textOf(n int) []byte {
	const unit = "abcdefgh é ж 漢字 \U0001F30D\U0001F30E 0123456789 "
	text := bytes.Repeat([]byte(unit), n/len(unit)+1)[:n]
	return blunt(text)
}

// blunt replaces code points cut at either end by full stops, so that any
// cut of a valid text is a valid text of the same length.
func blunt(text []byte) []byte {
	for i := 0; i < len(text) && i < utf8.UTFMax && !utf8.RuneStart(text[i]); i++ {
		text[i] = '.'
	}
	for i := len(text) - 1; i >= max(0, len(text)-utf8.UTFMax); i-- {
		if utf8.RuneStart(text[i]) {
			if !utf8.FullRune(text[i:]) {
				for j := i; j < len(text); j++ {
					text[j] = '.'
				}
			}
			break
		}
	}
	return text
}

// binaryOf makes n octets without a short period.
func binaryOf(n int) []byte {
	b := make([]byte, n)
	state := uint32(2463534242)
	for i := range b {
		state ^= state << 13
		state ^= state >> 17
		state ^= state << 5
		b[i] = byte(state >> 11)
	}
	return b
}

func payloadOf(opcode byte, n int) []byte {
	if opcode == rawpeer.OpText {
		return textOf(n)
	}
	return binaryOf(n)
}
