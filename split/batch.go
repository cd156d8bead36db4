package split

import (
	"net"

	"github.com/tandem-ws/tandem/wscore"
)

const (
	// maxBatchFrames and maxBatchBytes end a batch: enough to make one system
	// call cheap per message, little enough that a pong waits briefly.
	maxBatchFrames = 64
	maxBatchBytes  = 256 << 10
	// packLimit is the longest payload that is copied beside others; a longer
	// one is written from where it is.
	packLimit = 4 << 10
	// keptQueue is the longest mailbox ring that an idle connection keeps.
	keptQueue = 4
)

// batch is what one gathered write sends. Writers borrow it from their pool
// while they have something to send.
type batch struct {
	messages []*Buffer
	pongs    []controlFrame
	ping     *controlFrame
	closing  *closeFrame
	size     int // payload bytes of messages

	packed   *Buffer // small frames and headers, back to back
	vectors  net.Buffers
	out      net.Buffers // what is left of vectors during the write
	open     int         // where the packed bytes that are in no vector yet begin
	encoded  []int       // payload bytes of each message that is in the vectors
	controls []sentControl
	pinged   bool
	ended    bool      // the mailbox was shut: nothing more will come
	copies   []*Buffer // masked copies of shared payloads
}

type sentControl struct {
	opcode wscore.Opcode
	length int
}

func (b *batch) empty() bool {
	return len(b.messages) == 0 && len(b.pongs) == 0 && b.ping == nil && b.closing == nil
}

// reset makes the batch ready for the next one and keeps its memory.
func (b *batch) reset() {
	clear(b.messages)
	clear(b.vectors)
	for _, c := range b.copies {
		c.Release()
	}
	clear(b.copies)
	b.messages, b.vectors, b.controls, b.copies = b.messages[:0], b.vectors[:0], b.controls[:0], b.copies[:0]
	b.pongs, b.ping, b.closing, b.pinged = b.pongs[:0], nil, nil, false
	b.ended = false
	b.size, b.open, b.encoded = 0, 0, b.encoded[:0]
	if b.packed != nil {
		b.packed.Release()
		b.packed = nil
	}
}

// encodeBatch turns what the batch took from the mailbox into vectors: small
// frames packed together, large ones by reference. A message that the state no
// longer lets out stays unencoded and is counted as dropped.
func (w *Writer) encodeBatch(b *batch) {
	if frame := w.alone(b); frame != nil {
		b.vectors = append(b.vectors, frame)
		b.encoded = append(b.encoded, b.messages[0].Len())
		return
	}
	b.packed = w.config.Pool.Get(b.packNeeded())
	for i := range b.pongs {
		w.packControl(b, wscore.OpPong, b.pongs[i].bytes())
	}
	if b.ping != nil {
		b.pinged = w.packControl(b, wscore.OpPing, b.ping.bytes())
	}
	for _, message := range b.messages {
		payload, compressed := w.compress(b, message)
		header, err := w.encoder.DataHeader(message.opcode, true, payload.Len())
		if err != nil {
			break
		}
		if compressed {
			header.RSV = wscore.RSV1
		}
		w.packMessage(b, header, payload, message.Len() <= packLimit)
		b.encoded = append(b.encoded, payload.Len())
	}
	if b.closing != nil {
		frame, err := w.encoder.AppendClose(b.packed.memory[Headroom:b.packed.end], b.closing.code, b.closing.reason)
		if err == nil {
			b.packed.end = Headroom + len(frame)
			b.controls = append(b.controls, sentControl{wscore.OpClose, closeLength(b.closing)})
		}
	}
	b.seal()
}

func closeLength(c *closeFrame) int {
	if c.code == wscore.CloseNoStatus {
		return 0
	}
	return 2 + len(c.reason)
}

// alone returns the frame of a batch that is one message of a server, whose
// header can stand in the message's own headroom.
func (w *Writer) alone(b *batch) []byte {
	if w.role != wscore.Server || len(b.messages) != 1 || len(b.pongs) > 0 || b.ping != nil || b.closing != nil {
		return nil
	}
	message := b.messages[0]
	if w.deflate != nil && message.Len() >= w.config.Deflate.Threshold {
		return nil
	}
	if !message.prepared && !message.sole() {
		return nil
	}
	if _, err := w.encoder.DataHeader(message.opcode, true, message.Len()); err != nil {
		return nil
	}
	if !message.prepared {
		message.Prepare()
	}
	return message.frame()
}

// packNeeded returns how many packed bytes the batch has at most.
func (b *batch) packNeeded() int {
	needed := (len(b.pongs) + 2) * wscore.MaxControlFrame
	for _, message := range b.messages {
		needed += Headroom
		if message.Len() <= packLimit {
			needed += message.Len()
		}
	}
	return needed
}

func (w *Writer) packControl(b *batch, opcode wscore.Opcode, payload []byte) bool {
	packed := b.packed
	frame, err := w.encoder.AppendControl(packed.memory[Headroom:packed.end], opcode, payload)
	if err != nil {
		return false
	}
	packed.end = Headroom + len(frame)
	b.controls = append(b.controls, sentControl{opcode, len(payload)})
	return true
}

func (w *Writer) packMessage(b *batch, header wscore.Header, message *Buffer, pack bool) {
	b.packed.end += header.Put(b.packed.room())
	if pack {
		from := b.packed.end
		b.packed.append(message.Payload())
		if header.Masked {
			wscore.Mask(b.packed.memory[from:b.packed.end], header.Key)
		}
		return
	}
	b.seal()
	if header.Masked {
		if !message.sole() {
			message = message.Copy()
			b.copies = append(b.copies, message)
		}
		wscore.Mask(message.Payload(), header.Key)
	}
	b.vectors = append(b.vectors, message.Payload())
}

// seal makes a vector of the packed bytes that are in none yet.
func (b *batch) seal() {
	if end := b.packed.Len(); end > b.open {
		b.vectors = append(b.vectors, b.packed.Payload()[b.open:end])
		b.open = end
	}
}
