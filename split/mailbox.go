package split

import (
	"strconv"
	"sync"

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
	}
	return "policy-" + strconv.Itoa(int(p))
}

// MailboxConfig bounds a [Mailbox]. The zero value means the defaults.
type MailboxConfig struct {
	// MaxFrames is how many messages may wait. Default: 256.
	MaxFrames int
	// MaxBytes is how much memory the waiting messages may pin, in bytes of
	// buffer capacity. Default: 1 MiB. A message is let into an empty queue
	// whatever its size, so the bound is this and one message beside what is
	// being written.
	MaxBytes int
	// Policy is what happens to a message that does not fit. Default: CloseSlow.
	Policy Policy
}

// Defaults of [MailboxConfig], and the size of the control lane.
const (
	DefaultMailboxFrames = 256
	DefaultMailboxBytes  = 1 << 20
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
	switch {
	case c.MaxFrames < 1 || c.MaxFrames > 1<<20:
		return c, &wscore.ConfigError{Field: "Mailbox.MaxFrames", Value: c.MaxFrames, Range: "1 to 1048576 (0 for the default)"}
	case c.MaxBytes < 1:
		return c, &wscore.ConfigError{Field: "Mailbox.MaxBytes", Value: c.MaxBytes, Range: "1 or more (0 for the default)"}
	case c.Policy > DropOldest:
		return c, &wscore.ConfigError{Field: "Mailbox.Policy", Value: c.Policy, Range: "close, drop_newest or drop_oldest"}
	}
	return c, nil
}

// Mailbox is what waits to be written: a bounded queue of messages, and beside
// it a control lane that a full queue never blocks: pongs, one ping and one
// close frame. Any goroutine puts in; one writer takes out.
type Mailbox struct {
	config   MailboxConfig
	observer Observer

	mu        sync.Mutex
	queue     []*Buffer // a ring: count messages from head on
	head      int
	count     int
	bytes     int // capacity pinned by queued messages and by those being written
	writing   int // messages taken and not settled yet
	pongs     []controlFrame
	ping      *controlFrame
	closing   *closeFrame
	sealed    bool // a close frame is queued or sent: no more messages
	ended     bool // nothing is written any more
	scheduled bool // a writer is at work or on its way
}

type controlFrame struct {
	length  uint8
	payload [wscore.MaxControlPayload]byte
}

func newControlFrame(payload []byte) controlFrame {
	var f controlFrame
	f.length = uint8(copy(f.payload[:], payload))
	return f
}

func (f *controlFrame) bytes() []byte { return f.payload[:f.length] }

type closeFrame struct {
	code   wscore.CloseCode
	reason string
}

// push puts a message in, taking ownership whatever the outcome. wake is true
// when nobody is writing and the caller must see to it that somebody does.
func (m *Mailbox) push(b *Buffer) (wake bool, err error) {
	size := b.Cap()
	m.mu.Lock()
	switch {
	case m.sealed:
		m.mu.Unlock()
		return m.refuse(b, DropClosed, ErrClosed)
	case m.fits(0, 0, size):
	case m.config.Policy == CloseSlow:
		m.mu.Unlock()
		return m.refuse(b, DropFull, ErrSlowConsumer)
	case m.config.Policy == DropNewest:
		m.mu.Unlock()
		return m.refuse(b, DropFull, ErrDropped)
	default:
		m.makeRoom(size)
	}
	if m.count == len(m.queue) {
		m.grow()
	}
	m.queue[(m.head+m.count)%len(m.queue)] = b
	m.count++
	m.bytes += size
	// Reported before the writer can take the message, so that a gauge made of
	// the changes never falls below zero.
	m.observer.MailboxChanged(1, b.Len())
	wake = m.schedule()
	m.mu.Unlock()
	return wake, nil
}

// fits reports whether a message of that size fits once the oldest drops
// messages, which pin so many bytes, are out. Behind an empty queue it always
// does: what is being written may be large too, and a peer that is just being
// served is not slow.
func (m *Mailbox) fits(drops, dropped, size int) bool {
	return m.count == drops || m.count+m.writing-drops < m.config.MaxFrames && m.bytes-dropped+size <= m.config.MaxBytes
}

// makeRoom drops as many of the oldest queued messages as a new one needs.
func (m *Mailbox) makeRoom(size int) {
	drops, dropped := 0, 0
	for ; !m.fits(drops, dropped, size); drops++ {
		dropped += m.queue[(m.head+drops)%len(m.queue)].Cap()
	}
	for range drops {
		m.drop(m.pop(), DropFull)
	}
}

