package wscore

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"testing"
)

// bitWriter writes numbers with their lowest bit first, as DEFLATE does.
type bitWriter struct {
	bytes []byte
	count int
}

func (w *bitWriter) put(value uint, bits int) *bitWriter {
	for i := range bits {
		if w.count%8 == 0 {
			w.bytes = append(w.bytes, 0)
		}
		w.bytes[len(w.bytes)-1] |= byte(value>>i&1) << (w.count % 8)
		w.count++
	}
	return w
}

// dynamic begins a block with codes of its own: how many lengths of literal
// and distance codes follow, and the lengths of the code that describes them.
func dynamic(literals, distances uint, sizes map[int]uint) *bitWriter {
	w := (&bitWriter{}).put(0, 1).put(2, 2).put(literals-257, 5).put(distances-1, 5).put(19-4, 4)
	for _, symbol := range codeOrder {
		w.put(sizes[int(symbol)], 3)
	}
	return w
}

// Each way in which codes can be wrong, drawn bit by bit after RFC 1951 section
// 3.2.7, is found, also when it arrives byte by byte.
func TestInflateRefusesEachKindOfBadCode(t *testing.T) {
	zeros := func(w *bitWriter, one int, count uint) *bitWriter { // with symbol 18 as all ones
		return w.put(1<<one-1, one).put(count-11, 7)
	}
	// The literals are 256 with code 0 and 257 with code 1; there is one distance, 0.
	pair := func() *bitWriter {
		w := dynamic(258, 1, map[int]uint{1: 1, 18: 1})
		return zeros(zeros(w, 1, 138), 1, 118).put(0, 1).put(0, 1).put(0, 1)
	}
	for name, w := range map[string]*bitWriter{
		"more codes for lengths than there is room for": dynamic(257, 1, map[int]uint{0: 1, 1: 1, 2: 1}),
		"codes for lengths that leave room":             dynamic(257, 1, map[int]uint{0: 2, 1: 2}),
		"a code for lengths that does not exist":        dynamic(257, 1, map[int]uint{0: 1}).put(0xFFFF, 16),
		"a repeat of nothing":                           dynamic(257, 1, map[int]uint{0: 1, 16: 1}).put(1, 1).put(0, 2),
		"a repeat beyond the last":                      zeros(zeros(dynamic(257, 1, map[int]uint{0: 1, 18: 1}), 1, 138), 1, 138),
		"no end of block":                               zeros(zeros(dynamic(257, 1, map[int]uint{0: 1, 18: 1}), 1, 138), 1, 120),
		"literals that leave room":                      zeros(zeros(dynamic(257, 1, map[int]uint{2: 1, 18: 1}), 1, 138), 1, 118).put(0, 2),
		"a literal that does not exist":                 zeros(zeros(dynamic(257, 1, map[int]uint{1: 1, 0: 2, 18: 2}), 2, 138), 2, 118).put(0, 1).put(1, 2).put(0xFFFF, 16),
		"a distance that does not exist":                pair().put(1, 1).put(0xFFFF, 16),
		"a distance out of range":                       (&bitWriter{}).put(0, 1).put(1, 2).put(0x40, 7).put(0x0F, 5), // code 0000001, then 11110
		"more literals than there are":                  (&bitWriter{}).put(0, 1).put(2, 2).put(30, 5).put(0, 9),
		"more distances than there are":                 (&bitWriter{}).put(0, 1).put(2, 2).put(0, 5).put(30, 5).put(0, 4),
	} {
		source := append(w.bytes, make([]byte, 64)...) // enough for the path inside of the input
		for _, piece := range []int{1, 9, 1 << 20} {
			var z Inflater
			if _, status := inflateAll(t, &z, source, []byte("some dictionary"), piece, 1000, 1000); status != InflateCorrupt {
				t.Errorf("%s, pieces of %d: status %d", name, piece, status)
			}
			if _, _, status := z.Inflate(make([]byte, 10), 0, source, nil); status != InflateCorrupt {
				t.Errorf("%s: status %d afterwards", name, status)
			}
		}
		var corrupt flate.CorruptInputError
		if _, err := io.ReadAll(flate.NewReader(bytes.NewReader(source))); !errors.As(err, &corrupt) && name != "no end of block" {
			t.Errorf("%s: the standard library says %v", name, err)
		}
	}
	// One distance is enough, though its code leaves room.
	var z Inflater
	good := pair().put(1, 1).put(0, 1).put(0, 1).bytes
	if got, status := inflateAll(t, &z, good, []byte("xy"), 1, 100, 100); status != InflateNeedInput || string(got) != "yyy" {
		t.Errorf("%q, status %d", got, status)
	}
}
