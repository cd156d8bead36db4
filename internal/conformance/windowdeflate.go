package conformance

import (
	"encoding/binary"
	"math/bits"
)

const (
	matchMin  = 4
	matchMax  = 258
	hashBits  = 13
	hashPrime = 0x9E3779B1
)

// windowDeflater compresses messages with matches that never reach back
// further than a given window, up to and including its very end. The standard
// library's compressor always works with 32 KiB, so where a peer has agreed
// to less this one takes its place: greedy matching, fixed Huffman codes, one
// block a message.
type windowDeflater struct {
	window   int
	takeover bool
	history  []byte
	base     int                // absolute position of history[0]
	last     [1 << hashBits]int // absolute position + 1 of the last octets with this hash

	out  []byte
	hold uint64
	have uint
}

func newWindowDeflater(bits int, takeover bool) *windowDeflater {
	return &windowDeflater{window: 1 << bits, takeover: takeover}
}

// message compresses one message and leaves out the tail.
func (d *windowDeflater) message(payload []byte) []byte {
	d.out = make([]byte, 0, len(payload)/2+16)
	d.put(1<<1, 3) // not final, fixed codes
	buffer := append(append(make([]byte, 0, len(d.history)+len(payload)), d.history...), payload...)
	for i := len(d.history); i < len(buffer); {
		distance, length := d.match(buffer, i)
		if length == 0 {
			d.putLiteral(uint(buffer[i]))
			i++
			continue
		}
		d.putMatch(distance, length)
		for end := i + length; i < end; i++ {
			d.remember(buffer, i)
		}
	}
	keep := 0
	if d.takeover {
		keep = min(d.window, len(buffer))
	}
	d.base += len(buffer) - keep
	d.history = buffer[len(buffer)-keep:]
	return d.end()
}

// end finishes the block and appends the head of an empty stored one, whose
// four octets are the tail left out.
func (d *windowDeflater) end() []byte {
	d.putLiteral(256)
	d.put(0, 3)
	d.put(0, (8-d.have%8)%8)
	d.flush()
	return d.out
}

// match looks for an earlier occurrence of what stands at i.
func (d *windowDeflater) match(buffer []byte, i int) (distance, length int) {
	if len(buffer)-i < matchMin {
		return 0, 0
	}
	candidate := d.remember(buffer, i) - 1 - d.base
	if candidate < 0 || i-candidate > d.window {
		return 0, 0
	}
	for length < matchMax && i+length < len(buffer) && buffer[candidate+length] == buffer[i+length] {
		length++
	}
	if length < matchMin {
		return 0, 0
	}
	return i - candidate, length
}

// remember notes that the octets at i were seen, and returns the note made
// before for octets of the same hash.
func (d *windowDeflater) remember(buffer []byte, i int) int {
	if len(buffer)-i < matchMin {
		return 0
	}
	slot := &d.last[binary.LittleEndian.Uint32(buffer[i:])*hashPrime>>(32-hashBits)]
	before := *slot
	if now := d.base + i + 1; before != now {
		*slot = now
	}
	return before
}

func (d *windowDeflater) putMatch(distance, length int) {
	symbol := 0
	for symbol+1 < len(lengthBase) && int(lengthBase[symbol+1]) <= length {
		symbol++
	}
	d.putLiteral(uint(symbol) + 257)
	d.put(uint64(length-int(lengthBase[symbol])), uint(lengthExtra[symbol]))
	symbol = 0
	for symbol+1 < len(distanceBase) && int(distanceBase[symbol+1]) <= distance {
		symbol++
	}
	d.put(uint64(bits.Reverse8(uint8(symbol))>>3), 5)
	d.put(uint64(distance-int(distanceBase[symbol])), uint(distanceExtra[symbol]))
}

// putLiteral writes a literal or length symbol in the fixed code of RFC 1951
// 3.2.6, whose codes go out most significant bit first.
func (d *windowDeflater) putLiteral(symbol uint) {
	var code, n uint
	switch {
	case symbol < 144:
		code, n = 0x30+symbol, 8
	case symbol < 256:
		code, n = 0x190+symbol-144, 9
	case symbol < 280:
		code, n = symbol-256, 7
	default:
		code, n = 0xC0+symbol-280, 8
	}
	d.put(uint64(bits.Reverse16(uint16(code))>>(16-n)), n)
}

func (d *windowDeflater) put(v uint64, n uint) {
	d.hold |= v << d.have
	d.have += n
	if d.have > 40 {
		d.flush()
	}
}

// flush moves whole octets out.
func (d *windowDeflater) flush() {
	for d.have >= 8 {
		d.out = append(d.out, byte(d.hold))
		d.hold >>= 8
		d.have -= 8
	}
}
