package split

import "github.com/tandem-ws/tandem/wscore"

// Observer is told what happens in the halves, for metrics. Its methods are
// called on the path of every frame from many goroutines at once: they must
// not block and should not allocate.
type Observer interface {
	// FrameRead reports a frame from the peer, at its header, with the length
	// of its payload in bytes. A continuation frame has the opcode of its
	// message.
	FrameRead(opcode wscore.Opcode, payload int)
	// FrameWritten reports a frame that the transport has taken whole.
	FrameWritten(opcode wscore.Opcode, payload int)
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

// MailboxChanged does nothing.
func (NopObserver) MailboxChanged(int, int) {}

// FramesDropped does nothing.
func (NopObserver) FramesDropped(DropReason, int) {}

// BufferAcquired does nothing.
func (NopObserver) BufferAcquired(int) {}

// BufferReleased does nothing.
func (NopObserver) BufferReleased(int) {}
