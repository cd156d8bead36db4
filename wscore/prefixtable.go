package wscore

import "math/bits"

const (
	maxPrefix     = 15 // longest code in bits
	prefixRoot    = 9  // bits that the first look-up takes
	prefixEntries = 1 << prefixRoot
	prefixSecond  = 512 // entries of second tables, more than any code needs
)

// prefixEntry is what a code means: from the lowest bits, four for the code's
// length, four for how many further bits complete the value, and from bit 8 the
// value without them. In a link to a second table the value is where that
// table begins, and the lowest bits are how many it takes. 0 is a code that does
// not exist.
type prefixEntry uint32

// What else may stand in an entry.
const (
	entryLiteral     prefixEntry = 1 << (31 - iota) // the value is a byte, not a match's length
	entryEnd                                        // the end of the block
	entryReserved                                   // a symbol that has a code and no meaning
	entryLink                                       // the entry leads to a second table
	entryRepeats                                    // the value is how often a code length is repeated
	entryRepeatsLast                                // and that is the last one, not zero

	entryExtraShift = 4
	entryBaseShift  = 8
)

func (e prefixEntry) size() uint { return uint(e & 0xF) }

func (e prefixEntry) base() int { return int(e >> entryBaseShift & 0xFFFF) }

// complete returns the value with its further bits, which follow the code in v,
// and how many bits that takes in all.
func (e prefixEntry) complete(v uint64) (value int, size uint) {
	extra := uint(e>>entryExtraShift) & 0xF
	return e.base() + int(v>>e.size()&(1<<extra-1)), e.size() + extra
}

// prefixTable decodes a prefix code with one look-up, or two for codes longer
// than prefixRoot bits.
type prefixTable struct {
	entries [prefixEntries + prefixSecond]prefixEntry
}

// look returns the entry of the code in the lowest bits.
func (t *prefixTable) look(v uint64) prefixEntry {
	entry := t.entries[v&(prefixEntries-1)]
	if entry&entryLink != 0 {
		entry = t.entries[uint64(entry.base())+v>>prefixRoot&(1<<entry.size()-1)]
	}
	return entry
}

// build makes the table of a canonical code (RFC 1951 section 3.2.2) for at
// most maxLiterals symbols, whose entries lack only their codes' lengths. It
// reports false for lengths that are no complete prefix code; only a code of a
// single symbol of one bit, or of none, may be incomplete.
func (t *prefixTable) build(lengths []uint8, symbols []prefixEntry) bool {
	var coded [maxLiterals]uint16 // the symbols that have a code
	codes := 0
	for symbol, size := range lengths {
		coded[codes] = uint16(symbol)
		if size > 0 {
			codes++
		}
	}
	var counts, place [maxPrefix + 1]int
	for _, symbol := range coded[:codes] {
		counts[lengths[symbol]]++
	}
	left := 1
	for n := 1; n <= maxPrefix; n++ {
		left = left<<1 - counts[n]
		if left < 0 {
			return false // more codes than there is room for
		}
		if n < maxPrefix {
			place[n+1] = place[n] + counts[n]
		}
	}
	if left > 0 {
		if codes > 1 || codes != counts[1] {
			return false // bits that mean nothing
		}
		clear(t.entries[:prefixEntries])
		for i := 0; i < prefixEntries*codes; i += 2 {
			t.entries[i] = symbols[coded[0]] | 1
		}
		return true
	}
	var sorted [maxLiterals]uint16 // by length
	for _, symbol := range coded[:codes] {
		size := lengths[symbol]
		sorted[place[size]] = symbol
		place[size]++
	}
	t.fill(sorted[:codes], &counts, symbols)
	return true
}

// fill writes the entries of a complete code, the shortest codes first. A code
// is kept with its bits reversed, as they come from the stream, so that the
// table of codes one bit longer begins as what there is, twice.
func (t *prefixTable) fill(sorted []uint16, counts *[maxPrefix + 1]int, symbols []prefixEntry) {
	code, done := uint(0), 1
	for size := 1; size <= prefixRoot; size++ {
		copy(t.entries[done:], t.entries[:done])
		done *= 2
		for range counts[size] {
			t.entries[code] = symbols[sorted[0]] | prefixEntry(size)
			sorted = sorted[1:]
			code = nextReversed(code, size)
		}
	}
	// Each first prefixRoot bits of longer codes have a table for the rest, as
	// large as the longest such code needs.
	root, begin, end, second := uint(prefixEntries), uint(0), uint(prefixEntries), 0
	for size := prefixRoot + 1; len(sorted) > 0; size++ {
		for n := counts[size]; n > 0; n-- {
			if code&(prefixEntries-1) != root {
				root, begin, second = code&(prefixEntries-1), end, secondBits(counts, size, n)
				end += 1 << second
				t.entries[root] = entryLink | prefixEntry(begin)<<entryBaseShift | prefixEntry(second)
			}
			entry := symbols[sorted[0]] | prefixEntry(size)
			for i := code >> prefixRoot; i < 1<<second; i += 1 << (size - prefixRoot) {
				t.entries[begin+i] = entry
			}
			sorted = sorted[1:]
			code = nextReversed(code, size)
		}
	}
}

// secondBits is how many bits a second table takes that begins with n codes of
// that size left: enough for the codes in it to fill it.
func secondBits(counts *[maxPrefix + 1]int, size, n int) int {
	second := size - prefixRoot
	for n < 1<<second {
		second++
		n = n<<1 + counts[prefixRoot+second]
	}
	return second
}

// nextReversed is the code after this one of that size, both with their bits
// reversed: the highest zero becomes a one, and the ones above it zeros.
func nextReversed(code uint, size int) uint {
	highest := uint(1) << bits.Len(code^(1<<size-1)) >> 1
	return code&(highest-1) | highest
}
