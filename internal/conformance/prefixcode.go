package conformance

import (
	"fmt"
	"math/bits"
	"sync"
)

// The tables of RFC 1951 3.2.5, by symbol: lengths from 257 on, distances
// from 0 on.
var (
	lengthBase = [29]uint16{
		3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
	}
	lengthExtra = [29]uint8{
		0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
	}
	distanceBase = [30]uint16{
		1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769,
		1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
	}
	distanceExtra = [30]uint8{
		0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
	}
)

const (
	maxCodeBits  = 15
	fastCodeBits = 9
)

// prefixCode decodes one canonical Huffman code: codes of up to fastCodeBits
// by table, longer ones bit by bit.
type prefixCode struct {
	fast    [1 << fastCodeBits]uint16 // symbol<<4 | length, 0 for longer codes
	count   [maxCodeBits + 1]int
	symbols []uint16 // by length, then by value
}

// newPrefixCode builds the code with the given lengths. Only a distance code
// may be incomplete, and then only with at most one symbol.
func newPrefixCode(lengths []byte, distance bool) (*prefixCode, error) {
	c := &prefixCode{symbols: make([]uint16, 0, len(lengths))}
	for _, n := range lengths {
		c.count[n]++
	}
	used := len(lengths) - c.count[0]
	c.count[0] = 0
	left := 1
	for n := 1; n <= maxCodeBits; n++ {
		left = left<<1 - c.count[n]
		if left < 0 {
			return nil, fmt.Errorf("%w: more codes than their lengths allow", errDeflateCorrupt)
		}
	}
	if left > 0 && (!distance || used > 1) {
		return nil, fmt.Errorf("%w: fewer codes than their lengths ask for", errDeflateCorrupt)
	}
	code := 0
	for n := 1; n <= maxCodeBits; n++ {
		code <<= 1
		for symbol, length := range lengths {
			if int(length) != n {
				continue
			}
			c.symbols = append(c.symbols, uint16(symbol))
			if n <= fastCodeBits {
				reversed := int(bits.Reverse16(uint16(code)) >> (16 - n))
				for i := reversed; i < len(c.fast); i += 1 << n {
					c.fast[i] = uint16(symbol)<<4 | uint16(n)
				}
			}
			code++
		}
	}
	return c, nil
}

// symbol reads the next symbol of the code.
func (d *inflater) symbol(c *prefixCode) (int, error) {
	for d.have < maxCodeBits && d.pos < len(d.in) {
		d.hold |= uint64(d.in[d.pos]) << d.have
		d.pos++
		d.have += 8
	}
	if entry := c.fast[d.hold&(1<<fastCodeBits-1)]; entry != 0 && uint(entry&15) <= d.have {
		n := uint(entry & 15)
		d.hold >>= n
		d.have -= n
		return int(entry >> 4), nil
	}
	code, first, index := 0, 0, 0
	for n := 1; n <= maxCodeBits; n++ {
		bit, err := d.bits(1)
		if err != nil {
			return 0, err
		}
		code |= int(bit)
		if code-first < c.count[n] {
			return int(c.symbols[index+code-first]), nil
		}
		index += c.count[n]
		first = (first + c.count[n]) << 1
		code <<= 1
	}
	return 0, fmt.Errorf("%w: no such code", errDeflateCorrupt)
}

var fixedCodes = sync.OnceValues(func() (literals, distances *prefixCode) {
	var lengths [288]byte
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	literals, _ = newPrefixCode(lengths[:], false) // the fixed codes are complete
	var five [32]byte
	for i := range five {
		five[i] = 5
	}
	distances, _ = newPrefixCode(five[:], false)
	return literals, distances
})
