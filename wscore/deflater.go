package wscore

import (
	"bytes"

	"github.com/klauspost/compress/flate"
)

// Deflater compresses whole messages for permessage-deflate. It keeps nothing
// of a connection between messages, so it can be shared by many connections,
// one message at a time: context takeover is done with a [Dictionary].
type Deflater struct {
	level    int
	fast     *fastDeflater // of level 1
	out      sink
	writer   *flate.Writer // of level 2 and above
	windowed int           // the window bits of writer, 0 for a level
}

// MaxSendDictionary is how much of a dictionary level 1 makes use of.
const MaxSendDictionary = 8 << 10

// NewDeflater returns a deflater of that level, 1 to 9. From its first message
// on it holds about 28 KiB at level 1, and a copy of the longest message that
// came with a dictionary; at the others about 1 MiB.
func NewDeflater(level int) *Deflater { return &Deflater{level: level} }

// deflateTail ends every flushed DEFLATE stream and is left out of messages
// (RFC 7692 section 7.2.1).
var deflateTailBytes = [4]byte{0x00, 0x00, 0xFF, 0xFF}

// Append appends the payload's compressed form to dst, without the flush's
// last four bytes, and returns dst longer. No reference in it reaches back
// further than the window: 1<<windowBits bytes, of which the dictionary is the
// older part. It reports false, and dst as it was, if the compressor failed.
func (z *Deflater) Append(dst, payload, dictionary []byte, windowBits int) ([]byte, bool) {
	window := 1 << windowBits
	if len(dictionary) > window {
		dictionary = dictionary[len(dictionary)-window:]
	}
	if z.level == 1 && len(payload) > 0 && len(payload) <= fastLongest {
		if z.fast == nil {
			z.fast = &fastDeflater{}
		}
		return z.fast.append(dst, payload, dictionary, window), true
	}
	z.out.bytes = dst
	err := z.compress(payload, dictionary, windowBits)
	compressed := z.out.bytes
	z.out.bytes = nil
	if err != nil || !bytes.HasSuffix(compressed[len(dst):], deflateTailBytes[:]) {
		return dst, false
	}
	return compressed[:len(compressed)-len(deflateTailBytes)], true
}

func (z *Deflater) compress(payload, dictionary []byte, windowBits int) error {
	if len(payload) == 0 {
		// One empty stored block; what remains of it is a single zero byte.
		_, err := z.out.Write([]byte{0x00, 0x00, 0x00, 0xFF, 0xFF})
		return err
	}
	if err := z.prepare(windowBits); err != nil {
		return err
	}
	z.writer.ResetDict(&z.out, dictionary)
	if _, err := z.writer.Write(payload); err != nil {
		return err
	}
	return z.writer.Flush()
}

// prepare makes the writer for a window. The library's levels always use 15
// bits; a smaller window has a writer of its own kind.
func (z *Deflater) prepare(windowBits int) (err error) {
	kind := windowBits
	if windowBits == maxWindowBits {
		kind = 0
	}
	if z.writer != nil && z.windowed == kind {
		return nil
	}
	z.windowed = kind
	if kind == 0 {
		z.writer, err = flate.NewWriter(&z.out, z.level)
	} else {
		z.writer, err = flate.NewWriterWindow(&z.out, 1<<windowBits)
	}
	return err
}

// sink is an io.Writer that appends.
type sink struct{ bytes []byte }

// Write appends p and never fails.
func (s *sink) Write(p []byte) (int, error) {
	s.bytes = append(s.bytes, p...)
	return len(p), nil
}
