package split

import "sync"

// variant is the compressed form of a shared message for one level and window.
// The first writer that needs it makes it, others wait for that one. It exists
// as long as the message, and no longer than its payload stays the same.
type variant struct {
	level, windowBits int
	make              sync.Once
	form              *Buffer // prepared, header and all; nil if it would not be shorter
	next              *variant
}

// variant returns the place of the compressed form. The caller owns a
// reference to b.
func (b *Buffer) variant(level, windowBits int) *variant {
	var made *variant
	for {
		first := b.variants.Load()
		for v := first; v != nil; v = v.next {
			if v.level == level && v.windowBits == windowBits {
				return v
			}
		}
		if made == nil {
			made = &variant{level: level, windowBits: windowBits}
		}
		made.next = first
		if b.variants.CompareAndSwap(first, made) {
			return made
		}
	}
}

// dropVariants gives the compressed forms back, for the sole owner.
func (b *Buffer) dropVariants() {
	if b.variants.Load() == nil {
		return
	}
	for v := b.variants.Swap(nil); v != nil; v = v.next {
		if v.form != nil {
			v.form.Release()
		}
	}
}

// shared returns the compressed form of a prepared message, with a reference
// that the batch gives back, or the message itself if that is no longer.
func (w *Writer) shared(b *batch, message *Buffer) *Buffer {
	level, windowBits := w.config.Deflate.Level, w.deflate.params.SendWindowBits
	v := message.variant(level, windowBits)
	v.make.Do(func() {
		if v.form = compress(message, level, windowBits, nil); v.form != nil {
			v.form.Prepare()
		}
	})
	if v.form == nil {
		return message
	}
	b.copies = append(b.copies, v.form.Retain())
	return v.form
}
