package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// What a server may do wrong.
var (
	ErrPayload   = errors.New("a reply differs from what was sent")
	ErrLength    = errors.New("a reply has another length than what was sent")
	ErrFrame     = errors.New("a frame breaks the protocol")
	ErrClosed    = errors.New("the server closed the connection")
	ErrNotPacked = errors.New("a reply is not compressed")
)

const (
	opContinuation = 0x0
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
	maxControl     = 125
)

// checker compares what one connection receives with the messages that are
// due. Frames may arrive in any pieces, and a message in any number of frames.
type checker struct {
	tape *Tape
	raw  bool // a byte echo sends back what was sent, still masked
	// free says that the next message may have any number, as for a subscriber
	// who joined in the middle; the first one that arrives sets next.
	free bool
	next int // number of the message that is due, or of which a part arrived

	at         int // bytes of that message that arrived
	header     [10]byte
	have       int // bytes of the header that arrived
	rest       int // bytes of the frame's payload that are missing
	started    bool
	compressed bool
	body       []byte // compressed message, collected
	control    []byte // payload of a control frame
	lead       []byte // first bytes of a message whose number is not known yet
	pongs      []byte // frames that answer pings
}

// feed judges bytes and returns how many messages they completed.
func (c *checker) feed(p []byte) (completed int, err error) {
	if c.raw {
		return c.feedRaw(p)
	}
	for len(p) > 0 {
		if c.rest == 0 {
			n, whole, err := c.feedHeader(p)
			if err != nil {
				return completed, err
			}
			if p = p[n:]; !whole {
				return completed, nil
			}
		}
		n := min(c.rest, len(p))
		if err := c.payload(p[:n]); err != nil {
			return completed, err
		}
		p = p[n:]
		if c.rest -= n; c.rest > 0 {
			return completed, nil
		}
		c.have = 0
		done, err := c.endFrame()
		if err != nil {
			return completed, err
		}
		if done {
			completed++
		}
	}
	return completed, nil
}

// feedHeader collects a header and reports whether it is whole.
func (c *checker) feedHeader(p []byte) (used int, whole bool, err error) {
	need := 2
	if c.have >= need {
		need = headerSize(c.header[1])
	}
	for {
		n := copy(c.header[c.have:need], p[used:])
		c.have, used = c.have+n, used+n
		if c.have < need {
			return used, false, nil
		}
		if whole := headerSize(c.header[1]); need == whole {
			break
		} else {
			need = whole
		}
	}
	length := uint64(c.header[1] & 0x7F)
	switch length {
	case 126:
		length = uint64(binary.BigEndian.Uint16(c.header[2:]))
	case 127:
		length = binary.BigEndian.Uint64(c.header[2:])
	}
	if length > 1<<31 {
		return used, false, fmt.Errorf("%w: length %d", ErrFrame, length)
	}
	c.rest = int(length)
	return used, true, c.beginFrame(c.header[0])
}

func headerSize(second byte) int {
	switch second & 0x7F {
	case 126:
		return 4
	case 127:
		return 10
	}
	return 2
}

func (c *checker) beginFrame(first byte) error {
	opcode, reserved := first&0x0F, first&0x70
	switch {
	case c.header[1]&0x80 != 0:
		return fmt.Errorf("%w: a server masked it", ErrFrame)
	case opcode >= opClose:
		if first&0x80 == 0 || reserved != 0 || c.rest > maxControl {
			return fmt.Errorf("%w: control frame %#x of %d bytes", ErrFrame, first, c.rest)
		}
		c.control = c.control[:0]
		return nil
	case opcode == opContinuation != c.started || c.started && reserved != 0:
		return fmt.Errorf("%w: %#x in the wrong place", ErrFrame, first)
	case c.started:
		return nil
	}
	c.started, c.at, c.body = true, 0, c.body[:0]
	c.compressed = reserved == 0x40
	switch {
	case reserved&^0x40 != 0 || c.compressed && !c.tape.packed:
		return fmt.Errorf("%w: reserved bits in %#x", ErrFrame, first)
	case c.tape.packed && !c.compressed:
		return ErrNotPacked
	}
	return nil
}

func (c *checker) payload(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	if c.header[0]&0x0F >= opClose {
		c.control = append(c.control, p...)
		return nil
	}
	if c.compressed {
		if c.body = append(c.body, p...); len(c.body) > 2*len(c.tape.payloads[0])+1024 {
			return ErrLength
		}
		return nil
	}
	if c.free {
		if c.lead = append(c.lead, p...); len(c.lead) < MinSize && len(p) < c.rest {
			return nil
		}
		n, ok := c.tape.number(c.lead)
		if !ok {
			return ErrPayload
		}
		p, c.next, c.free, c.lead = c.lead, n, false, nil
	}
	want := c.tape.payloads[c.next%c.tape.frames()]
	if len(p) > len(want)-c.at {
		return ErrLength
	}
	if !bytes.Equal(p, want[c.at:c.at+len(p)]) {
		return fmt.Errorf("%w: message %d, bytes %d to %d", ErrPayload, c.next, c.at, c.at+len(p))
	}
	c.at += len(p)
	return nil
}

// endFrame reports whether a message is complete.
func (c *checker) endFrame() (bool, error) {
	switch c.header[0] & 0x0F {
	case opClose:
		if len(c.control) >= 2 {
			return false, fmt.Errorf("%w: %d %s", ErrClosed, binary.BigEndian.Uint16(c.control), c.control[2:])
		}
		return false, ErrClosed
	case opPing:
		c.pongs = appendMasked(c.pongs, 0x80|opPong, c.control, 0)
		return false, nil
	case opPong:
		return false, nil
	}
	if c.header[0]&0x80 == 0 {
		return false, nil
	}
	c.started = false
	if c.compressed {
		if !c.tape.isPacked(c.next, c.body) {
			return false, fmt.Errorf("%w: message %d", ErrPayload, c.next)
		}
	} else if c.at != len(c.tape.payloads[c.next%c.tape.frames()]) {
		return false, ErrLength
	}
	c.next++
	return true, nil
}

func (c *checker) feedRaw(p []byte) (completed int, err error) {
	for len(p) > 0 {
		want := c.tape.run(c.next, 1)
		n := min(len(p), len(want)-c.at)
		if !bytes.Equal(p[:n], want[c.at:c.at+n]) {
			return completed, ErrPayload
		}
		p = p[n:]
		if c.at += n; c.at == len(want) {
			c.at = 0
			c.next++
			completed++
		}
	}
	return completed, nil
}
