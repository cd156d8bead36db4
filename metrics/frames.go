package metrics

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// The methods in this file are called for every frame or message. They find
// their counter by index and allocate nothing.

// traffic counts one direction.
type traffic struct {
	byOpcode [reservedSlot + 1]counted // the last is for reserved opcodes
	messages *histogram
	plain    atomic.Uint64 // bytes of messages that were compressed
	packed   atomic.Uint64 // and of their compressed forms
}

// reservedSlot counts frames with a reserved opcode: none from the decoder,
// which refuses them.
const reservedSlot = wscore.OpPong + 1

type counted struct {
	frames, bytes atomic.Uint64
	_             [48]byte // neighbours have other cache lines
}

// messageLimits are the bounds of message sizes in bytes.
var messageLimits = []uint64{16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20}

// batchLimits are the bounds of frames in one write.
var batchLimits = []uint64{1, 2, 4, 8, 16, 32, 64}

// traffic makes the metrics of both directions.
func (m maker) traffic(c *Collector) {
	frames := m.family("frames_total", "WebSocket frames received (in) and sent (out).", labelDirection, labelOpcode)
	bytes := m.family("frame_payload_bytes_total",
		"Payload bytes of WebSocket frames received (in, as announced by the frame header) and sent (out).", labelDirection, labelOpcode)
	messages := m.family("message_bytes", "Length of text and binary messages, without compression.", labelDirection)
	compressed := m.family("compression_bytes_total", "Bytes of compressed messages, before and after compression.", labelDirection, labelForm)
	for direction, t := range map[string]*traffic{"in": &c.in, "out": &c.out} {
		for _, opcode := range opcodes {
			frames.counter(&t.byOpcode[opcode].frames, direction, opcode.String())
			bytes.counter(&t.byOpcode[opcode].bytes, direction, opcode.String())
		}
		frames.unusual(&t.byOpcode[reservedSlot].frames, direction, "reserved")
		bytes.unusual(&t.byOpcode[reservedSlot].bytes, direction, "reserved")
		t.messages = messages.histogram(newHistogram(messageLimits, 1), direction)
		compressed.counter(&t.plain, direction, "plain")
		compressed.counter(&t.packed, direction, "compressed")
	}
	c.batches = m.family("write_batch_frames", "Frames that left in one write.").histogram(newHistogram(batchLimits, 1))
}

func (t *traffic) frame(opcode wscore.Opcode, payload int) {
	if opcode.IsReserved() {
		opcode = reservedSlot
	}
	c := &t.byOpcode[opcode]
	c.frames.Add(1)
	c.bytes.Add(uint64(max(0, payload)))
}

func (t *traffic) message(length, compressed int) {
	t.messages.observe(int64(length))
	if compressed > 0 {
		t.plain.Add(uint64(length))
		t.packed.Add(uint64(compressed))
	}
}

// FrameRead counts a frame from the peer.
func (c *Collector) FrameRead(opcode wscore.Opcode, payload int) { c.in.frame(opcode, payload) }

// FrameWritten counts a frame to the peer.
func (c *Collector) FrameWritten(opcode wscore.Opcode, payload int) { c.out.frame(opcode, payload) }

// MessageRead takes the size of a message from the peer.
func (c *Collector) MessageRead(length, compressed int) { c.in.message(length, compressed) }

// MessageWritten takes the size of a message to the peer.
func (c *Collector) MessageWritten(length, compressed int) { c.out.message(length, compressed) }

// BatchWritten takes the size of a write.
func (c *Collector) BatchWritten(frames int) { c.batches.observe(int64(frames)) }

// MailboxChanged follows what waits to be sent.
func (c *Collector) MailboxChanged(frames, bytes int) {
	c.mailboxFrames.add(frames)
	c.mailboxBytes.add(bytes)
}

// MailboxWaited takes the time of one message in a mailbox.
func (c *Collector) MailboxWaited(wait time.Duration) { c.waited.observe(int64(wait)) }

// MailboxCrowded follows how many mailboxes are crowded.
func (c *Collector) MailboxCrowded(change int) { c.crowded.add(change) }

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
