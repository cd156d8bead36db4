package wscore

import "math/bits"

const (
	maxPrefix        = 15 // longest code in bits
	prefixRoot       = 9  // bits that the first look-up takes
	prefixValueShift = 8
	prefixLink       = 0x80 // the entry leads to a second table
	prefixEntries    = 1 << prefixRoot
	prefixSecond     = 512 // entries of second tables, more than any code needs
)

// prefixTable decodes a prefix code with one look-up, or two for codes longer
// than prefixRoot bits. An entry holds the code's length and its symbol, or a
// link to a second table with that table's bits; 0 is a code that does not
// exist.
type prefixTable struct {
	entries [prefixEntries + prefixSecond]uint32
}

// look returns the entry of the code in the lowest bits.
func (t *prefixTable) look(v uint64) uint32 {
	entry := t.entries[v&(prefixEntries-1)]
	if entry&prefixLink != 0 {
		entry = t.entries[uint64(entry>>prefixValueShift)+(v>>prefixRoot)&(1<<(entry&0xF)-1)]
	}
	return entry
}

// build makes the table of a canonical code (RFC 1951 section 3.2.2). It
// reports false for lengths that are no complete prefix code; only a code of a
// single symbol of one bit, or of none, may be incomplete.
func (t *prefixTable) build(lengths []uint8) bool {
	var counts [maxPrefix + 1]int
	longest, codes := 0, 0
	for _, n := range lengths {
		if n > 0 {
			counts[n]++
			codes++
			longest = max(longest, int(n))
		}
	}
	var first [maxPrefix + 1]uint32
	left, code := 1, uint32(0)
	for n := 1; n <= maxPrefix; n++ {
		left = left<<1 - counts[n]
		if left < 0 {
			return false // more codes than there is room for
		}
		first[n] = code
		code = (code + uint32(counts[n])) << 1
	}
	if left > 0 && (codes > 1 || longest > 1) {
		return false // bits that mean nothing
	}
	clear(t.entries[:prefixEntries])
	if longest > prefixRoot {
		t.linkSecond(lengths, first)
	}
	for symbol, size := range lengths {
		if size == 0 {
			continue
		}
		n := uint(size)
		reversed := bits.Reverse32(first[n]) >> (32 - n)
		first[n]++
		entry := uint32(symbol)<<prefixValueShift | uint32(n)
		if n <= prefixRoot {
			for i := reversed; i < prefixEntries; i += 1 << n {
				t.entries[i] = entry
			}
			continue
		}
		link := t.entries[reversed&(prefixEntries-1)]
		table := t.entries[link>>prefixValueShift:]
		for i := reversed >> prefixRoot; i < 1<<(link&0xF); i += 1 << (n - prefixRoot) {
			table[i] = entry
		}
	}
	return true
}

// linkSecond lays out a second table for each root entry that begins a long
// code, as large as the longest code there needs. Complete codes of up to 288
// symbols need 340 entries in all at most.
func (t *prefixTable) linkSecond(lengths []uint8, first [maxPrefix + 1]uint32) {
	var longest [prefixEntries]uint8
	for _, size := range lengths {
		if size > prefixRoot {
			root := bits.Reverse32(first[size]) >> (32 - size) & (prefixEntries - 1)
			first[size]++
			longest[root] = max(longest[root], size)
		}
	}
	free := uint32(prefixEntries)
	for root, size := range longest {
		if size > 0 {
			second := uint32(size - prefixRoot)
			t.entries[root] = free<<prefixValueShift | prefixLink | second
			free += 1 << second
		}
	}
}
