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
	notices  notices // of some of the messages
	pongs    []controlFrame
	ping     *controlFrame
	closing  *closeFrame
	size     int // payload bytes of messages

	forms    []*Buffer // what goes into the frame of each message, if compressed
	packed   *Buffer   // small frames and headers, back to back
	vectors  net.Buffers
	out      net.Buffers // what is left of vectors to be written
	begun    bool        // encoded, and perhaps partly written
	open     int         // where the packed bytes that are in no vector yet begin
	encoded  []int       // payload bytes of each message that is in the vectors
	controls []sentControl
	pinged   bool
	ended    bool      // the mailbox was shut: nothing more will come
	copies   []*Buffer // made for this batch: compressed forms, masked copies
}

type sentControl struct {
	opcode wscore.Opcode
	length int
}

func (b *batch) empty() bool {
	return len(b.messages) == 0 && len(b.pongs) == 0 && b.ping == nil && b.closing == nil
}

// content returns what goes into the frame of each message.
func (b *batch) content() []*Buffer {
	if len(b.forms) > 0 {
		return b.forms
	}
	return b.messages
}

// reset makes the batch ready for the next one and keeps its memory.
func (b *batch) reset() {
	clear(b.messages)
	clear(b.forms)
	clear(b.vectors)
	for _, c := range b.copies {
		c.Release()
	}
	clear(b.copies)
	b.messages, b.forms, b.vectors, b.controls, b.copies = b.messages[:0], b.forms[:0], b.vectors[:0], b.controls[:0], b.copies[:0]
	b.pongs, b.ping, b.closing, b.pinged = b.pongs[:0], nil, nil, false
	b.out, b.begun, b.ended = nil, false, false
	b.notices = nil
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
	if w.deflate != nil {
		for _, message := range b.messages {
			b.forms = append(b.forms, w.form(b, message))
		}
	}
	if frame := w.alone(b); frame != nil {
		b.vectors = append(b.vectors, frame)
		b.encoded = append(b.encoded, b.content()[0].Len())
		return
	}
	b.packed = w.config.Pool.Get(b.packNeeded())
	for i := range b.pongs {
		w.packControl(b, wscore.OpPong, b.pongs[i].bytes())
	}
	if b.ping != nil {
		b.pinged = w.packControl(b, wscore.OpPing, b.ping.bytes())
	}
	for _, form := range b.content() {
		header, err := w.encoder.DataHeader(form.opcode, true, form.Len())
		if err != nil {
			break
		}
		if form.compressed {
			header.RSV = wscore.RSV1
		}
		w.packMessage(b, header, form)
		b.encoded = append(b.encoded, form.Len())
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
// header stands or can be put in the form's own headroom.
func (w *Writer) alone(b *batch) []byte {
	if w.role != wscore.Server || len(b.messages) != 1 || len(b.pongs) > 0 || b.ping != nil || b.closing != nil {
		return nil
	}
	form := b.content()[0]
	if !form.prepared && !form.sole() {
		return nil
	}
	if _, err := w.encoder.DataHeader(form.opcode, true, form.Len()); err != nil {
		return nil
	}
	if !form.prepared {
		form.Prepare()
	}
	return form.frame()
}

// packNeeded returns how many packed bytes the batch has at most.
func (b *batch) packNeeded() int {
	needed := (len(b.pongs) + 2) * wscore.MaxControlFrame
	for _, form := range b.content() {
		needed += Headroom
		if form.Len() <= packLimit {
			needed += form.Len()
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

func (w *Writer) packMessage(b *batch, header wscore.Header, form *Buffer) {
	b.packed.end += header.Put(b.packed.room())
	if form.Len() <= packLimit {
		from := b.packed.end
		b.packed.append(form.Payload())
		if header.Masked {
			wscore.Mask(b.packed.memory[from:b.packed.end], header.Key)
		}
		return
	}
	b.seal()
	if header.Masked {
		if !form.sole() {
			form = form.Copy()
			b.copies = append(b.copies, form)
		}
		wscore.Mask(form.Payload(), header.Key)
	}
	b.vectors = append(b.vectors, form.Payload())
}

// seal makes a vector of the packed bytes that are in none yet.
func (b *batch) seal() {
	if end := b.packed.Len(); end > b.open {
		b.vectors = append(b.vectors, b.packed.Payload()[b.open:end])
		b.open = end
	}
}
