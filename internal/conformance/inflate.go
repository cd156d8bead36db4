package conformance

import (
	"errors"
	"fmt"
)

// The ways in which a compressed message can be wrong.
var (
	errDeflateCorrupt  = errors.New("the deflate stream is malformed")
	errDeflateShort    = errors.New("the deflate stream ends inside a block")
	errDeflateDistance = errors.New("a match reaches back further than the window or the history")
	errDeflateLimit    = errors.New("the message inflates beyond the limit")
	errDeflateTail     = errors.New("the tail 00 00 ff ff was not removed")
)

// deflateTail is what a sender removes from the end of every message and a
// receiver puts back (RFC 7692 7.2).
const deflateTail = "\x00\x00\xff\xff"

// inflater decompresses messages and judges every distance, which the
// standard library's reader cannot do for windows under 32 KiB.
type inflater struct {
	window   int  // longest distance allowed
	takeover bool // the window carries over to the next message
	history  []byte

	in   []byte
	pos  int
	hold uint64
	have uint
}

func newInflater(bits int, takeover bool) *inflater {
	return &inflater{window: 1 << bits, takeover: takeover}
}

// message inflates one message of at most limit octets.
func (d *inflater) message(payload []byte, limit int) ([]byte, error) {
	if n := len(payload) - len(deflateTail); n >= 0 && string(payload[n:]) == deflateTail {
		return nil, errDeflateTail
	}
	d.in = append(append(make([]byte, 0, len(payload)+len(deflateTail)), payload...), deflateTail...)
	d.pos, d.hold, d.have = 0, 0, 0
	start := len(d.history)
	out := append(make([]byte, 0, start+4*len(payload)), d.history...)
	limit += start
	for d.pos < len(d.in) || d.have >= 3 {
		final, err := d.bits(1)
		if err != nil {
			return nil, err
		}
		kind, err := d.bits(2)
		if err != nil {
			return nil, err
		}
		switch kind {
		case 0:
			out, err = d.stored(out, limit)
		case 1:
			literals, distances := fixedCodes()
			out, err = d.block(out, limit, literals, distances)
		case 2:
			var literals, distances *prefixCode
			if literals, distances, err = d.dynamicCodes(); err == nil {
				out, err = d.block(out, limit, literals, distances)
			}
		default:
			err = fmt.Errorf("%w: block type 3", errDeflateCorrupt)
		}
		if err != nil {
			return nil, err
		}
		if final == 1 {
			d.align() // what follows a final block starts on an octet
		}
	}
	message := out[start:]
	d.history = nil
	if d.takeover {
		d.history = append([]byte(nil), out[max(0, len(out)-d.window):]...)
	}
	return message, nil
}

func (d *inflater) bits(n uint) (uint, error) {
	for d.have < n {
		if d.pos == len(d.in) {
			return 0, errDeflateShort
		}
		d.hold |= uint64(d.in[d.pos]) << d.have
		d.pos++
		d.have += 8
	}
	v := uint(d.hold & (1<<n - 1))
	d.hold >>= n
	d.have -= n
	return v, nil
}

func (d *inflater) align() {
	d.hold >>= d.have % 8
	d.have -= d.have % 8
}

func (d *inflater) stored(out []byte, limit int) ([]byte, error) {
	d.align()
	length, err := d.bits(16)
	if err != nil {
		return nil, err
	}
	check, err := d.bits(16)
	if err != nil {
		return nil, err
	}
	if length != check^0xffff {
		return nil, fmt.Errorf("%w: stored length does not match its complement", errDeflateCorrupt)
	}
	for d.have > 0 && length > 0 {
		out = append(out, byte(d.hold))
		d.hold >>= 8
		d.have -= 8
		length--
	}
	if int(length) > len(d.in)-d.pos {
		return nil, errDeflateShort
	}
	out = append(out, d.in[d.pos:d.pos+int(length)]...)
	d.pos += int(length)
	if len(out) > limit {
		return nil, errDeflateLimit
	}
	return out, nil
}

