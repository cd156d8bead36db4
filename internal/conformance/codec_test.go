package conformance

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// standardInflate inflates a message with the standard library.
func standardInflate(t testing.TB, packed, dictionary []byte) []byte {
	t.Helper()
	source := io.MultiReader(bytes.NewReader(packed), strings.NewReader(deflateTail+"\x01\x00\x00\xff\xff"))
	message, err := io.ReadAll(flate.NewReaderDict(source, dictionary))
	if err != nil {
		t.Fatalf("the standard library cannot inflate it: %v", err)
	}
	return message
}

// trains are messages of several kinds and sizes, with repetitions across
// message borders.
func trains() [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	messages := [][]byte{nil, []byte("a"), []byte("abcabcabcabc"), bytes.Repeat([]byte{0}, 70000), bytes.Repeat([]byte("0123456789"), 1000)}
	for _, c := range corpora {
		for range 6 {
			messages = append(messages, c.slice(r.IntN(100000), 1+r.IntN(50000)))
		}
	}
	for range 6 {
		noise := make([]byte, r.IntN(3000))
		for i := range noise {
			noise[i] = byte(r.Uint32())
		}
		messages = append(messages, noise, noise)
	}
	return messages
}

func TestWindowDeflaterKeepsToItsWindowAndInflatesEverywhere(t *testing.T) {
	for _, bits := range []int{8, 9, 12, fullWindowBits} {
		for _, takeover := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bits, takeover %t", bits, takeover), func(t *testing.T) {
				packer, inflater := newWindowDeflater(bits, takeover), newInflater(bits, takeover)
				var past []byte
				for i, message := range trains() {
					packed := packer.message(message)
					judged, err := inflater.message(packed, len(message))
					if err != nil || !bytes.Equal(judged, message) {
						t.Fatalf("message %d of %d octets: %v", i, len(message), err)
					}
					if !bytes.Equal(standardInflate(t, packed, past), message) {
						t.Fatalf("message %d: the standard library reads it differently", i)
					}
					if takeover {
						past = append(past, message...)
						past = past[max(0, len(past)-1<<fullWindowBits):]
					}
				}
			})
		}
	}
}

// A window that is too small by one must be noticed, and so the deflater does
// reach the very end of its window.
func TestInflaterNoticesTheFirstDistanceBeyondTheWindow(t *testing.T) {
	const window = 512
	unit := binaryOf(window)
	packed := newWindowDeflater(9, false).message(append(bytes.Clone(unit), unit...))
	exact := newInflater(9, false)
	if _, err := exact.message(packed, 2*window); err != nil {
		t.Fatal(err)
	}
	small := newInflater(9, false)
	small.window--
	if _, err := small.message(packed, 2*window); !errors.Is(err, errDeflateDistance) {
		t.Fatalf("got %v", err)
	}
}

func TestInflaterReadsWhatTheStandardLibraryWrites(t *testing.T) {
	for _, level := range []int{flate.HuffmanOnly, flate.NoCompression, flate.BestSpeed, flate.DefaultCompression, flate.BestCompression} {
		var packed bytes.Buffer
		writer, err := flate.NewWriter(&packed, level)
		if err != nil {
			t.Fatal(err)
		}
		inflater := newInflater(fullWindowBits, true)
		for i, message := range trains() {
			packed.Reset()
			_, _ = writer.Write(message)
			_ = writer.Flush()
			got, err := inflater.message(bytes.TrimSuffix(packed.Bytes(), []byte(deflateTail)), len(message))
			if err != nil || !bytes.Equal(got, message) {
				t.Fatalf("level %d, message %d of %d octets: %v", level, i, len(message), err)
			}
		}
	}
}

