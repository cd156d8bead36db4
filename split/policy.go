package split

import (
	"strconv"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// Policy says what a full mailbox does with a new message.
type Policy uint8

// The policies. Every message that is not sent is counted by the observer.
const (
	// CloseSlow refuses the message with [ErrSlowConsumer]; the owner then
	// closes the connection with 1013 (try again later).
	CloseSlow Policy = iota
	// DropNewest refuses the message with [ErrDropped].
	DropNewest
	// DropOldest makes room by dropping the oldest queued messages.
	DropOldest
	// Block lets the sender wait until the message fits, first come first
	// served. After MailboxConfig.BlockTimeout the message is refused with
	// [ErrDropped]; when the connection closes, with [ErrClosed].
	//
	// Only a flush makes room. A goroutine that was told by wake that one is
	// due must start it before its next send may wait, or it waits for itself;
	// [Writer.TrySend] never waits.
	Block
	// Conflate lets a message of [Writer.SendKeyed] take the place of the queued
	// one with the same key, whether the mailbox is full or not. A message
	// without a queued namesake that does not fit is refused with [ErrDropped].
	Conflate
)

// String returns the policy's name as used in flags and metric labels.
func (p Policy) String() string {
	switch p {
	case CloseSlow:
		return "close"
	case DropNewest:
		return "drop_newest"
	case DropOldest:
		return "drop_oldest"
	case Block:
		return "block"
	case Conflate:
		return "conflate"
	}
	return "policy-" + strconv.Itoa(int(p))
}

// MailboxConfig bounds a [Mailbox]. The zero value means the defaults.
type MailboxConfig struct {
	// MaxFrames is how many messages may wait. Default: 256. Range: 1 to
	// 1,048,576. Under Conflate it also bounds the search for a key.
	MaxFrames int
	// MaxBytes is how much memory the waiting messages may pin, in bytes of
	// buffer capacity. Default: 1 MiB. A message is let into an empty queue
	// whatever its size, so the bound is this and one message beside what is
	// being written. A compressed form that many connections share is not
	// counted.
	MaxBytes int
	// Policy is what happens to a message that does not fit. Default: CloseSlow.
	Policy Policy
	// BlockTimeout is how long a sender waits for room under the policy Block.
	// What waits there is not counted in the bounds: each message belongs to a
	// goroutine that waits. Default: 1 s. Range: 1 ms to 1 min.
	BlockTimeout time.Duration
}

// Defaults of [MailboxConfig], and the size of the control lane.
const (
	DefaultMailboxFrames = 256
	DefaultMailboxBytes  = 1 << 20
	DefaultBlockTimeout  = time.Second
	// MaxPongs is how many pongs wait at most; beyond it the newest replaces
	// the oldest (RFC 6455 section 5.5.3).
	MaxPongs = 32
)

func (c MailboxConfig) withDefaults() (MailboxConfig, error) {
	if c.MaxFrames == 0 {
		c.MaxFrames = DefaultMailboxFrames
	}
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMailboxBytes
	}
	if c.BlockTimeout == 0 {
		c.BlockTimeout = DefaultBlockTimeout
	}
	switch {
	case c.MaxFrames < 1 || c.MaxFrames > 1<<20:
		return c, &wscore.ConfigError{Field: "Mailbox.MaxFrames", Value: c.MaxFrames, Range: "1 to 1048576 (0 for the default)"}
	case c.MaxBytes < 1:
		return c, &wscore.ConfigError{Field: "Mailbox.MaxBytes", Value: c.MaxBytes, Range: "1 or more (0 for the default)"}
	case c.Policy > Conflate:
		return c, &wscore.ConfigError{Field: "Mailbox.Policy", Value: c.Policy, Range: "close, drop_newest, drop_oldest, block or conflate"}
	case c.BlockTimeout < time.Millisecond || c.BlockTimeout > time.Minute:
		return c, &wscore.ConfigError{Field: "Mailbox.BlockTimeout", Value: c.BlockTimeout, Range: "1ms to 1m (0 for the default)"}
	}
	return c, nil
}