func (d *inflater) block(out []byte, limit int, literals, distances *prefixCode) ([]byte, error) {
	for {
		symbol, err := d.symbol(literals)
		switch {
		case err != nil:
			return nil, err
		case symbol < 256:
			if len(out) >= limit {
				return nil, errDeflateLimit
			}
			out = append(out, byte(symbol))
			continue
		case symbol == 256:
			return out, nil
		case symbol > 285:
			return nil, fmt.Errorf("%w: length symbol %d", errDeflateCorrupt, symbol)
		}
		extra, err := d.bits(uint(lengthExtra[symbol-257]))
		if err != nil {
			return nil, err
		}
		length := int(lengthBase[symbol-257]) + int(extra)
		if symbol, err = d.symbol(distances); err != nil {
			return nil, err
		}
		if symbol > 29 {
			return nil, fmt.Errorf("%w: distance symbol %d", errDeflateCorrupt, symbol)
		}
		if extra, err = d.bits(uint(distanceExtra[symbol])); err != nil {
			return nil, err
		}
		distance := int(distanceBase[symbol]) + int(extra)
		if distance > len(out) || distance > d.window {
			return nil, fmt.Errorf("%w: distance %d, window %d, history %d", errDeflateDistance, distance, d.window, len(out))
		}
		if len(out)+length > limit {
			return nil, errDeflateLimit
		}
		for from := len(out) - distance; length > 0; {
			n := min(length, len(out)-from)
			out = append(out, out[from:from+n]...)
			from, length = from+n, length-n
		}
	}
}

// codeLengthOrder is the order in which RFC 1951 3.2.7 writes the lengths of
// the code that writes the lengths.
var codeLengthOrder = [19]byte{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

func (d *inflater) dynamicCodes() (literals, distances *prefixCode, err error) {
	var counts [3]uint
	for i, n := range []uint{5, 5, 4} {
		if counts[i], err = d.bits(n); err != nil {
			return nil, nil, err
		}
	}
	literalCount, distanceCount := int(counts[0])+257, int(counts[1])+1
	if literalCount > 286 || distanceCount > 30 {
		return nil, nil, fmt.Errorf("%w: too many symbols", errDeflateCorrupt)
	}
	var meta [19]byte
	for i := range int(counts[2]) + 4 {
		n, err := d.bits(3)
		if err != nil {
			return nil, nil, err
		}
		meta[codeLengthOrder[i]] = byte(n)
	}
	lengthCode, err := newPrefixCode(meta[:], false)
	if err != nil {
		return nil, nil, err
	}
	var lengths [286 + 30]byte
	for i := 0; i < literalCount+distanceCount; {
		symbol, err := d.symbol(lengthCode)
		if err != nil {
			return nil, nil, err
		}
		if symbol < 16 {
			lengths[i] = byte(symbol)
			i++
			continue
		}
		var value byte
		repeat := [3]struct{ base, extra uint }{{3, 2}, {3, 3}, {11, 7}}[symbol-16]
		if symbol == 16 {
			if i == 0 {
				return nil, nil, fmt.Errorf("%w: nothing to repeat", errDeflateCorrupt)
			}
			value = lengths[i-1]
		}
		n, err := d.bits(repeat.extra)
		if err != nil {
			return nil, nil, err
		}
		count := int(repeat.base + n)
		if i+count > literalCount+distanceCount {
			return nil, nil, fmt.Errorf("%w: a repeat runs over", errDeflateCorrupt)
		}
		for range count {
			lengths[i] = value
			i++
		}
	}
	if lengths[256] == 0 {
		return nil, nil, fmt.Errorf("%w: a block without an end", errDeflateCorrupt)
	}
	if literals, err = newPrefixCode(lengths[:literalCount], false); err != nil {
		return nil, nil, err
	}
	distances, err = newPrefixCode(lengths[literalCount:literalCount+distanceCount], true)
	return literals, distances, err
}
