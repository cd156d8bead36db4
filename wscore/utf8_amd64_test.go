//go:build !purego

package wscore

import "testing"

// What the tables say of two bytes is what RFC 3629 section 4 says, spelled out
// here pair by pair.
func TestFaultTablesSayWhatTheGrammarSays(t *testing.T) {
	for pair := range 1 << 16 {
		a, b := byte(pair>>8), byte(pair)
		lead, continuation := a >= 0xC0, b >= 0x80 && b < 0xC0
		var want uint8
		for _, rule := range []struct {
			fault   uint8
			applies bool
		}{
			{tooShort, lead && !continuation},
			{tooLong, a < 0x80 && continuation},
			{continued, a >= 0x80 && a < 0xC0 && continuation},
			{twoForOne, (a == 0xC0 || a == 0xC1) && continuation},
			{threeForTwo, a == 0xE0 && b >= 0x80 && b < 0xA0},
			{surrogate, a == 0xED && b >= 0xA0 && b < 0xC0},
			{tooLarge, a >= 0xF4 && b >= 0x90 && b < 0xC0},
			{fourEdge, (a == 0xF0 || a >= 0xF5) && b >= 0x80 && b < 0x90},
		} {
			if rule.applies {
				want |= rule.fault
			}
		}
		if got := faults.firstHigh[a>>4] & faults.firstLow[a&0x0F] & faults.secondHigh[b>>4]; got != want {
			t.Errorf("% x: faults %08b, want %08b", []byte{a, b}, got, want)
		}
	}
}

// Processors without AVX2 take the portable path to the same answers.
func TestWithoutAVX2NothingChanges(t *testing.T) {
	if !haveAVX2 {
		return // then all other tests show it
	}
	haveAVX2 = false
	defer func() { haveAVX2 = true }()
	t.Run("mask", TestMaskFitsTheDefinitionAtEveryLengthAndOffset)
	t.Run("in pieces", TestTextFailsAtTheByteThatNothingCanMend)
}
