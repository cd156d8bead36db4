package wscore

// codeOrder is the order in which the lengths of the length code stand
// (RFC 1951 section 3.2.7).
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// extraBits is how a length or distance symbol is completed: base plus the
// value of that many further bits (RFC 1951 section 3.2.5).
type extraBits struct {
	base  uint16
	extra uint8
}

var lengthRules, distanceRules = func() (lengths [29]extraBits, distances [30]extraBits) {
	base := uint16(3)
	for i := range 28 {
		extra := uint8(0)
		if i >= 8 {
			extra = uint8(i/4 - 1)
		}
		lengths[i] = extraBits{base, extra}
		base += 1 << extra
	}
	lengths[28] = extraBits{258, 0}
	base = 1
	for i := range distances {
		extra := uint8(0)
		if i >= 4 {
			extra = uint8(i/2 - 1)
		}
		distances[i] = extraBits{base, extra}
		base += 1 << extra
	}
	return lengths, distances
}()

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
	z.literal.build(z.lengths[:maxLiterals])
	z.distant.build(z.lengths[maxLiterals:])
	z.fixed = true
}
