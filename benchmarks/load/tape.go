package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// MinSize is the shortest message: it must hold its own number.
const MinSize = 8

// tapeBytes bounds the memory of a tape's frames, unless a window needs more.
const tapeBytes = 4 << 20

// Tape holds the messages of a run, encoded and masked once. Message number n
// is frame n modulo their count, so a lost, repeated or exchanged reply shows.
type Tape struct {
	payloads [][]byte
	wire     []byte // all frames, twice, so that any run of them is one slice
	starts   []int  // where each frame begins, and the end of the first round
	packed   bool
	known    []map[string]bool // compressed replies that were found right, by frame
}

// Plain makes frames of random bytes.
func Plain(size, window int) (*Tape, error) {
	return newTape(size, window, false)
}

// Packed makes compressed frames of JSON text, for permessage-deflate without
// context takeover.
func Packed(size, window int) (*Tape, error) {
	return newTape(size, window, true)
}

func newTape(size, window int, packed bool) (*Tape, error) {
	if size < MinSize {
		return nil, fmt.Errorf("message of %d bytes is shorter than %d", size, MinSize)
	}
	random := rand.New(rand.NewPCG(uint64(size), uint64(window)))
	count := max(window, min(16, tapeBytes/size), 2)
	t := &Tape{packed: packed}
	for i := range count {
		p, opcode := randomBytes(random, size), byte(0x82)
		body := p
		if packed {
			p, opcode = jsonText(random, size), 0xC1
			var err error
			if body, err = deflate(p); err != nil {
				return nil, err
			}
			t.known = append(t.known, make(map[string]bool))
		} else {
			binary.LittleEndian.PutUint64(p, uint64(i))
		}
		t.payloads = append(t.payloads, p)
		t.starts = append(t.starts, len(t.wire))
		t.wire = appendMasked(t.wire, opcode, body, random.Uint32())
	}
	t.starts = append(t.starts, len(t.wire))
	t.wire = append(t.wire, t.wire...)
	return t, nil
}

// frames is the count of different frames.
func (t *Tape) frames() int { return len(t.payloads) }

// run is what count messages from number first on look like on the wire; count
// is at most frames.
func (t *Tape) run(first, count int) []byte {
	k := t.frames()
	begin, end := first%k, first%k+count
	if end <= k {
		return t.wire[t.starts[begin]:t.starts[end]]
	}
	return t.wire[t.starts[begin] : t.starts[k]+t.starts[end-k]]
}

// number finds a message that begins with its own number, as the plain ones do.
func (t *Tape) number(payload []byte) (int, bool) {
	if t.packed || len(payload) < MinSize {
		return 0, false
	}
	n := binary.LittleEndian.Uint64(payload)
	if n >= uint64(t.frames()) {
		return 0, false
	}
	return int(n), true
}

// isPacked says whether these bytes inflate to a message. Bytes that did once
// are remembered: a server without context takeover says the same thing the
// same way each time.
func (t *Tape) isPacked(number int, body []byte) bool {
	k := number % t.frames()
	if t.known[k][string(body)] {
		return true
	}
	text, err := inflate(body, len(t.payloads[k])+1)
	if err != nil || !bytes.Equal(text, t.payloads[k]) {
		return false
	}
	t.known[k][string(body)] = true
	return true
}

// appendMasked appends one whole frame of a client.
func appendMasked(to []byte, first byte, body []byte, key uint32) []byte {
	switch n := len(body); {
	case n < 126:
		to = append(to, first, 0x80|byte(n))
	case n < 1<<16:
		to = binary.BigEndian.AppendUint16(append(to, first, 0x80|126), uint16(n))
	default:
		to = binary.BigEndian.AppendUint64(append(to, first, 0x80|127), uint64(n))
	}
	mask := binary.BigEndian.AppendUint32(nil, key)
	to = append(to, mask...)
	for i, b := range body {
		to = append(to, b^mask[i&3])
	}
	return to
}

func randomBytes(random *rand.Rand, size int) []byte {
	p := make([]byte, 0, size+8)
	for len(p) < size {
		p = binary.LittleEndian.AppendUint64(p, random.Uint64())
	}
	return p[:size]
}

// jsonText is what services like to send: an array of small objects.
func jsonText(random *rand.Rand, size int) []byte {
	kinds := []string{"order", "trade", "quote", "cancel"}
	p := []byte(`{"events":[`)
	for len(p) < size {
		p = fmt.Appendf(p, `{"id":%d,"kind":"%s","price":%d.%02d,"open":%t},`,
			random.IntN(1e6), kinds[random.IntN(len(kinds))], random.IntN(1000), random.IntN(100), random.IntN(2) == 0)
	}
	return p[:size]
}
