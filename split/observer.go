package split

import (
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// Observer is told what happens in the halves, for metrics. Its methods are
// called on the path of every frame from many goroutines at once, poll loops
// among them, which no other goroutine takes over from them as it does from
// sessions: they must not block and should not allocate.
type Observer interface {
	// FrameRead reports a frame from the peer, at its header, with the length
	// of its payload in bytes. A continuation frame has the opcode of its
	// message.
	FrameRead(opcode wscore.Opcode, payload int)
	// FrameWritten reports a frame that the transport has taken whole.
	FrameWritten(opcode wscore.Opcode, payload int)
	// MessageRead reports a whole text or binary message from the peer: its
	// length in bytes, and that of its compressed form, 0 if there was none.
	MessageRead(length, compressed int)
	// MessageWritten reports a message that the transport has taken whole, after
	// the frame that carried it; its numbers are as those of MessageRead.
	MessageWritten(length, compressed int)
	// BatchWritten reports one gathered write that is complete, and how many
	// frames it had.
	BatchWritten(frames int)
	// MailboxWaited reports how long a message waited in a mailbox, from the
	// sending to the completed write. About one in 16 is timed: the first of
	// each connection and each 16th after it, and what [Buffer.Stamp] chose.
	MailboxWaited(wait time.Duration)
	// MailboxCrowded reports that a mailbox has become more than half full, in
	// messages or in bytes (1), or that one is at most a quarter full again (-1).
	MailboxCrowded(change int)
	// MailboxChanged reports how many frames and payload bytes were added to
	// mailboxes, or taken from them (negative). A message that took another's
	// place changes the bytes only.
	MailboxChanged(frames, bytes int)
	// FramesDropped reports frames that were accepted or offered and will never
	// be sent.
	FramesDropped(reason DropReason, frames int)
	// BufferAcquired reports a buffer taken from the pool by size class: a
	// payload capacity in bytes, 0 for buffers above the largest.
	BufferAcquired(class int)
	// BufferReleased reports one that was given back.
	BufferReleased(class int)
}

// DropReason says why a frame was dropped.
type DropReason uint8

// The reasons.
const (
	// DropFull: the mailbox was full and its policy refused or replaced it.
	DropFull DropReason = iota
	// DropClosed: the connection was closing or closed, and its sender told so.
	DropClosed
	// DropPong: more pongs were due than the control lane holds.
	DropPong
	// DropConflated: a newer message with the same key took its place.
	DropConflated
	// DropLost: it was queued or being written, and went down with its
	// connection.
	DropLost

	// DropReasons is the number of reasons.
	DropReasons = iota
)

// String returns the reason as used in metric labels.
func (r DropReason) String() string {
	switch r {
	case DropFull:
		return "full"
	case DropClosed:
		return "closed"
	case DropConflated:
		return "conflated"
	case DropLost:
		return "lost"
	}
	return "pong"
}

// NopObserver ignores everything; embed it to implement only some methods.
type NopObserver struct{}

var _ Observer = NopObserver{}

// FrameRead does nothing.
func (NopObserver) FrameRead(wscore.Opcode, int) {}

// FrameWritten does nothing.
func (NopObserver) FrameWritten(wscore.Opcode, int) {}

// MessageRead does nothing.
func (NopObserver) MessageRead(int, int) {}

// MessageWritten does nothing.
func (NopObserver) MessageWritten(int, int) {}

// BatchWritten does nothing.
func (NopObserver) BatchWritten(int) {}

// MailboxWaited does nothing.
func (NopObserver) MailboxWaited(time.Duration) {}

// MailboxCrowded does nothing.
func (NopObserver) MailboxCrowded(int) {}

// MailboxChanged does nothing.
func (NopObserver) MailboxChanged(int, int) {}

// FramesDropped does nothing.
func (NopObserver) FramesDropped(DropReason, int) {}

// BufferAcquired does nothing.
func (NopObserver) BufferAcquired(int) {}

// BufferReleased does nothing.
func (NopObserver) BufferReleased(int) {}
