package metrics

import (
	"math/bits"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// The methods in this file are called for every frame. They find their counter
// by index and allocate nothing.

// traffic counts the frames of one direction.
type traffic struct {
	byOpcode [wscore.OpPong + 1]counted // reserved opcodes have no counters
	reserved func() counted
}

type counted struct{ frames, bytes prometheus.Counter }

func (t *traffic) resolve(direction string, frames, bytes *prometheus.CounterVec) {
	pair := func(opcode string) counted {
		return counted{frames.WithLabelValues(direction, opcode), bytes.WithLabelValues(direction, opcode)}
	}
	for _, opcode := range opcodes {
		t.byOpcode[opcode] = pair(opcode.String())
	}
	t.reserved = func() counted { return pair("reserved") }
}

func (t *traffic) count(opcode wscore.Opcode, payload int) {
	var c counted
	if opcode.IsReserved() {
		c = t.reserved() // never from the decoder, which refuses such frames
	} else {
		c = t.byOpcode[opcode]
	}
	c.add(payload)
}

// FrameRead counts a frame from the peer.
func (c *Collector) FrameRead(opcode wscore.Opcode, payload int) { c.in.count(opcode, payload) }

// FrameWritten counts a frame to the peer.
func (c *Collector) FrameWritten(opcode wscore.Opcode, payload int) { c.out.count(opcode, payload) }

// MailboxChanged follows what waits to be sent.
func (c *Collector) MailboxChanged(frames, bytes int) {
	c.mailboxFrames.add(frames)
	c.mailboxBytes.add(bytes)
}

// FramesDropped counts frames that are never sent.
func (c *Collector) FramesDropped(reason split.DropReason, frames int) {
	if frames <= 0 {
		return
	}
	if int(reason) < len(c.dropped) {
		c.dropped[reason].Add(float64(frames))
		return
	}
	c.droppedOther().Add(float64(frames))
}

// BufferAcquired counts a buffer as in use.
func (c *Collector) BufferAcquired(class int) { c.inUse[classSlot(class)].add(1) }

// BufferReleased counts a buffer as given back.
func (c *Collector) BufferReleased(class int) { c.inUse[classSlot(class)].add(-1) }

// classSlot is the index of a size class. Classes are powers of two, which
// their bit length tells apart.
func classSlot(class int) int { return bits.Len(uint(class)) }
