package wscore

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// canBecomeValid is the naive answer to "may this still be UTF-8": is there
// any continuation, of three bytes at most, that makes it valid?
func canBecomeValid(p []byte) bool {
	if utf8.Valid(p) {
		return true
	}
	for next := 0x80; next <= 0xBF; next++ {
		for more := range 3 {
			tail := append([]byte{byte(next)}, []byte{0x80, 0x80}[:more]...)
			if utf8.Valid(append(p[:len(p):len(p)], tail...)) {
				return true
			}
		}
	}
	return false
}

func TestTextFailsAtTheByteThatNothingCanMend(t *testing.T) {
	for _, test := range []struct {
		name string
		text string
		bad  int // index of the first impossible byte, -1 for none
	}{
		{"empty", "", -1},
		{"ASCII with NUL and DEL", "a\x00z\x7f", -1},
		{"first and last of two bytes", "\xc2\x80\xdf\xbf", -1},
		{"first and last of three bytes", "\xe0\xa0\x80\xef\xbf\xbf", -1},
		{"around the surrogates", "\xed\x9f\xbf\xee\x80\x80", -1},
		{"first and last of four bytes", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", -1},
		{"middle of four bytes", "\xf1\x80\x80\x80\xf3\xbf\xbf\xbf", -1},
		{"byte order mark and noncharacter", "\xef\xbb\xbf\xef\xbf\xbe", -1},
		{"lone continuation", "a\x80", 1},
		{"overlong slash C0", "\xc0\xaf", 0},
		{"overlong C1", "\xc1\xbf", 0},
		{"overlong E0", "\xe0\x9f\xbf", 1},
		{"overlong F0", "\xf0\x8f\xbf\xbf", 1},
		{"first surrogate", "\xed\xa0\x80", 1},
		{"last surrogate", "\xed\xbf\xbf", 1},
		{"above U+10FFFF", "\xf4\x90\x80\x80", 1},
		{"F5", "\xf5", 0},
		{"FF", "ab\xff", 2},
		{"ASCII inside a character", "\xe2\x82A", 2},
		{"lead byte inside a character", "\xf0\x9f\xf0", 2},
		{"fifth byte", "\xf0\x9f\x98\x80\x80", 4},
		{"bad byte after a long text", strings.Repeat("é", 40) + "\xfe", 80},
	} {
		t.Run(test.name, func(t *testing.T) {
			// One byte at a time: it fails at the bad byte and not before.
			var v TextValidator
			for i := range len(test.text) {
				want := test.bad < 0 || i < test.bad
				if got := v.Write([]byte{test.text[i]}); got != want {
					t.Fatalf("after byte %d Write is %v", i, got)
				}
				if want != canBecomeValid([]byte(test.text[:i+1])) {
					t.Fatalf("the test's own oracle disagrees at byte %d", i)
				}
			}
			if v.Complete() != (test.bad < 0) {
				t.Errorf("Complete is %v", v.Complete())
			}
			// Every split in two: the piece that holds the bad byte fails.
			for cut := range len(test.text) + 1 {
				var v TextValidator
				first := v.Write([]byte(test.text[:cut]))
				if want := test.bad < 0 || cut <= test.bad; first != want {
					t.Fatalf("the first %d bytes gave %v", cut, first)
				}
				if second := v.Write([]byte(test.text[cut:])); second != (test.bad < 0) {
					t.Fatalf("split at %d gave %v", cut, second)
				}
			}
		})
	}
}

func TestCutOffTextIsNotComplete(t *testing.T) {
	for _, text := range []string{"\xc3", "\xe2", "\xe2\x82", "\xe0", "\xed", "\xf0", "\xf4", "\xf0\x9f", "\xf0\x9f\x98", "long enough\xf1\x80\x80"} {
		var v TextValidator
		if !v.Write([]byte(text)) || v.Complete() {
			t.Errorf("%q: not taken for a text that is cut off", text)
		}
	}
}

func TestFailedTextStaysFailedUntilReset(t *testing.T) {
	var v TextValidator
	v.Write([]byte("\xff"))
	for _, piece := range []string{"", "a", "\x80"} {
		if v.Write([]byte(piece)) || v.Complete() {
			t.Errorf("%q mended the text", piece)
		}
	}
	if v.Reset(); !v.Write([]byte("é")) || !v.Complete() {
		t.Error("Reset did not begin a new text")
	}
}

func FuzzTextValidator(f *testing.F) {
	f.Add([]byte("κόσμε"), uint64(0x5555))
	f.Add([]byte("\xed\xa0\x80edited"), uint64(1))
	f.Add([]byte("\xf4\x90\x80\x80"), uint64(6))
	f.Add([]byte("plain ASCII and then \xe2\x82"), uint64(0))
	f.Fuzz(func(t *testing.T, text []byte, cuts uint64) {
		if len(text) > 64 {
			text = text[:64]
		}
		var pieces TextValidator
		start := 0
		for end := 1; end <= len(text); end++ {
			if cuts>>(end-1)&1 == 0 && end < len(text) {
				continue // no cut here
			}
			prefix := text[:end]
			if got, want := pieces.Write(text[start:end]), canBecomeValid(prefix); got != want {
				t.Fatalf("after %q Write is %v", prefix, got)
			}
			if got, want := pieces.Complete(), utf8.Valid(prefix); got != want {
				t.Fatalf("after %q Complete is %v", prefix, got)
			}
			start = end
		}
	})
}

func BenchmarkTextValidator(b *testing.B) {
	for _, text := range []struct{ name, unit string }{
		{"ASCII", "The quick brown fox jumps over. "},
		{"CJK", "天地玄黃宇宙洪荒日月盈昃"},
	} {
		for _, size := range []int{128, 1 << 10, 64 << 10} {
			p := []byte(strings.Repeat(text.unit, size/len(text.unit)+1))[:size]
			b.Run(text.name+"/"+sizeName(size), func(b *testing.B) {
				b.SetBytes(int64(size))
				var v TextValidator
				for b.Loop() {
					v.Reset()
					if !v.Write(p) {
						b.Fatal("not valid")
					}
				}
			})
		}
	}
}
