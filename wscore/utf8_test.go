package wscore

import (
	"bytes"
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

// The vector path judges 32 bytes at a time and skips 128, so every byte with
// every kind of second byte stands at each kind of place: at the start, over the
// edges of blocks, in the last block, at the end.
func TestValidTextAgreesWithTheStandardLibraryAtEveryPlace(t *testing.T) {
	seconds := "\x00\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc2\xe0\xed\xf0\xf4\xff"
	for _, length := range []int{8, 13, 16, 17, 34, 35, 64, 100, 129, 200} {
		for _, at := range []int{0, 1, 2, 28, 29, 30, 31, 32, 33, 62, 63, 158, 159, 160, 161, length - 4, length - 3, length - 2} {
			if at < 0 || at+2 > length {
				continue
			}
			for _, fill := range []string{"a", "\xe5\xa4\xa9"} {
				p := []byte(strings.Repeat(fill, length))[:length]
				if fill != "a" {
					p = append(p[:length-length%3], "aa"[:length%3]...)
				}
				was := string(p)
				for pair := range 256 * len(seconds) {
					p[at], p[at+1] = byte(pair/len(seconds)), seconds[pair%len(seconds)]
					for more := range 3 { // and continuations after the pair
						if more > 0 {
							if at+1+more >= length {
								break
							}
							p[at+1+more] = 0x80
						}
						if got, want := validText(p), utf8.Valid(p); got != want {
							t.Fatalf("% x of %d bytes %q at %d, %d more: %v", p[at:at+2], length, fill, at, more, got)
						}
					}
					copy(p[at:], was[at:min(at+4, length)])
				}
			}
		}
	}
}

func FuzzValidText(f *testing.F) {
	f.Add([]byte("天地玄黃"), uint8(40), []byte("\xf0\x9f\x91"))
	f.Add([]byte("plain"), uint8(60), []byte("\xed\xa0\x80"))
	f.Add([]byte("\xc3"), uint8(1), []byte("x"))
	f.Fuzz(func(t *testing.T, unit []byte, times uint8, end []byte) {
		if len(unit) > 64 {
			unit = unit[:64]
		}
		p := append(bytes.Repeat(unit, int(times)), end...)
		for from := range min(len(p), 3) + 1 {
			if got, want := validText(p[from:]), utf8.Valid(p[from:]); got != want {
				t.Fatalf("%q is %v", p[from:], got)
			}
		}
	})
}

func BenchmarkTextValidator(b *testing.B) {
	for _, text := range []struct{ name, unit string }{
		{"ASCII", "The quick brown fox jumps over. "},
		{"JSON", `{"id":12345,"city":"Köln","tags":["a","b"],"ok":true,"n":3.25},`},
		{"CJK", "天地玄黃宇宙洪荒日月盈昃"},
		{"emoji", "ok 👍 done 🎉🚀 see you é à 天 "},
	} {
		for _, size := range []int{16, 64, 128, 1 << 10, 64 << 10} {
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
