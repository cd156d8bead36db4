package wscore

import (
	"encoding/binary"
	"math/bits"
)

// Mask applies the masking key to p in place and returns the key turned so
// that it fits the byte after p: a payload that arrives in pieces is unmasked
// piece by piece with the key of the last call (RFC 6455 section 5.3). The key
// is that of [Header], its first byte in the lowest bits. Masking twice with the
// same key restores p.
func Mask(p []byte, key uint32) uint32 {
	// The key turned for the end also fits four and eight bytes before it. So the
	// last word is masked as a whole, even where it overlaps the one before: all
	// words are read before the first is written.
	next := bits.RotateLeft32(key, -8*(len(p)&3))
	switch n := len(p); {
	case n > 32 && haveAVX2:
		maskAVX2(&p[0], n, key)
	case n > 32:
		maskWords(p, key)
	case n > 16:
		first, last := twice(key), twice(next)
		b := binary.LittleEndian.Uint64(p[8:]) ^ first
		c := binary.LittleEndian.Uint64(p[n-16:]) ^ last
		d := binary.LittleEndian.Uint64(p[n-8:]) ^ last
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^first)
		binary.LittleEndian.PutUint64(p[8:], b)
		binary.LittleEndian.PutUint64(p[n-16:], c)
		binary.LittleEndian.PutUint64(p[n-8:], d)
	case n >= 8:
		d := binary.LittleEndian.Uint64(p[n-8:]) ^ twice(next)
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^twice(key))
		binary.LittleEndian.PutUint64(p[n-8:], d)
	case n >= 4:
		d := binary.LittleEndian.Uint32(p[n-4:]) ^ next
		binary.LittleEndian.PutUint32(p, binary.LittleEndian.Uint32(p)^key)
		binary.LittleEndian.PutUint32(p[n-4:], d)
	default:
		for i := range p {
			p[i] ^= byte(key)
			key >>= 8
		}
	}
	return next
}

func twice(key uint32) uint64 { return uint64(key)<<32 | uint64(key) }

// maskWords masks any p in words of eight bytes. It is what runs where there
// are no vector instructions to use.
func maskWords(p []byte, key uint32) {
	wide := twice(key)
	for len(p) >= 64 {
		b := p[:64:64]
		binary.LittleEndian.PutUint64(b[0:], binary.LittleEndian.Uint64(b[0:])^wide)
		binary.LittleEndian.PutUint64(b[8:], binary.LittleEndian.Uint64(b[8:])^wide)
		binary.LittleEndian.PutUint64(b[16:], binary.LittleEndian.Uint64(b[16:])^wide)
		binary.LittleEndian.PutUint64(b[24:], binary.LittleEndian.Uint64(b[24:])^wide)
		binary.LittleEndian.PutUint64(b[32:], binary.LittleEndian.Uint64(b[32:])^wide)
		binary.LittleEndian.PutUint64(b[40:], binary.LittleEndian.Uint64(b[40:])^wide)
		binary.LittleEndian.PutUint64(b[48:], binary.LittleEndian.Uint64(b[48:])^wide)
		binary.LittleEndian.PutUint64(b[56:], binary.LittleEndian.Uint64(b[56:])^wide)
		p = p[64:]
	}
	for len(p) >= 8 {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^wide)
		p = p[8:]
	}
	if len(p) >= 4 {
		binary.LittleEndian.PutUint32(p, binary.LittleEndian.Uint32(p)^key)
		p = p[4:]
	}
	for i := range p {
		p[i] ^= byte(key)
		key >>= 8
	}
}
