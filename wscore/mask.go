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
	next := bits.RotateLeft32(key, -8*(len(p)&3))
	wide := uint64(key)<<32 | uint64(key)
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
	for i := range p {
		p[i] ^= byte(key)
		key = bits.RotateLeft32(key, -8)
	}
	return next
}
