package split

import (
	"context"
	"encoding/binary"
	"unicode/utf8"

	"github.com/tandem-ws/tandem/wscore"
)

// Writer is the sending half of a connection. Messages are put in from any
// goroutine. Whoever was told by wake that a flush is due holds the right to
// write until [Writer.Flush] or [Writer.TryFlush] has given it up; so these run
// on one goroutine at a time.
type Writer struct {
	*link
	encoder   wscore.Encoder
	deflate   *writeDeflate // nil without compression
	transport Transport

	// unfinished is the batch that TryFlush began and could not finish. It
	// belongs to who holds the right to write.
	unfinished *batch
}

// Bind gives the writer its transport, once, before the first Flush.
func (w *Writer) Bind(transport Transport) { w.transport = transport }

// OnFull names who may write at once when a message does not fit. It is called
// once, before the first message; without it nobody is asked.
func (w *Writer) OnFull(relief Relief) { w.mailbox.relief = relief }

// Send queues a text or binary message and takes ownership of its buffer,
// whatever the outcome. With wake the caller must see to it that Flush or
// TryFlush runs, and nobody else will. The error is a [*SendError] for a
// message that will not be sent, or a local [*wscore.ProtocolError] for one
// that may not be. Send waits for room only under the policy [Block].
func (w *Writer) Send(b *Buffer) (wake bool, err error) {
	return w.put(context.Background(), entry{message: b}, true)
}

// SendContext is Send with a context that ends the wait for room, under any
// policy that waits. The error is then a [*SendError] that wraps the context's
// own; the connection goes on.
func (w *Writer) SendContext(ctx context.Context, b *Buffer) (wake bool, err error) {
	return w.put(ctx, entry{message: b}, true)
}

// TrySend is Send without waiting, whatever the policy: under [Block] a message
// that does not fit, or would overtake one that waits, is refused with
// [ErrDropped].
func (w *Writer) TrySend(b *Buffer) (wake bool, err error) {
	return w.put(context.Background(), entry{message: b}, false)
}

// SendNotify is Send that reports the message's end. If err is nil, done is
// called exactly once: with nil when the stream has taken every byte of the
// frame, else with a [*SendError]: [ErrDropped] if the mailbox dropped the
// message for a newer one, [ErrClosed] if it was lost with the connection,
// though part or all of it may have left. If err is not nil, done is not
// called.
//
// done runs outside all locks of this package on whatever goroutine wrote,
// dropped or discarded the message, so also within a call of Send, Close or
// Shut. It must not block or panic, and must not send to this connection with
// a policy that waits.
func (w *Writer) SendNotify(b *Buffer, done func(error)) (wake bool, err error) {
	e := entry{message: b}
	if done != nil {
		e.extra = &extra{done: done}
	}
	return w.put(context.Background(), e, true)
}

// SendKeyed is Send for a message that makes older ones with the same key
// pointless. Under the policy [Conflate] it takes the place of the queued
// message with that key, if there is one that is not being written yet: the
// older one is dropped and counted as [DropConflated]. Should that break
// MailboxConfig.MaxBytes, the newer one is refused with [ErrDropped] instead.
// The search looks at each queued message. An empty key, and any key under
// another policy, is ignored.
func (w *Writer) SendKeyed(key string, b *Buffer) (wake bool, err error) {
	if err := checkData(b); err != nil {
		return false, err
	}
	return w.mailbox.pushKeyed(context.Background(), key, b)
}

// SendText queues a text message that must be UTF-8, copied from text; see
// [Writer.Send].
func (w *Writer) SendText(text string) (wake bool, err error) {
	if !utf8.ValidString(text) {
		return false, wscore.ErrTextNotUTF8
	}
	return w.mailbox.push(context.Background(), entry{message: w.config.Pool.Text(text)}, true)
}

func (w *Writer) put(ctx context.Context, e entry, wait bool) (wake bool, err error) {
	if err := checkData(e.message); err != nil {
		return false, err
	}
	return w.mailbox.push(ctx, e, wait)
}

// checkData releases and refuses what is no data message.
func checkData(b *Buffer) error {
	if b.opcode == wscore.OpText || b.opcode == wscore.OpBinary {
		return nil
	}
	b.Release()
	return wscore.ErrNotDataOpcode
}

// Pong queues the answer to a ping in the control lane.
func (w *Writer) Pong(payload []byte) (wake bool) { return w.mailbox.pushPong(payload) }

// Ping queues a ping whose pong will give the connection's round trip.
func (w *Writer) Ping() (wake bool) {
	var payload [8]byte
	sequence := w.ping.sequence.Add(1)
	w.ping.began.Store(0)
	w.ping.sent.Store(0)
	binary.BigEndian.PutUint64(payload[:], uint64(sequence))
	return w.mailbox.pushPing(payload[:])
}

// PingWritten reports whether the newest ping has left whole, so that its pong may
// be expected; also true before the first.
func (w *Writer) PingWritten() bool { return w.ping.sequence.Load() == 0 || w.ping.sent.Load() != 0 }

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
// caller, when no flush is running or due; otherwise that one returns
// [ErrClosed] or its own error as the writer's last.
func (w *Writer) Shut() (idle bool) {
	idle, dropped := w.mailbox.shut()
	if idle {
		w.deflate.discard()
	}
	dropped.tell()
	return idle
}
