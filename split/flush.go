package split

import (
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// maxTryBatches is how many batches a TryFlush writes at most, so that those
// who keep sending cannot hold its goroutine for ever.
const maxTryBatches = 4

// Flush writes until the mailbox is empty, each batch in one gathered write,
// and waits for the stream where it must. A batch that [Writer.TryFlush] began
// is finished first, from the very byte where it stopped. closeSent reports
// that the close frame was among what has left. The error is [ErrClosed] when
// the writer was shut and writes no more, or a [*TransportError] for a failed
// write; the writer is then shut too.
func (w *Writer) Flush() (closeSent bool, err error) { return w.flush(true) }

// TryFlush is Flush, but never waits: it writes what the stream takes at once.
// The error [ErrWouldBlock] means that something is left to be written, because
// the stream takes no more or because 4 batches have left and more is queued.
// The caller then still holds the right to write, and must see to it that
// Flush runs, on a goroutine that may wait; also when the writer is shut in
// between, since only that Flush gives back what TryFlush has in hand. With
// any other result it is as after Flush.
func (w *Writer) TryFlush() (closeSent bool, err error) { return w.flush(false) }

func (w *Writer) flush(wait bool) (closeSent bool, err error) {
	b := w.unfinished
	w.unfinished = nil
	if b == nil {
		b = w.config.Pool.batch()
	} else if w.mailbox.hasEnded() {
		w.settle(b, false)
	}
	for count := 0; ; count++ {
		if b.empty() {
			if !wait && count >= maxTryBatches && w.mailbox.waiting() {
				w.config.Pool.batches.Put(b)
				return closeSent, ErrWouldBlock
			}
			if !w.mailbox.take(b) {
				break
			}
		}
		sent, err := w.send(b, wait)
		closeSent = closeSent || sent
		if err == ErrWouldBlock && !wait {
			w.unfinished = b
			return closeSent, err
		}
		if err != nil {
			w.Shut()
			w.config.Pool.batches.Put(b)
			return closeSent, &TransportError{Operation: "write", Err: err}
		}
	}
	ended := b.ended
	w.config.Pool.batches.Put(b) // but not after a panic: another connection will use it
	if ended {
		w.deflate.discard()
		return closeSent, ErrClosed
	}
	return closeSent, nil
}

// send writes a batch, or the rest of one. With the error [ErrWouldBlock] the
// batch stays as it is, to be gone on with. Otherwise its messages are counted
// and released whatever happens, also if the transport panics, and then
// nothing more will be written.
func (w *Writer) send(b *batch, wait bool) (closeSent bool, err error) {
	written, unfinished := false, false
	defer func() {
		if unfinished {
			return
		}
		if !written {
			w.deflate.discard()
		}
		closeSent = w.settle(b, written)
	}()
	if !b.begun {
		b.begun = true
		w.encodeBatch(b)
		b.out = b.vectors
		if b.pinged {
			w.ping.sent.Store(0) // it may be an older ping's
			w.ping.began.Store(now())
		}
	}
	err = w.write(b, wait)
	written, unfinished = err == nil, err == ErrWouldBlock && !wait
	return false, err
}

func (w *Writer) write(b *batch, wait bool) (err error) {
	switch {
	case len(b.out) == 0:
	case wait:
		_, err = w.transport.Write(&b.out, w.config.WriteTimeout)
	default:
		_, err = w.transport.TryWrite(&b.out)
	}
	if b.pinged && err == nil {
		w.ping.sent.Store(now())
	}
	return err
}

// settle reports and releases the messages of a batch that is done with.
func (w *Writer) settle(b *batch, written bool) (closeSent bool) {
	w.mailbox.settle(b.messages)
	observer := w.config.Observer
	if written {
		w.wrote(b)
	}
	for i, message := range b.messages {
		if written && i < len(b.encoded) {
			observer.FrameWritten(message.opcode, b.encoded[i])
			observer.MessageWritten(message.Len(), b.compressed(i))
			if message.stamp != 0 {
				observer.MailboxWaited(time.Duration(now() - message.stamp))
			}
		} else {
			observer.FramesDropped(DropLost, 1)
		}
		message.Release()
	}
	if written {
		for _, control := range b.controls {
			observer.FrameWritten(control.opcode, control.length)
			closeSent = closeSent || control.opcode == wscore.OpClose
		}
	}
	told := b.notices
	b.notices = nil
	for i := range told {
		if !written || told[i].index >= len(b.encoded) {
			told[i].err = ErrClosed
		}
	}
	b.reset()
	told.tell()
	return closeSent
}

// wrote counts a batch that has left.
func (w *Writer) wrote(b *batch) {
	frames, bytes := len(b.encoded)+len(b.controls), 0
	for _, length := range b.encoded {
		bytes += length
	}
	for _, control := range b.controls {
		bytes += control.length
	}
	w.out.add(frames, bytes)
	w.config.Observer.BatchWritten(frames)
}

// compressed returns the length of a message's compressed form, 0 if it left
// as it was.
func (b *batch) compressed(i int) int {
	if len(b.forms) == 0 || b.forms[i] == b.messages[i] {
		return 0
	}
	return b.encoded[i]
}