func TestInflaterForgetsWithoutTakeover(t *testing.T) {
	message := []byte("a message that repeats itself: a message that repeats itself")
	packer := newWindowDeflater(fullWindowBits, true)
	first, second := packer.message(message), packer.message(message)
	keeps, forgets := newInflater(fullWindowBits, true), newInflater(fullWindowBits, false)
	for _, d := range []*inflater{keeps, forgets} {
		if _, err := d.message(first, len(message)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := keeps.message(second, len(message)); err != nil {
		t.Fatal(err)
	}
	if _, err := forgets.message(second, len(message)); !errors.Is(err, errDeflateDistance) {
		t.Fatalf("got %v", err)
	}
}

func TestInflaterRefusesEachKindOfDamage(t *testing.T) {
	for name, c := range map[string]struct {
		packed string
		want   error
	}{
		"no octets":           {"", errDeflateShort},
		"block type 3":        {"\x06\x00", errDeflateCorrupt},
		"stored length":       {"\x00\x05\x00\x05\x00hello\x00", errDeflateCorrupt},
		"stored cut short":    {"\x00\x64\x00\x9b\xffhello", errDeflateShort},
		"distance":            {string(farMatch()), errDeflateDistance},
		"dynamic codes":       {"\x04\xff\xff\xff\xff\xff\xff\xff\xff\xff", errDeflateCorrupt},
		"tail left on":        {"\xf2\x48\xcd\xc9\xc9\x07\x00" + deflateTail, errDeflateTail},
		"more than the limit": {string(deflatedZeros(101)), errDeflateLimit},
	} {
		if _, err := newInflater(fullWindowBits, true).message([]byte(c.packed), 100); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

func TestBombsInflateToTheirSize(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 258, 259, 260, 261, 262, 516, 517, 100000} {
		packed := deflatedZeros(size)
		if got := standardInflate(t, packed, nil); len(got) != size || len(bytes.Trim(got, "\x00")) != 0 {
			t.Errorf("%d zeros came out as %d octets", size, len(got))
		}
	}
	if packed := deflatedZeros(inflationBomb); len(packed) > inflationBomb/150 {
		t.Errorf("the bomb takes %d octets", len(packed))
	}
}

// FuzzInflater compares the verdict and the output with the standard
// library's on any input.
func FuzzInflater(f *testing.F) {
	f.Add([]byte("\xf2\x48\xcd\xc9\xc9\x07\x00"))
	f.Add([]byte("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"))
	f.Add(newWindowDeflater(10, false).message([]byte("abcabcabcabcabcabc")))
	var packed bytes.Buffer
	writer, _ := flate.NewWriter(&packed, flate.BestCompression)
	_, _ = writer.Write(corpora[0].slice(0, 4000))
	_ = writer.Flush()
	f.Add(bytes.TrimSuffix(packed.Bytes(), []byte(deflateTail)))
	f.Fuzz(func(t *testing.T, packed []byte) {
		const limit = 1 << 20
		got, err := newInflater(fullWindowBits, false).message(packed, limit)
		if err != nil {
			return // the standard library stops at a final block, so it may be content with less
		}
		source := io.MultiReader(bytes.NewReader(packed), strings.NewReader(deflateTail+"\x01\x00\x00\xff\xff"))
		want, err := io.ReadAll(io.LimitReader(flate.NewReader(source), limit+1))
		if err != nil || !bytes.HasPrefix(got, want) {
			t.Fatalf("judged fine as %d octets, the standard library says %d octets, %v", len(got), len(want), err)
		}
	})
}

func TestNegotiationJudgesEachAnswer(t *testing.T) {
	for _, c := range []struct {
		offer, answer string
		want          bool
	}{
		{"", "", true},
		{"", "server_no_context_takeover", true},
		{"", "client_no_context_takeover", true},
		{"", "server_max_window_bits=9", true},
		{"", "client_max_window_bits=9", false},
		{"client_max_window_bits", "client_max_window_bits=9", true},
		{"client_max_window_bits", "", true},
		{"client_max_window_bits=10", "client_max_window_bits=10", true},
		{"client_max_window_bits=10", "client_max_window_bits=11", false},
		{"server_max_window_bits=10", "server_max_window_bits=10", true},
		{"server_max_window_bits=10", "server_max_window_bits=8", true},
		{"server_max_window_bits=10", "server_max_window_bits=11", false},
		{"server_max_window_bits=10", "", false},
		{"server_max_window_bits=15", "", true}, // lax, see agreement
		{"server_no_context_takeover", "", false},
		{"server_no_context_takeover", "server_no_context_takeover", true},
	} {
		parameters := func(s string) []string {
			if s == "" {
				return nil
			}
			return strings.Split(s, "; ")
		}
		offer, err := parseTerms(parameters(c.offer), false)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := parseTerms(parameters(c.answer), true)
		if err != nil {
			t.Fatal(err)
		}
		if answer.answers(offer) != c.want {
			t.Errorf("%q to %q: want %t", c.answer, c.offer, c.want)
		}
	}
	for _, wrong := range []string{
		"server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=09", "server_max_window_bits",
		"client_max_window_bits", "unheard_of", "server_no_context_takeover=1", "",
	} {
		if _, err := parseTerms([]string{wrong}, true); err == nil {
			t.Errorf("parameter %q passed in an answer", wrong)
		}
	}
}

func TestImpossibleAtIsTheEarliestOctet(t *testing.T) {
	for text, want := range map[string]int{
		"":                        0,
		"valid":                   0,
		"κ\u1f79σμε":              0,
		"unfinished \xe6\xbc":     0,
		"\x80":                    1,
		"\xc0\xaf":                1,
		"\xc2 ":                   2,
		"\xe0\x80\xaf":            2,
		"\xe0\xa0 ":               3,
		"\xed\xa0\x80":            2,
		"\xf4\x90\x80\x80":        2,
		"\xf5\x80":                1,
		"ab\xff":                  3,
		"\xf0\x9f\x8c\x8d\xf8":    5,
		"\xf0\x90\x80\xc0 and on": 4,
	} {
		if got := impossibleAt(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestTextsAreValidAtEveryLength(t *testing.T) {
	for n := range 200 {
		if text := textOf(n); len(text) != n || !utf8.Valid(text) {
			t.Fatalf("text of %d octets is %d octets, valid %t", n, len(text), utf8.Valid(text))
		}
	}
	for _, c := range corpora {
		for n := 1; n < 300; n++ {
			cut := c.slice(n*n, n)
			if len(cut) != n || c.opcode == 1 && !utf8.Valid(cut) {
				t.Fatalf("%s: cut of %d octets is %d octets", c.name, n, len(cut))
			}
		}
	}
}

// A corpus that did not compress would leave a target's compressor idle.
func TestEveryCutOfACorpusCompresses(t *testing.T) {
	for _, c := range corpora {
		for i := range 16 {
			const length = 4096
			packed := newDeflater(&Session{}, agreement{ourBits: fullWindowBits}).pack(c.slice(i*length, length))
			if len(packed) > length*9/10 {
				t.Errorf("%s: cut %d packs into %d of %d octets", c.name, i, len(packed), length)
			}
		}
	}
}

// The sizes are those of the published list.
func TestCorporaHaveTheirSizes(t *testing.T) {
	for i, want := range []int{194056, 263222, 222218, 263647, 1042328} {
		if got := len(corpora[i].bytes()); got != want {
			t.Errorf("%s has %d octets, want %d", corpora[i].name, got, want)
		}
	}
}
