package split

import (
	"encoding/binary"
	"unicode/utf8"

	"github.com/tandem-ws/tandem/wscore"
)

// Writer is the sending half of a connection. Messages are put in from any
// goroutine; [Writer.Flush] runs on one goroutine at a time, whoever was told
// by wake that it is due.
type Writer struct {
	*link
	role      wscore.Role
	encoder   wscore.Encoder
	mailbox   Mailbox
	deflate   *writeDeflate // nil without compression
	transport Transport
}

// Bind gives the writer its transport, once, before the first Flush.
func (w *Writer) Bind(transport Transport) { w.transport = transport }

// Send queues a text or binary message and takes ownership of its buffer,
// whatever the outcome. With wake the caller must see to it that Flush runs,
// and nobody else will. The error is a [*SendError] for a message that will
// not be sent, or a local [*wscore.ProtocolError] for one that may not be.
func (w *Writer) Send(b *Buffer) (wake bool, err error) {
	if b.opcode != wscore.OpText && b.opcode != wscore.OpBinary {
		b.Release()
		return false, wscore.ErrNotDataOpcode
	}
	return w.mailbox.push(b)
}

// SendText queues a text message that must be UTF-8, copied from text.
func (w *Writer) SendText(text string) (wake bool, err error) {
	if !utf8.ValidString(text) {
		return false, wscore.ErrTextNotUTF8
	}
	return w.mailbox.push(w.config.Pool.Text(text))
}

// Pong queues the answer to a ping in the control lane.
func (w *Writer) Pong(payload []byte) (wake bool) { return w.mailbox.pushPong(payload) }

// Ping queues a ping whose pong will give the connection's round trip.
func (w *Writer) Ping() (wake bool) {
	var payload [8]byte
	sequence := w.ping.sequence.Add(1)
	w.ping.began.Store(0)
	w.ping.sent.Store(0)
	binary.BigEndian.PutUint64(payload[:], sequence)
	return w.mailbox.pushPing(payload[:])
}

// Close queues the connection's one close frame: behind the waiting messages,
// or in their place when discard is set. queued is false if there was one
// before. The code and reason must pass [wscore.CheckClose].
func (w *Writer) Close(code wscore.CloseCode, reason string, discard bool) (wake, queued bool) {
	return w.mailbox.pushClose(code, reason, discard)
}

// Depth returns how many messages wait or are being written, and how much
// memory they pin in bytes.
func (w *Writer) Depth() (frames, bytes int) { return w.mailbox.Depth() }

// Lifecycle returns the state that both halves share.
func (w *Writer) Lifecycle() *wscore.Lifecycle { return &w.lifecycle }

// Shut drops and counts whatever waits, and refuses everything from now on. It
// may be called from any goroutine and more than once. idle is true, for one
// caller, when no Flush is running; otherwise the running one returns
// [ErrClosed] or its own error as the writer's last.
func (w *Writer) Shut() (idle bool) {
	if idle = w.mailbox.shut(); idle {
		w.deflate.discard()
	}
	return idle
}

// Flush writes until the mailbox is empty, each batch in one gathered write.
// closeSent reports that the close frame was among what has left. The error is
// [ErrClosed] when the writer was shut and writes no more, or a
// [*TransportError] for a failed write; the writer is then shut too.
func (w *Writer) Flush() (closeSent bool, err error) {
	b := w.config.Pool.batch()
	for w.mailbox.take(b) {
		sent, err := w.send(b)
		closeSent = closeSent || sent
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

// send writes a batch. Its messages are counted and released whatever happens,
// also if the transport panics, and then nothing more will be written.
func (w *Writer) send(b *batch) (closeSent bool, err error) {
	written := false
	defer func() {
		if !written {
			w.deflate.discard()
		}
		w.mailbox.settle(b.messages)
		closeSent = w.finishBatch(b, written)
	}()
	w.encodeBatch(b)
	err = w.write(b)
	written = err == nil
	return false, err
}

func (w *Writer) write(b *batch) error {
	if b.pinged {
		w.ping.sent.Store(0) // it may be an older ping's
		w.ping.began.Store(now())
	}
	var err error
	if len(b.vectors) > 0 {
		b.out = b.vectors
		_, err = w.transport.Write(&b.out, w.config.WriteTimeout)
	}
	if b.pinged && err == nil {
		w.ping.sent.Store(now())
	}
	return err
}

// finishBatch reports and releases the messages of a batch.
func (w *Writer) finishBatch(b *batch, written bool) (closeSent bool) {
	observer := w.config.Observer
	for i, message := range b.messages {
		if written && i < len(b.encoded) {
			observer.FrameWritten(message.opcode, b.encoded[i])
		} else {
			observer.FramesDropped(DropClosed, 1)
		}
		message.Release()
	}
	if written {
		for _, control := range b.controls {
			observer.FrameWritten(control.opcode, control.length)
			closeSent = closeSent || control.opcode == wscore.OpClose
		}
	}
	b.reset()
	return closeSent
}
