package wscore

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// blockWriter writes DEFLATE blocks (RFC 1951 section 3.2): each stored, with
// the fixed codes or with codes of its own, whichever is shortest.
type blockWriter struct {
	dst  []byte
	bits uint64 // not in dst yet, the next bit lowest
	held uint   // how many bits that is, up to 7 between puts

	extra          int // bits that complete the lengths and distances counted
	literalCounts  [286]uint16
	distanceCounts [30]uint16
	literal        [286]prefixCode
	distance       [30]prefixCode

	sizes      [286 + 30]uint8 // the codes' lengths as they are written: lengths and repeats
	extras     [286 + 30]uint8 // how often
	sizeUsed   int
	sizeCounts [19]uint16
	size       [19]prefixCode
}

// sizeExtra is how many bits say how often a length is repeated.
var sizeExtra = [19]uint{16: 2, 17: 3, 18: 7}

func (w *blockWriter) begin(dst []byte) { w.dst, w.bits, w.held = dst, 0, 0 }

// end pads the last byte with zeros and returns dst.
func (w *blockWriter) end() []byte {
	if w.held > 0 {
		w.put(0, 8-w.held)
	}
	dst := w.dst
	w.dst = nil
	return dst
}

// put appends up to 57 bits.
func (w *blockWriter) put(v uint64, n uint) {
	w.bits |= v << w.held
	for w.held += n; w.held >= 8; w.held -= 8 {
		w.dst = append(w.dst, byte(w.bits))
		w.bits >>= 8
	}
}

// lengthSymbol and distanceSymbol are the reverse of the tables in RFC 1951
// section 3.2.5.
func lengthSymbol(length int) (symbol int, extra uint64, n uint) {
	v := uint(length - 3)
	switch {
	case v < 8:
		return endOfBlock + 1 + int(v), 0, 0
	case length == maxMatch:
		return 285, 0, 0
	}
	n = uint(bits.Len(v)) - 3
	return endOfBlock + 1 + int(4*(n+1)+v>>n&3), uint64(v & (1<<n - 1)), n
}

func distanceSymbol(distance int) (symbol int, extra uint64, n uint) {
	v := uint(distance - 1)
	if v < 4 {
		return int(v), 0, 0
	}
	n = uint(bits.Len(v)) - 2
	return int(2*(n+1) + v>>n&1), uint64(v & (1<<n - 1)), n
}

func (w *blockWriter) countMatch(length, distance int) {
	symbol, _, n := lengthSymbol(length)
	w.literalCounts[symbol]++
	w.extra += int(n)
	symbol, _, n = distanceSymbol(distance)
	w.distanceCounts[symbol]++
	w.extra += int(n)
}

// write writes the tokens that were counted, which stand for plain, as a block.
func (w *blockWriter) write(tokens []uint32, plain []byte) {
	w.literalCounts[endOfBlock] = 1
	fixed := w.fixedSize()
	own := w.extra
	own += assignCodes(w.literal[:], w.literalCounts[:], maxPrefix)
	own += assignCodes(w.distance[:], w.distanceCounts[:], maxPrefix)
	literals, distances := w.describe()
	own += w.descriptionSize()
	clear(w.literalCounts[:])
	clear(w.distanceCounts[:])
	w.extra = 0

	if stored := len(plain) * 8; stored+storedSpare < min(fixed, own) && len(plain) <= 0xFFFF {
		w.store(plain)
		return
	}
	w.dst = slices.Grow(w.dst, min(fixed, own)/8+16)
	if fixed <= own {
		w.put(1<<1, 3)
		w.putTokens(tokens, &fixedLiteral, &fixedDistance)
		return
	}
	w.put(2<<1, 3)
	w.putDescription(literals, distances)
	w.putTokens(tokens, &w.literal, &w.distance)
}

// storedSpare is what a stored block has besides its bytes, in bits.
const storedSpare = 7 + 32

func (w *blockWriter) store(plain []byte) {
	w.put(0, 3)
	if w.held > 0 {
		w.put(0, 8-w.held)
	}
	w.dst = binary.LittleEndian.AppendUint16(w.dst, uint16(len(plain)))
	w.dst = binary.LittleEndian.AppendUint16(w.dst, ^uint16(len(plain)))
	w.dst = append(w.dst, plain...)
}

// fixedSize is how many bits the counted tokens take with the fixed codes.
func (w *blockWriter) fixedSize() int {
	total := w.extra
	for symbol, count := range w.literalCounts[:] {
		total += int(count) * int(fixedLiteral[symbol].size())
	}
	for symbol, count := range w.distanceCounts[:] {
		total += int(count) * int(fixedDistance[symbol].size())
	}
	return total
}

