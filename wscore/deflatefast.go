package wscore

import (
	"encoding/binary"
	"math/bits"
)

const (
	fastHashBits = 12
	fastTokens   = 2048    // of one block
	fastLongest  = 1 << 30 // bytes that one message may have
	minMatch     = 4       // what is hashed; DEFLATE would allow 3
	maxMatch     = 258
)

// fastDeflater is level 1: it takes the last place where the same four bytes
// stood and looks no further. One message leaves nothing to the next.
type fastDeflater struct {
	places [1 << fastHashBits]uint32 // where four bytes stood last, from base on
	base   uint32                    // the place of the message's first byte; what is below is forgotten
	joined []byte                    // dictionary and message, if there is a dictionary

	source []byte             // dictionary and message while it is compressed
	start  int                // where the block begins in it
	tokens [fastTokens]uint32 // bytes, and matches with tokenMatch
	used   int
	block  blockWriter
}

// A match is its length less 3 from bit 16 on, and its distance less 1.
const tokenMatch = 1 << 31

// append appends the payload's compressed form with a flush, but for the
// flush's last four bytes. The dictionary and the window are as in
// [Deflater.Append].
func (f *fastDeflater) append(dst, payload, dictionary []byte, window int) []byte {
	source := payload
	if len(dictionary) > 0 {
		f.joined = append(append(f.joined[:0], dictionary...), payload...)
		source = f.joined
	}
	if f.base == 0 || uint64(f.base)+uint64(len(source)) > 1<<31 {
		clear(f.places[:])
		f.base = 1
	}
	// Every other place is enough, since matches also grow backwards.
	for at := 0; at < len(dictionary) && at+minMatch <= len(source); at += 2 {
		f.places[fastHash(binary.LittleEndian.Uint32(source[at:]))] = f.base + uint32(at)
	}
	f.block.begin(dst)
	f.source, f.start = source, len(dictionary)
	f.find(window)
	f.source = nil
	f.base += uint32(len(source))
	f.block.put(0, 3) // an empty stored block, of which the rest is left out
	return f.block.end()
}

func fastHash(v uint32) uint32 { return v * 0x9E3779B1 >> (32 - fastHashBits) }

// find makes tokens of the message and writes them.
func (f *fastDeflater) find(window int) {
	source, literals, last := f.source, f.start, len(f.source)-minMatch
	for at, step := literals, 32; at <= last; {
		v := binary.LittleEndian.Uint32(source[at:])
		place := &f.places[fastHash(v)]
		distance := int(f.base + uint32(at) - *place)
		*place = f.base + uint32(at)
		if distance > at || distance > window || binary.LittleEndian.Uint32(source[at-distance:]) != v {
			at += step >> 5 // faster and faster where nothing matches
			step++
			continue
		}
		// The match also grows backwards, but not so far that it would end before
		// the four bytes: places from there on are known already.
		for first := max(literals, distance, at+minMatch-maxMatch); at > first && source[at-1] == source[at-1-distance]; {
			at--
		}
		most := source[at:min(at+maxMatch, len(source))]
		length := sameBytes(most, source[at-distance:])
		f.putLiterals(literals, at)
		f.tokens[f.used] = tokenMatch | uint32(length-3)<<16 | uint32(distance-1)
		f.used++
		f.block.countMatch(length, distance)
		at += length
		literals, step = at, 32
		if f.used == fastTokens {
			f.flush(at)
		}
		if at-1 <= last {
			f.places[fastHash(binary.LittleEndian.Uint32(source[at-1:]))] = f.base + uint32(at-1)
		}
	}
	f.putLiterals(literals, len(source))
	if f.used > 0 {
		f.flush(len(source))
	}
}

// sameBytes returns how many bytes a and b have in common at their beginning; b
// is not shorter.
func sameBytes(a, b []byte) int {
	n := 0
	for ; len(a)-n >= 8; n += 8 {
		if diff := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); diff != 0 {
			return n + bits.TrailingZeros64(diff)>>3
		}
	}
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}

// putLiterals adds the bytes from one place to another, as they are.
func (f *fastDeflater) putLiterals(from, to int) {
	for i, b := range f.source[from:to] {
		f.tokens[f.used] = uint32(b)
		f.used++
		f.block.literalCounts[b]++
		if f.used == fastTokens {
			f.flush(from + i + 1)
		}
	}
}

// flush writes a block of what the tokens stand for, which ends there.
func (f *fastDeflater) flush(end int) {
	f.block.write(f.tokens[:f.used], f.source[f.start:end])
	f.used, f.start = 0, end
}
