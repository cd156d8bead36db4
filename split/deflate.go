package split

import "github.com/tandem-ws/tandem/wscore"

// readDeflate is what a reader needs for compressed messages. The inflater is
// borrowed while a message is incomplete; the dictionary exists only where the
// peer may take over context.
type readDeflate struct {
	decompressor wscore.Decompressor
	dictionary   *Buffer
	inflater     *wscore.Inflater
	failure      error // what a message broke; nothing more is decoded
	taken        int   // compressed bytes of the message so far
}

// writeDeflate is what a writer needs to compress. Compressors are borrowed
// for one message; the dictionary exists only where context is taken over.
type writeDeflate struct {
	params     wscore.DeflateParams
	sent       wscore.Dictionary
	dictionary *Buffer
}

// enableDeflate makes both halves compress as agreed.
func enableDeflate(r *Reader, w *Writer, params wscore.DeflateParams) {
	config, pool := r.config, r.config.Pool
	r.decoder.EnableDeflate()
	r.deflate = &readDeflate{}
	var memory []byte
	if params.ReceiveTakeover {
		r.deflate.dictionary = pool.Get(1 << params.ReceiveWindowBits)
		memory, _ = r.deflate.dictionary.Resize(1 << params.ReceiveWindowBits)
	}
	r.deflate.decompressor = wscore.NewDecompressor(params, *config.Deflate, config.Limits, memory)
	w.deflate = &writeDeflate{params: params}
	if params.SendTakeover {
		size := wscore.SendDictionarySize(*config.Deflate, params)
		w.deflate.dictionary = pool.Get(size)
		memory, _ = w.deflate.dictionary.Resize(size)
		w.deflate.sent = wscore.NewDictionary(memory)
	}
}

// failed returns what a compressed message broke.
func (d *readDeflate) failed() error {
	if d == nil {
		return nil
	}
	return d.failure
}

// onTheWire returns the compressed length of the message that the event ends, 0
// if it was not compressed.
func (d *readDeflate) onTheWire(event wscore.Event) int {
	if !event.Compressed {
		return 0
	}
	return d.taken
}

// inflating reports whether a compressed message is incomplete.
func (d *readDeflate) inflating() bool { return d != nil && d.inflater != nil }

// discard gives everything back.
func (d *readDeflate) discard(pool *Pool) {
	if d == nil {
		return
	}
	d.endMessage(pool)
	if d.dictionary != nil {
		d.dictionary.Release()
		d.dictionary = nil
	}
}

func (d *readDeflate) endMessage(pool *Pool) {
	if d.inflater != nil {
		pool.inflaters.Put(d.inflater)
		d.inflater = nil
	}
}

// takeCompressed inflates a piece into the message being received and returns
// the message when it is whole.
func (r *Reader) takeCompressed(event wscore.Event) (*Buffer, error) {
	d, pool := r.deflate, r.config.Pool
	if event.First {
		d.inflater, d.taken = pool.inflater(), 0
		d.decompressor.Begin(d.inflater, event.Opcode)
		r.message = pool.Get(min(inflatedGuess*len(event.Payload), trustBytes))
	}
	piece := event.Payload
	d.taken += len(piece)
	for {
		used, taken, full, done, err := d.decompressor.Write(r.message.memory[Headroom:], r.message.Len(), piece, event.Final)
		r.message.end = Headroom + used
		if err != nil {
			return nil, err
		}
		piece = piece[taken:]
		if full {
			r.message = r.message.grown(inflatedRoom(used, r.config.Limits.MaxMessage))
			continue
		}
		if !done {
			return nil, nil
		}
		d.endMessage(pool)
		message := r.message
		message.opcode, r.message = event.Opcode, nil
		return message, nil
	}
}

// inflatedGuess is how many times larger than its compressed form a message is
// taken to be before it is known, and how fast its buffer grows.
const inflatedGuess = 4

// inflatedRoom is how large a buffer becomes that used bytes have filled. There
// are fewer of them than maxMessage, or the message would be too big already.
func inflatedRoom(used int, maxMessage int64) int {
	return int(min(inflatedGuess*int64(used), maxMessage))
}

// form returns what of a message goes into its frame: its compressed form
// where that was agreed and is shorter, else itself. It runs when a message
// leaves the mailbox, never before: a message that was compressed with takeover
// and then dropped would leave the peer without what later ones refer to. The
// batch gives the compressed form back.
func (w *Writer) form(b *batch, message *Buffer) *Buffer {
	d := w.deflate
	if d == nil || message.Len() < w.config.Deflate.Threshold {
		return message
	}
	if message.prepared && !d.params.SendTakeover {
		return w.shared(b, message)
	}
	compressed := compress(message, w.config.Deflate.Level, d.params.SendWindowBits, d.sent.Bytes())
	if compressed == nil {
		return message
	}
	b.copies = append(b.copies, compressed)
	d.sent.Add(message.Payload())
	return compressed
}

// compress returns a new buffer with the message's compressed form, or nil if
// that is not shorter.
func compress(message *Buffer, level, windowBits int, dictionary []byte) *Buffer {
	pool := message.pool
	z := pool.deflater(level, windowBits)
	b := pool.Get(message.Len())
	// Append may make other memory on its way, also for a result that fits.
	compressed, ok := z.Append(b.memory[Headroom:Headroom], message.Payload(), dictionary, windowBits)
	pool.putDeflater(z, level, windowBits)
	if !ok || len(compressed) > message.Len()-4 {
		b.Release()
		return nil
	}
	b.append(compressed) // in its place already, as a rule
	b.opcode, b.compressed = message.opcode, true
	return b
}

// discard gives the dictionary back.
func (d *writeDeflate) discard() {
	if d != nil && d.dictionary != nil {
		d.dictionary.Release()
		d.dictionary, d.sent = nil, wscore.Dictionary{}
	}
}

func (p *Pool) inflater() *wscore.Inflater {
	if z, ok := p.inflaters.Get().(*wscore.Inflater); ok {
		return z
	}
	return &wscore.Inflater{}
}

// deflater returns a compressor of that level. One that has served a small
// window holds a machine for it, so compressors are kept apart by window.
func (p *Pool) deflater(level, windowBits int) *wscore.Deflater {
	if z, ok := p.deflaters[level][windowBits].Get().(*wscore.Deflater); ok {
		return z
	}
	return wscore.NewDeflater(level)
}

func (p *Pool) putDeflater(z *wscore.Deflater, level, windowBits int) {
	p.deflaters[level][windowBits].Put(z)
}