// describe turns the lengths of both codes into lengths and repeats, and makes
// the code for these (RFC 1951 section 3.2.7).
func (w *blockWriter) describe() (literals, distances int) {
	literals, distances = 286, 30
	for w.literal[literals-1] == 0 {
		literals--
	}
	for w.distance[distances-1] == 0 {
		distances--
	}
	var all [286 + 30]uint8
	for i, code := range w.literal[:literals] {
		all[i] = uint8(code.size())
	}
	for i, code := range w.distance[:distances] {
		all[literals+i] = uint8(code.size())
	}
	w.sizeUsed = 0
	clear(w.sizeCounts[:])
	for rest := all[:literals+distances]; len(rest) > 0; {
		same := 1
		for same < len(rest) && rest[same] == rest[0] {
			same++
		}
		w.describeRun(rest[0], same)
		rest = rest[same:]
	}
	assignCodes(w.size[:], w.sizeCounts[:], 7)
	return literals, distances
}

// describeRun adds a length that stands there so many times in a row.
func (w *blockWriter) describeRun(size uint8, times int) {
	if size > 0 {
		w.addSize(size, 0)
		times--
	}
	for times >= 3 {
		n := 0
		switch {
		case size > 0:
			n = min(times, 6)
			w.addSize(16, n-3)
		case times <= 10:
			n = times
			w.addSize(17, n-3)
		default:
			n = min(times, 138)
			w.addSize(18, n-11)
		}
		times -= n
	}
	for range times {
		w.addSize(size, 0)
	}
}

func (w *blockWriter) addSize(symbol uint8, extra int) {
	w.sizes[w.sizeUsed], w.extras[w.sizeUsed] = symbol, uint8(extra)
	w.sizeUsed++
	w.sizeCounts[symbol]++
}

// sizeCodes is how many lengths of the third code are written.
func (w *blockWriter) sizeCodes() int {
	n := len(codeOrder)
	for n > 4 && w.size[codeOrder[n-1]] == 0 {
		n--
	}
	return n
}

func (w *blockWriter) descriptionSize() int {
	total := 14 + 3*w.sizeCodes()
	for symbol, count := range w.sizeCounts[:] {
		total += int(count) * int(w.size[symbol].size()+sizeExtra[symbol])
	}
	return total
}

func (w *blockWriter) putDescription(literals, distances int) {
	n := w.sizeCodes()
	w.put(uint64(literals-257)|uint64(distances-1)<<5|uint64(n-4)<<10, 14)
	for _, symbol := range codeOrder[:n] {
		w.put(uint64(w.size[symbol].size()), 3)
	}
	for i, symbol := range w.sizes[:w.sizeUsed] {
		code := w.size[symbol]
		w.put(code.bits()|uint64(w.extras[i])<<code.size(), code.size()+sizeExtra[symbol])
	}
}

// putTokens writes a block's tokens and its end; dst has room for them and
// eight bytes more.
func (w *blockWriter) putTokens(tokens []uint32, literal *[286]prefixCode, distance *[30]prefixCode) {
	dst, at := w.dst[:cap(w.dst)], len(w.dst)
	acc, held := w.bits, w.held
	for _, token := range tokens {
		if token&tokenMatch == 0 {
			code := literal[token&0xFF]
			acc |= code.bits() << (held & 63)
			held += code.size()
		} else {
			symbol, extra, n := lengthSymbol(int(token>>16&0xFF) + 3)
			code := literal[symbol]
			acc |= (code.bits() | extra<<code.size()) << (held & 63)
			held += code.size() + n
			symbol, extra, n = distanceSymbol(int(token&0x7FFF) + 1)
			code = distance[symbol]
			acc |= (code.bits() | extra<<code.size()) << (held & 63)
			held += code.size() + n
		}
		// Seven bits were held, and a match has 48 at most.
		binary.LittleEndian.PutUint64(dst[at:], acc)
		at += int(held >> 3)
		acc >>= held &^ 7 & 63
		held &= 7
	}
	w.dst, w.bits, w.held = dst[:at], acc, held
	end := literal[endOfBlock]
	w.put(end.bits(), end.size())
}

// The codes of RFC 1951 section 3.2.6.
var fixedLiteral, fixedDistance = func() (literal [286]prefixCode, distance [30]prefixCode) {
	for i := range literal {
		code, size := 0, 0
		switch {
		case i < 144:
			code, size = 0x30+i, 8
		case i < 256:
			code, size = 0x190+i-144, 9
		case i < 280:
			code, size = i-256, 7
		default:
			code, size = 0xC0+i-280, 8
		}
		literal[i] = prefixCode(bits.Reverse16(uint16(code<<(16-size))))<<4 | prefixCode(size)
	}
	for i := range distance {
		distance[i] = prefixCode(bits.Reverse16(uint16(i<<11)))<<4 | 5
	}
	return literal, distance
}()
