package wscore

import "encoding/binary"

const (
	insideInput = 8           // bytes of input for one refill
	insideRoom  = 2 + 258 + 7 // two literals, the longest match, and what copying words adds to it
)

// symbolsInside decodes literals and matches as long as neither the end of the
// input nor that of the output is near, so that neither needs to be looked at
// for each. It stops before whatever is neither and before whatever is wrong, for
// symbols to judge.
func (w *inflateRun) symbolsInside() {
	out, source := w.out, w.source
	used, taken := w.used, w.taken
	bits, count := w.bits, w.count
	dictionary, furthest := len(w.dictionary), w.furthest
	literal, distant := &w.literal, &w.distant
	for len(source)-taken >= insideInput && len(out)-used >= insideRoom {
		bits |= binary.LittleEndian.Uint64(source[taken:]) << (count & 63)
		taken += int(63-count) >> 3
		count |= 56
		entry := literal.look(bits)
		if entry&entryLiteral != 0 {
			out[used] = byte(entry.base())
			used++
			bits >>= entry.size() & 63
			count -= entry.size()
			entry = literal.look(bits)
			if entry&entryLiteral != 0 {
				out[used] = byte(entry.base())
				used++
				bits >>= entry.size() & 63
				count -= entry.size()
				continue
			}
			if count < 48 {
				continue
			}
		}
		if entry == 0 || entry&(entryEnd|entryReserved) != 0 {
			break
		}
		length, lengthSize := entry.complete(bits)
		entry = distant.look(bits >> (lengthSize & 63))
		distance, distanceSize := entry.complete(bits >> (lengthSize & 63))
		if entry == 0 || entry&entryReserved != 0 || distance > used+dictionary || distance > furthest {
			break
		}
		bits >>= (lengthSize + distanceSize) & 63
		count -= lengthSize + distanceSize
		if distance < 8 || distance > used {
			w.used, w.length, w.distance = used, length, distance
			w.matchCopy()
			used = w.used
			continue
		}
		from := out[used-distance : used+length]
		to := out[used : used+length+7]
		for i := 0; i < length; i += 8 {
			binary.LittleEndian.PutUint64(to[i:], binary.LittleEndian.Uint64(from[i:]))
		}
		used += length
	}
	w.used, w.taken, w.bits, w.count = used, taken, bits, count
}
