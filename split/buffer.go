package split

import (
	"sync/atomic"

	"github.com/tandem-ws/tandem/wscore"
)

// Headroom is kept free before every payload, so that a message can be sent on
// with a new frame header and no copy.
const Headroom = wscore.MaxHeaderSize

// Buffer is one message in memory of fixed capacity. It has one owner, who may
// change it; [Buffer.Retain] adds further owners, and from then on nobody may.
// Each owner gives its reference up once, with [Buffer.Release] or by handing
// it to something that takes ownership, such as [Writer.Send].
type Buffer struct {
	pool       *Pool
	memory     []byte // Headroom, then the payload's room
	end        int    // where the payload ends
	stamp      int64  // when it was queued, 0 for most: see Stamp
	class      uint8
	opcode     wscore.Opcode
	prepared   bool // a server's frame header stands right before the payload
	compressed bool // the payload is a message's compressed form
	references atomic.Int32
	variants   atomic.Pointer[variant] // compressed forms that the owners share
}

// Text returns a buffer with a text message; the caller owns it.
func (p *Pool) Text(text string) *Buffer {
	b := p.Get(len(text))
	b.opcode = wscore.OpText
	b.end += copy(b.memory[b.end:], text)
	return b
}

// Binary returns a buffer with a binary message, copied from payload; the
// caller owns it.
func (p *Pool) Binary(payload []byte) *Buffer { return p.message(wscore.OpBinary, payload) }

func (p *Pool) message(opcode wscore.Opcode, payload []byte) *Buffer {
	b := p.Get(len(payload))
	b.opcode = opcode
	b.append(payload)
	return b
}

// Opcode returns the message's type: [wscore.OpText] or [wscore.OpBinary].
func (b *Buffer) Opcode() wscore.Opcode { return b.opcode }

// SetOpcode sets the message's type. Only a sole owner may call it.
func (b *Buffer) SetOpcode(opcode wscore.Opcode) {
	b.dropVariants()
	b.opcode, b.prepared = opcode, false
}

// Payload returns the message's bytes. They are valid while the caller owns a
// reference, and may be changed only by a sole owner, before
// [Buffer.Prepare].
func (b *Buffer) Payload() []byte { return b.memory[Headroom:b.end:b.end] }

// Len returns the length of the payload in bytes.
func (b *Buffer) Len() int { return b.end - Headroom }

// Cap returns how many bytes of memory the buffer pins, which is what limits
// are counted in.
func (b *Buffer) Cap() int { return len(b.memory) }

// Resize sets the payload's length, at most the buffer's room, and returns the
// payload for the sole owner to fill. It reports false, and changes nothing,
// when the room is too small.
func (b *Buffer) Resize(length int) ([]byte, bool) {
	if length < 0 || length > len(b.memory)-Headroom {
		return nil, false
	}
	b.dropVariants()
	b.end, b.prepared = Headroom+length, false
	return b.Payload(), true
}

// Copy returns an independent buffer with the same message.
func (b *Buffer) Copy() *Buffer { return b.pool.message(b.opcode, b.Payload()) }

// Retain adds a reference, which its new owner must release, and returns b.
func (b *Buffer) Retain() *Buffer {
	if b.references.Add(1) <= 1 {
		panic("split: Retain of a released buffer")
	}
	return b
}

// Release gives up one reference. The buffer returns to its pool with the last
// one. Releasing more often than retained is a programming error and panics.
func (b *Buffer) Release() {
	switch n := b.references.Add(-1); {
	case n == 0:
		b.dropVariants()
		b.pool.put(b)
	case n < 0:
		panic("split: Release of a released buffer")
	}
}

// Prepare writes a server's frame header before the payload once, so that many
// writers can send the same bytes. Writers that compress without takeover then
// also share the compressed form: it is made once for each level and window,
// when the first of them writes the message, and lives as long as the buffer.
// The sole owner calls Prepare before it shares the buffer, and again after any
// change.
func (b *Buffer) Prepare() {
	b.dropVariants()
	h := wscore.Header{Fin: true, Opcode: b.opcode, Length: uint64(b.Len())}
	if b.compressed {
		h.RSV = wscore.RSV1
	}
	h.Put(b.memory[Headroom-h.Size():])
	b.prepared = true
}

// stampEvery is how many messages there are to each that is timed: a look at
// the clock costs as much as all else that is counted of a message.
const stampEvery = 16

// Stamp notes the time, from which the observer is told how long the message
// waited in mailboxes, or forgets it: with timed false it is not told. Mailboxes
// stamp some of the messages that have a sole owner; who is about to share a
// buffer among many connections may do it.
func (b *Buffer) Stamp(timed bool) {
	b.stamp = 0
	if timed {
		b.stamp = now()
	}
}

// frame returns header and payload of a prepared buffer.
func (b *Buffer) frame() []byte {
	h := wscore.Header{Length: uint64(b.Len())}
	return b.memory[Headroom-h.Size() : b.end]
}

func (b *Buffer) sole() bool { return b.references.Load() == 1 }

// room returns the memory behind the payload.
func (b *Buffer) room() []byte { return b.memory[b.end:] }

func (b *Buffer) append(p []byte) { b.end += copy(b.memory[b.end:], p) }

// grown returns a buffer with the same content and room for at least size
// bytes in all, and releases b.
func (b *Buffer) grown(size int) *Buffer {
	larger := b.pool.Get(size)
	larger.opcode = b.opcode
	larger.append(b.Payload())
	b.Release()
	return larger
}
