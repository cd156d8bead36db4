//go:build !purego

package wscore

import "unicode/utf8"

// validLongText judges longText bytes or more.
func validLongText(p []byte) bool {
	switch {
	case endsCutOff(p):
		return false // which no next byte shows
	case haveAVX2:
		return validAVX2(&p[0], len(p), &faults)
	}
	return utf8.Valid(p)
}

// validShortText judges fewer than longText bytes. Zeros behind them, which are
// ASCII, make them long enough.
func validShortText(p []byte) bool {
	if !haveAVX2 {
		return utf8.Valid(p)
	}
	var padded [longText + 1]byte
	copy(padded[:], p)
	return validAVX2(&padded[0], len(padded), &faults)
}

// validTwoWords judges 8 to 16 bytes, of which first and last are eight each.
func validTwoWords(p []byte, first, last uint64) bool {
	if !haveAVX2 {
		return utf8.Valid(p)
	}
	// What both hold is shifted out, and zeros, which are ASCII, come behind.
	last >>= 8 * uint(16-len(p))
	return !endsCutOff(p) && valid16AVX2(first, last, &faults)
}

// validAVX2 judges the n bytes at p, longText or more, 32 at a time, except for
// a character that is cut off at the end.
//
//go:noescape
func validAVX2(p *byte, n int, t *faultTables) bool

// valid16AVX2 judges the 16 bytes in first and second, except for a character
// that is cut off at the end.
//
//go:noescape
func valid16AVX2(first, second uint64, t *faultTables) bool

// faultTables has what the vector path looks up. Two bytes that follow each
// other are wrong in the ways that all three tables name: for the first byte's
// upper half, its lower half, and the second byte's upper half. After Keiser
// and Lemire, "Validating UTF-8 in less than one instruction per byte", 2020.
type faultTables struct {
	firstHigh, firstLow, secondHigh [16]uint8

	halfByte uint8 // one half of a byte
	three    uint8 // taken from a byte, leaves 0x80 or more if it leads three bytes or more
	four     uint8 // the same for four bytes
	top      uint8 // the top bit
}

// The faults of two bytes that follow each other.
const (
	tooShort    = 1 << iota // a lead and no continuation
	tooLong                 // ASCII and a continuation
	twoForOne               // C0, C1: two bytes for what fits one
	threeForTwo             // E0 80..9F
	surrogate               // ED A0..BF
	tooLarge                // F4 and up, 90..BF
	fourEdge                // F0 80..8F: four bytes for what fits three; F5 and up, 80..8F: too large
	continued               // two continuations: right in the third and fourth byte of a character only

	always    = tooShort | tooLong | continued // whatever the first byte's lower half
	large     = always | tooLarge | fourEdge   // F5..FF
	continues = tooLong | twoForOne | continued
)

var faults = faultTables{
	firstHigh: [16]uint8{
		tooLong, tooLong, tooLong, tooLong, tooLong, tooLong, tooLong, tooLong,
		continued, continued, continued, continued,
		tooShort | twoForOne, tooShort, tooShort | threeForTwo | surrogate, tooShort | tooLarge | fourEdge,
	},
	firstLow: [16]uint8{
		always | twoForOne | threeForTwo | fourEdge, always | twoForOne, always, always,
		always | tooLarge, large, large, large,
		large, large, large, large,
		large, large | surrogate, large, large,
	},
	secondHigh: [16]uint8{
		tooShort, tooShort, tooShort, tooShort, tooShort, tooShort, tooShort, tooShort,
		continues | threeForTwo | fourEdge, continues | threeForTwo | tooLarge,
		continues | surrogate | tooLarge, continues | surrogate | tooLarge,
		tooShort, tooShort, tooShort, tooShort,
	},
	halfByte: 0x0F,
	three:    0xE0 - 0x80,
	four:     0xF0 - 0x80,
	top:      0x80,
}
