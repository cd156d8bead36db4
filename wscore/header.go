package wscore

import "encoding/binary"

const (
	// MaxHeaderSize is the longest frame header in bytes: two, a 64-bit length
	// and a masking key. Buffers that are sent in place keep this much headroom.
	MaxHeaderSize = 14
	// MaxControlPayload is the longest payload of a close, ping or pong frame
	// in bytes (RFC 6455 section 5.5).
	MaxControlPayload = 125
	// MaxControlFrame is the longest control frame in bytes.
	MaxControlFrame = MaxControlPayload + 6
)

// The reserved bits as they stand in [Header].RSV (RFC 6455 section 5.2).
const (
	RSV1 = 0x40
	RSV2 = 0x20
	RSV3 = 0x10
)

// Header is a frame header (RFC 6455 section 5.2).
type Header struct {
	Fin    bool   // the last frame of its message
	Masked bool   // true in all frames of a client and none of a server
	RSV    uint8  // RSV1, RSV2 and RSV3 in their place in the first byte
	Opcode Opcode // 0 to 15
	Key    uint32 // masking key, first key byte in the lowest bits
	Length uint64 // payload bytes, below 2^63
}

// ParseHeader reads a header from the start of p. It returns the header's
// size, or 0 when p does not yet hold all of it. The errors are
// [ErrLengthNotMinimal] and [ErrLengthTopBit], returned as soon as p shows them
// (RFC 6455 section 5.2); whether the header makes sense on a connection is the
// [Decoder]'s business.
func ParseHeader(p []byte) (Header, int, error) {
	if len(p) < 2 {
		return Header{}, 0, nil
	}
	h := Header{
		Fin:    p[0]&0x80 != 0,
		RSV:    p[0] & (RSV1 | RSV2 | RSV3),
		Opcode: Opcode(p[0] & 0x0F),
		Masked: p[1]&0x80 != 0,
		Length: uint64(p[1] & 0x7F),
	}
	size := 2
	switch h.Length {
	case 126:
		if len(p) < 4 {
			return Header{}, 0, nil
		}
		h.Length = uint64(binary.BigEndian.Uint16(p[2:]))
		if h.Length < 126 {
			return Header{}, 0, ErrLengthNotMinimal
		}
		size = 4
	case 127:
		if len(p) < 10 {
			return Header{}, 0, lengthSoFar(p[2:])
		}
		h.Length = binary.BigEndian.Uint64(p[2:])
		if h.Length>>63 != 0 {
			return Header{}, 0, ErrLengthTopBit
		}
		if h.Length <= 0xFFFF {
			return Header{}, 0, ErrLengthNotMinimal
		}
		size = 10
	}
	if h.Masked {
		if len(p) < size+4 {
			return Header{}, 0, nil
		}
		h.Key = binary.LittleEndian.Uint32(p[size:])
		size += 4
	}
	return h, size, nil
}

// lengthSoFar judges the first bytes of a 64-bit length, so that a bad one is
// refused without waiting for the rest.
func lengthSoFar(p []byte) error {
	switch {
	case len(p) >= 1 && p[0]&0x80 != 0:
		return ErrLengthTopBit
	case len(p) >= 6 && p[0]|p[1]|p[2]|p[3]|p[4]|p[5] == 0:
		return ErrLengthNotMinimal
	}
	return nil
}

// Size returns the length of the encoded header in bytes, 2 to
// [MaxHeaderSize].
func (h Header) Size() int {
	size := 2
	switch {
	case h.Length > 0xFFFF:
		size = 10
	case h.Length > 125:
		size = 4
	}
	if h.Masked {
		size += 4
	}
	return size
}

// Put writes the header to the start of p, which must hold [Header.Size]
// bytes, and returns that size. The length takes its shortest form.
func (h Header) Put(p []byte) int {
	first := uint8(h.Opcode) | h.RSV
	if h.Fin {
		first |= 0x80
	}
	var mask uint8
	if h.Masked {
		mask = 0x80
	}
	p[0] = first
	size := 2
	switch {
	case h.Length > 0xFFFF:
		p[1] = mask | 127
		binary.BigEndian.PutUint64(p[2:], h.Length)
		size = 10
	case h.Length > 125:
		p[1] = mask | 126
		binary.BigEndian.PutUint16(p[2:], uint16(h.Length))
		size = 4
	default:
		p[1] = mask | uint8(h.Length)
	}
	if h.Masked {
		binary.LittleEndian.PutUint32(p[size:], h.Key)
		size += 4
	}
	return size
}

// Append appends the encoded header to dst, at most [MaxHeaderSize] bytes.
func (h Header) Append(dst []byte) []byte {
	var b [MaxHeaderSize]byte
	return append(dst, b[:h.Put(b[:])]...)
}
