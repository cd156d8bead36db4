package wscore

// The head of a block with codes of its own (RFC 1951 section 3.2.7).

func (w *inflateRun) dynamicHeader() (InflateStatus, bool) {
	if !w.need(14) {
		return InflateNeedInput, false
	}
	w.literals = int(w.take(5)) + 257
	w.distances = int(w.take(5)) + 1
	w.codeCount = int(w.take(4)) + 4
	if w.literals > 286 || w.distances > 30 {
		return InflateCorrupt, false
	}
	w.read, w.fixed = 0, false
	clear(w.lengths[:])
	w.state = dynamicCode
	return 0, true
}

func (w *inflateRun) dynamicCode() (InflateStatus, bool) {
	for w.read < w.codeCount {
		if !w.need(3) {
			return InflateNeedInput, false
		}
		w.lengths[codeOrder[w.read]] = uint8(w.take(3))
		w.read++
	}
	if !w.sizeCode.build(w.lengths[:19], sizeSymbols[:]) {
		return InflateCorrupt, false
	}
	clear(w.lengths[:19])
	w.read, w.state = 0, dynamicLengths
	return 0, true
}

func (w *inflateRun) dynamicLengths() (InflateStatus, bool) {
	total := w.literals + w.distances
	for w.read < total {
		if w.count < maxPrefix { // a length takes 14 bits at most, with its repeat
			w.fill()
		}
		entry := w.sizeCode.look(w.bits)
		if entry == 0 && w.count >= maxPrefix {
			return InflateCorrupt, false
		}
		repeat, size := entry.complete(w.bits)
		if entry == 0 || w.count < size {
			return InflateNeedInput, false
		}
		w.drop(size)
		if entry&entryRepeats == 0 {
			w.lengths[w.read] = uint8(repeat) // no repeat but the length itself
			w.read++
			continue
		}
		if w.read+repeat > total || entry&entryRepeatsLast != 0 && w.read == 0 {
			return InflateCorrupt, false
		}
		if entry&entryRepeatsLast != 0 { // else the zeros that are there
			for i := range repeat {
				w.lengths[w.read+i] = w.lengths[w.read-1]
			}
		}
		w.read += repeat
	}
	if w.lengths[endOfBlock] == 0 || !w.literal.build(w.lengths[:w.literals], literalSymbols[:]) ||
		!w.distant.build(w.lengths[w.literals:total], distanceSymbols[:]) {
		return InflateCorrupt, false
	}
	w.state = blockSymbols
	return 0, true
}