func (m *Mailbox) refuse(b *Buffer, reason DropReason, err error) (bool, error) {
	m.observer.FramesDropped(reason, 1)
	b.Release()
	return false, err
}

func (m *Mailbox) pop() *Buffer {
	b := m.queue[m.head]
	m.queue[m.head] = nil
	m.head = (m.head + 1) % len(m.queue)
	m.count--
	return b
}

// drop releases a message that was queued.
func (m *Mailbox) drop(b *Buffer, reason DropReason) {
	m.bytes -= b.Cap()
	m.observer.MailboxChanged(-1, -b.Len())
	m.observer.FramesDropped(reason, 1)
	b.Release()
}

// grow doubles the ring, from 4 up to MaxFrames.
func (m *Mailbox) grow() {
	larger := make([]*Buffer, min(max(4, 2*len(m.queue)), m.config.MaxFrames))
	for i := range m.count {
		larger[i] = m.queue[(m.head+i)%len(m.queue)]
	}
	m.queue, m.head = larger, 0
}

// schedule claims the right to write and reports whether it was free.
func (m *Mailbox) schedule() bool {
	if m.scheduled {
		return false
	}
	m.scheduled = true
	return true
}

// pushPong queues the answer to a ping.
func (m *Mailbox) pushPong(payload []byte) (wake bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sealed && m.closing == nil {
		return false // our close frame is out: nothing may follow it
	}
	if len(m.pongs) == MaxPongs {
		copy(m.pongs, m.pongs[1:])
		m.pongs = m.pongs[:MaxPongs-1]
		m.observer.FramesDropped(DropPong, 1)
	}
	m.pongs = append(m.pongs, newControlFrame(payload))
	return m.schedule()
}

// pushPing queues a ping in place of one that has not left yet.
func (m *Mailbox) pushPing(payload []byte) (wake bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sealed {
		return false
	}
	frame := newControlFrame(payload)
	m.ping = &frame
	return m.schedule()
}

// pushClose queues the connection's one close frame behind the waiting
// messages, or in their place when discard is set; queued is false if there
// was one before.
func (m *Mailbox) pushClose(code wscore.CloseCode, reason string, discard bool) (wake, queued bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if discard {
		m.discard()
	}
	if m.sealed {
		return false, false
	}
	m.sealed, m.closing = true, &closeFrame{code: code, reason: reason}
	return m.schedule(), true
}

func (m *Mailbox) discard() {
	for m.count > 0 {
		m.drop(m.pop(), DropClosed)
	}
	m.pongs, m.ping = nil, nil
}

// shut drops everything that waits and refuses everything from now on. idle
// is true, for one caller, when no writer is at work and none will be.
func (m *Mailbox) shut() (idle bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.discard()
	m.sealed, m.ended, m.closing, m.queue, m.head = true, true, nil, nil, 0
	return m.schedule()
}

// take moves what is to be written next into the batch. It returns false when
// nothing waits, and gives up the right to write unless the mailbox was shut.
func (m *Mailbox) take(b *batch) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	b.pongs, m.pongs = m.pongs, nil
	b.ping, m.ping = m.ping, nil
	for m.count > 0 && len(b.messages) < maxBatchFrames && b.size < maxBatchBytes {
		message := m.pop()
		b.messages = append(b.messages, message)
		b.size += message.Len()
	}
	m.writing = len(b.messages)
	if m.count == 0 {
		b.closing, m.closing = m.closing, nil
		if len(m.queue) > keptQueue {
			m.queue, m.head = nil, 0
		}
	}
	if b.empty() {
		m.scheduled, b.ended = m.ended, m.ended
		return false
	}
	return true
}

// settle reports that the messages of a batch are done with: written, or lost
// with the stream.
func (m *Mailbox) settle(messages []*Buffer) {
	bytes, pinned := 0, 0
	for _, b := range messages {
		bytes += b.Len()
		pinned += b.Cap()
	}
	m.mu.Lock()
	m.writing -= len(messages)
	m.bytes -= pinned
	m.mu.Unlock()
	m.observer.MailboxChanged(-len(messages), -bytes)
}

// Depth returns how many messages wait or are being written, and how much
// memory they pin in bytes.
func (m *Mailbox) Depth() (frames, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count + m.writing, m.bytes
}
