package wscore

// codeOrder is the order in which the lengths of the length code stand
// (RFC 1951 section 3.2.7).
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// The entries of all symbols, but for the lengths of their codes (RFC 1951
// sections 3.2.5 and 3.2.7).
var literalSymbols, distanceSymbols, sizeSymbols = func() (literals [maxLiterals]prefixEntry, distances [maxDistances]prefixEntry, sizes [19]prefixEntry) {
	for i := range endOfBlock {
		literals[i] = entryLiteral | symbolEntry(i, 0)
	}
	literals[endOfBlock] = entryEnd
	base := 3
	for i := range 28 {
		extra := max(0, i/4-1)
		literals[endOfBlock+1+i] = symbolEntry(base, extra)
		base += 1 << extra
	}
	literals[285] = symbolEntry(258, 0)
	literals[286], literals[287] = entryReserved, entryReserved
	base = 1
	for i := range 30 {
		extra := max(0, i/2-1)
		distances[i] = symbolEntry(base, extra)
		base += 1 << extra
	}
	distances[30], distances[31] = entryReserved, entryReserved
	for i := range 16 {
		sizes[i] = symbolEntry(i, 0)
	}
	sizes[16] = entryRepeats | entryRepeatsLast | symbolEntry(3, 2)
	sizes[17] = entryRepeats | symbolEntry(3, 3)
	sizes[18] = entryRepeats | symbolEntry(11, 7)
	return literals, distances, sizes
}()

func symbolEntry(base, extra int) prefixEntry {
	return prefixEntry(base)<<entryBaseShift | prefixEntry(extra)<<entryExtraShift
}

// useFixedCodes makes the tables those of RFC 1951 section 3.2.6.
func (z *Inflater) useFixedCodes() {
	if z.fixed {
		return
	}
	for i := range z.lengths {
		switch {
		case i < 144:
			z.lengths[i] = 8
		case i < 256:
			z.lengths[i] = 9
		case i < 280:
			z.lengths[i] = 7
		case i < maxLiterals:
			z.lengths[i] = 8
		default:
			z.lengths[i] = 5
		}
	}
	z.literal.build(z.lengths[:maxLiterals], literalSymbols[:])
	z.distant.build(z.lengths[maxLiterals:], distanceSymbols[:])
	z.fixed = true
}
