package wscore

import "encoding/binary"

// Inflater decompresses DEFLATE (RFC 1951) as permessage-deflate uses it
// (RFC 7692 section 7.2.2): one message after another, each in pieces of any
// size, straight into memory of the caller. It holds the tables of one block
// and no window, because what a message may refer back to lies in the
// message's own output and in a dictionary that the caller keeps. It can stop
// at any byte of input or output and go on later, allocates nothing, and may
// serve one message after another on different connections.
type Inflater struct {
	bits  uint64 // input taken and not used, next bit lowest
	count uint   // how many bits that is
	state inflateState
	final bool // the current block is marked as the last

	window int // the furthest that a match may reach back; 0 for all of DEFLATE's

	stored   int // bytes of a stored block still to copy
	length   int // bytes of a match still to copy,
	distance int // from this far back

	literals  int // literal and length codes of a dynamic block
	distances int // its distance codes
	read      int // code lengths read so far
	codeCount int // lengths of the code that describes the others
	lengths   [maxLiterals + maxDistances]uint8

	literal  prefixTable
	distant  prefixTable
	fixed    bool // the tables hold the fixed codes
	sizeCode prefixTable
}

type inflateState uint8

const (
	blockHeader inflateState = iota
	storedLength
	storedBytes
	dynamicHeader
	dynamicCode
	dynamicLengths
	blockSymbols
	matchCopy
	inflateBroken
)

const (
	maxLiterals  = 288
	maxDistances = 32
	endOfBlock   = 256
)

// InflateStatus says why [Inflater.Inflate] stopped.
type InflateStatus uint8

// The reasons.
const (
	// InflateNeedInput: all input was used.
	InflateNeedInput InflateStatus = iota
	// InflateNeedRoom: the output is full and there is more to write.
	InflateNeedRoom
	// InflateCorrupt: the input is not DEFLATE; nothing more can be read.
	InflateCorrupt
)

// Reset makes the inflater ready for a new message.
func (z *Inflater) Reset() {
	z.bits, z.count, z.state, z.final, z.stored, z.length, z.window = 0, 0, blockHeader, false, 0, 0, 0
}

// AtBoundary reports whether the input ended where a message may end: between
// blocks, with nothing but padding left.
func (z *Inflater) AtBoundary() bool { return z.state == blockHeader && z.count < 8 }

// Inflate decompresses source into out from index used on. out holds the
// message's output from its first byte, since matches refer back to it, and
// dictionary what came before the message. It returns how much of out is used
// now and how much of source was taken. What lies in out behind that may have
// been written over.
func (z *Inflater) Inflate(out []byte, used int, source, dictionary []byte) (produced, taken int, status InflateStatus) {
	w := inflateRun{Inflater: z, out: out, used: used, source: source, dictionary: dictionary, furthest: z.window}
	if w.furthest == 0 {
		w.furthest = 1 << maxWindowBits
	}
	for {
		var status InflateStatus
		var more bool
		switch z.state {
		case blockHeader:
			status, more = w.header()
		case storedLength:
			status, more = w.storedLength()
		case storedBytes:
			status, more = w.storedBytes()
		case dynamicHeader:
			status, more = w.dynamicHeader()
		case dynamicCode:
			status, more = w.dynamicCode()
		case dynamicLengths:
			status, more = w.dynamicLengths()
		case blockSymbols:
			status, more = w.symbols()
		case matchCopy:
			status, more = w.matchCopy()
		default:
			status = InflateCorrupt
		}
		if !more {
			if status == InflateCorrupt {
				z.state = inflateBroken
			}
			w.forgetUncounted()
			return w.used, w.taken, status
		}
	}
}

// inflateRun is one call of Inflate. Its steps return more when the state has
// moved on, and otherwise why they cannot go on; a step that lacks input takes
// no bits, so that it can be tried again.
type inflateRun struct {
	*Inflater
	out        []byte
	used       int
	source     []byte
	taken      int
	dictionary []byte
	furthest   int
}

// fill takes whole bytes of input until 56 bits or more are at hand. It may
// leave the first bits of the next byte beyond count: they come again at the same
// place.
func (w *inflateRun) fill() {
	if w.count >= 56 {
		return
	}
	if len(w.source)-w.taken >= 8 {
		w.bits |= binary.LittleEndian.Uint64(w.source[w.taken:]) << w.count
		n := (63 - w.count) >> 3
		w.taken += int(n)
		w.count += n << 3
		return
	}
	for w.count <= 56 && w.taken < len(w.source) {
		w.bits |= uint64(w.source[w.taken]) << w.count
		w.taken++
		w.count += 8
	}
}

// need reports whether n bits are at hand.
func (w *inflateRun) need(n uint) bool {
	if w.count < n {
		w.fill()
	}
	return w.count >= n
}

func (w *inflateRun) take(n uint) uint {
	v := uint(w.bits & (1<<n - 1))
	w.drop(n)
	return v
}

func (w *inflateRun) drop(n uint) {
	w.bits >>= n
	w.count -= n
}

// forgetUncounted clears what lies beyond count, where other bytes may follow.
func (w *inflateRun) forgetUncounted() { w.bits &= 1<<w.count - 1 }

func (w *inflateRun) header() (InflateStatus, bool) {
	if w.final {
		w.drop(w.count & 7) // a stream that ended is followed by the next, at a byte
		w.final = false
	}
	if !w.need(3) {
		return InflateNeedInput, false
	}
	w.final = w.take(1) == 1
	switch w.take(2) {
	case 0:
		w.drop(w.count & 7)
		w.state = storedLength
	case 1:
		w.useFixedCodes()
		w.state = blockSymbols
	case 2:
		w.state = dynamicHeader
	default:
		return InflateCorrupt, false
	}
	return 0, true
}

func (w *inflateRun) storedLength() (InflateStatus, bool) {
	if !w.need(32) {
		return InflateNeedInput, false
	}
	length, check := w.take(16), w.take(16)
	if length != ^check&0xFFFF {
		return InflateCorrupt, false
	}
	w.stored, w.state = int(length), storedBytes
	return 0, true
}

func (w *inflateRun) storedBytes() (InflateStatus, bool) {
	for w.stored > 0 && w.count >= 8 {
		if w.used == len(w.out) {
			return InflateNeedRoom, false
		}
		w.out[w.used] = byte(w.take(8))
		w.used++
		w.stored--
	}
	if w.stored > 0 {
		w.forgetUncounted()
		source := w.source[w.taken:]
		n := copy(w.out[w.used:], source[:min(w.stored, len(source))])
		w.used += n
		w.taken += n
		w.stored -= n
		if w.stored > 0 {
			if w.used == len(w.out) {
				return InflateNeedRoom, false
			}
			return InflateNeedInput, false
		}
	}
	w.state = blockHeader
	return 0, true
}

// symbols decodes literals and matches. All bits of a literal or of a match's
// length and distance, 48 at most, are at hand before any is taken.
func (w *inflateRun) symbols() (InflateStatus, bool) {
	for {
		w.symbolsInside()
		if w.count < 48 {
			w.fill()
		}
		entry := w.literal.look(w.bits)
		size := entry.size()
		if entry == 0 || size > w.count {
			return w.starved(entry)
		}
		switch {
		case entry&entryLiteral != 0:
			if w.used == len(w.out) {
				return InflateNeedRoom, false
			}
			w.out[w.used] = byte(entry.base())
			w.used++
			w.drop(size)
			continue
		case entry&entryEnd != 0:
			w.drop(size)
			w.state = blockHeader
			return 0, true
		case entry&entryReserved != 0:
			return InflateCorrupt, false
		}
		length, lengthSize := entry.complete(w.bits)
		entry = w.distant.look(w.bits >> lengthSize)
		if entry == 0 || lengthSize+entry.size() > w.count {
			if w.count >= lengthSize+maxPrefix && entry == 0 {
				return InflateCorrupt, false
			}
			return InflateNeedInput, false
		}
		if entry&entryReserved != 0 {
			return InflateCorrupt, false
		}
		distance, distanceSize := entry.complete(w.bits >> lengthSize)
		if lengthSize+distanceSize > w.count {
			return InflateNeedInput, false
		}
		w.drop(lengthSize + distanceSize)
		if distance > w.used+len(w.dictionary) || distance > w.furthest {
			return InflateCorrupt, false
		}
		w.length, w.distance = length, distance
		if status, more := w.matchCopy(); !more {
			w.state = matchCopy
			return status, false
		}
	}
}

// starved tells a code that is cut off by the end of the input from one that
// does not exist.
func (w *inflateRun) starved(entry prefixEntry) (InflateStatus, bool) {
	if entry == 0 && w.count >= maxPrefix {
		return InflateCorrupt, false
	}
	return InflateNeedInput, false
}

// matchCopy repeats what lies distance bytes back. An overlapping match
// repeats itself, so what has been copied may be copied again: the span doubles.
func (w *inflateRun) matchCopy() (InflateStatus, bool) {
	for w.length > 0 && w.distance > w.used {
		from := w.dictionary[len(w.dictionary)-(w.distance-w.used):]
		n := copy(w.out[w.used:], from[:min(len(from), w.length)])
		if n == 0 {
			return InflateNeedRoom, false
		}
		w.used += n
		w.length -= n
	}
	for start := w.used - w.distance; w.length > 0; {
		span := min(w.used-start, w.length)
		n := copy(w.out[w.used:], w.out[start:start+span])
		if n == 0 {
			return InflateNeedRoom, false
		}
		w.used += n
		w.length -= n
	}
	w.state = blockSymbols
	return 0, true
}
