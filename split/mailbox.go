package split

import (
	"context"
	"sync"
)

// Mailbox is what waits to be written: a bounded queue of messages, and beside
// it a control lane that a full queue never blocks: pongs, one ping and one
// close frame. Any goroutine puts in; one writer takes out.
type Mailbox struct {
	config *Config // shared by all connections of one configuration

	mu        sync.Mutex
	queue     *ring    // nil for none
	control   *control // nil while nothing waits in the lane
	bytes     int      // capacity pinned by queued messages and by those being written
	sealed    bool     // a close frame is queued or sent: no more messages
	ended     bool     // nothing is written any more
	scheduled bool     // a writer is at work or on its way; always while messages wait
	crowded   bool     // the observer was told that it is
	writing   uint8    // messages taken and not settled yet, at most maxBatchFrames
	sample    uint8    // counts messages, to time some of them

	line *blocked // the first of those who wait for room, nil while there is any

	relief Relief // nil for none; set before the first push
}

// Relief is asked to write what it can at once, without waiting, before a
// message is refused, dropped or made to wait because a mailbox is full: a
// burst that the stream would take is not the peer's fault. It is called on
// the sender's goroutine with no lock held, and does nothing unless it holds
// the right to write and is not writing.
type Relief interface {
	// Relieve writes what the stream takes without waiting.
	Relieve()
}

// entry is a message in a mailbox.
type entry struct {
	message *Buffer
	extra   *extra // nil for most
}

// extra is what a sender asked for beside the sending.
type extra struct {
	key  string      // under Conflate
	done func(error) // nil for none
}

// push puts a message in, taking ownership whatever the outcome. wake is true
// when nobody is writing and the caller must see to it that somebody does.
// With wait the policy may let it wait, until the context ends.
func (m *Mailbox) push(ctx context.Context, e entry, wait bool) (wake bool, err error) {
	m.lockWithRoom(e.message.Cap())
	return m.enter(ctx, e, wait)
}

// lockWithRoom takes the lock, and asks for relief before if a message of that
// size does not fit.
func (m *Mailbox) lockWithRoom(size int) {
	m.mu.Lock()
	if m.relief != nil && !m.sealed && !m.fits(0, 0, size) {
		m.mu.Unlock()
		m.relief.Relieve()
		m.mu.Lock()
	}
}

// pushKeyed puts a message in the place of the queued one with the same key,
// or else in as push does.
func (m *Mailbox) pushKeyed(ctx context.Context, key string, b *Buffer) (wake bool, err error) {
	if key == "" || m.config.Mailbox.Policy != Conflate {
		return m.push(ctx, entry{message: b}, true)
	}
	m.lockWithRoom(b.Cap())
	namesake := m.find(key)
	if m.sealed || namesake == nil || !m.mayReplace(namesake.message, b) {
		return m.enter(ctx, entry{b, &extra{key: key}}, true)
	}
	old := namesake.message
	namesake.message = b
	m.bytes += b.Cap() - old.Cap()
	m.config.Observer.MailboxChanged(0, b.Len()-old.Len())
	m.config.Observer.FramesDropped(DropConflated, 1)
	m.mu.Unlock()
	old.Release()
	return false, nil // what is queued has somebody on the way
}

// enter is push with the lock held, which it gives up.
func (m *Mailbox) enter(ctx context.Context, e entry, wait bool) (wake bool, err error) {
	var dropped notices
	size := e.message.Cap()
	switch {
	case m.sealed:
		m.mu.Unlock()
		return m.refuse(e.message, DropClosed, ErrClosed)
	case m.line == nil && m.fits(0, 0, size):
	case m.config.Mailbox.Policy == CloseSlow:
		m.mu.Unlock()
		return m.refuse(e.message, DropFull, ErrSlowConsumer)
	case m.config.Mailbox.Policy == DropOldest:
		dropped = m.makeRoom(size)
	case m.config.Mailbox.Policy == Block && wait:
		return m.await(ctx, e)
	default:
		m.mu.Unlock()
		return m.refuse(e.message, DropFull, ErrDropped)
	}
	wake = m.enqueue(e)
	m.mu.Unlock()
	dropped.tell()
	return wake, nil
}

// enqueue puts a message in that has room.
func (m *Mailbox) enqueue(e entry) (wake bool) {
	if m.count() == m.queue.size() {
		m.grow()
	}
	m.queue.push(e)
	m.bytes += e.message.Cap()
	if m.sample++; e.message.sole() {
		e.message.Stamp(m.sample%stampEvery == 1)
	}
	if !m.crowded && m.fuller(2) {
		m.crowded = true
		m.config.Observer.MailboxCrowded(1)
	}
	// Reported before the writer can take the message, so that a gauge made of
	// the changes never falls below zero.
	m.config.Observer.MailboxChanged(1, e.message.Len())
	return m.schedule()
}

// fuller reports whether more than 1/part of either bound is in use.
func (m *Mailbox) fuller(part int) bool {
	return part*(m.count()+int(m.writing)) > m.config.Mailbox.MaxFrames || part*m.bytes > m.config.Mailbox.MaxBytes
}

// relax ends the crowd, if there is one and it is over.
func (m *Mailbox) relax(over bool) {
	if m.crowded && over {
		m.crowded = false
		m.config.Observer.MailboxCrowded(-1)
	}
}

// count is how many messages are queued.
func (m *Mailbox) count() int {
	if m.queue == nil {
		return 0
	}
	return int(m.queue.count)
}

// find returns the queued message with that key.
func (m *Mailbox) find(key string) *entry {
	for i := range m.count() {
		if e := m.queue.at(i); e.extra != nil && e.extra.key == key {
			return e
		}
	}
	return nil
}

// mayReplace reports whether the bound on bytes lets a message take the place
// of a queued one. As in fits, the only queued message may be of any size.
func (m *Mailbox) mayReplace(old, b *Buffer) bool {
	return m.count() == 1 || b.Cap() <= old.Cap() || m.bytes-old.Cap()+b.Cap() <= m.config.Mailbox.MaxBytes
}

// fits reports whether a message of that size fits once the oldest drops
// messages, which pin so many bytes, are out. Behind an empty queue it always
// does: what is being written may be large too, and a peer that is just being
// served is not slow.
func (m *Mailbox) fits(drops, dropped, size int) bool {
	count := m.count() - drops
	return count == 0 || count+int(m.writing) < m.config.Mailbox.MaxFrames && m.bytes-dropped+size <= m.config.Mailbox.MaxBytes
}

// makeRoom drops as many of the oldest queued messages as a new one needs.
func (m *Mailbox) makeRoom(size int) (dropped notices) {
	drops, pinned := 0, 0
	for ; !m.fits(drops, pinned, size); drops++ {
		pinned += m.queue.at(drops).message.Cap()
	}
	for range drops {
		m.drop(m.queue.pop(), DropFull, ErrDropped, &dropped)
	}
	return dropped
}

func (m *Mailbox) refuse(b *Buffer, reason DropReason, err error) (bool, error) {
	m.config.Observer.FramesDropped(reason, 1)
	b.Release()
	return false, err
}

// drop releases a message that was queued, and notes who is to be told.
func (m *Mailbox) drop(e entry, reason DropReason, err error, dropped *notices) {
	m.bytes -= e.message.Cap()
	m.config.Observer.MailboxChanged(-1, -e.message.Len())
	m.config.Observer.FramesDropped(reason, 1)
	e.message.Release()
	if e.extra != nil && e.extra.done != nil {
		dropped.add(e.extra.done, err)
	}
}

// grow doubles the ring, from 4 up to MaxFrames.
func (m *Mailbox) grow() {
	larger := m.larger()
	for m.count() > 0 {
		larger.push(m.queue.pop())
	}
	m.queue = larger
}

// larger returns the next ring: small at first, then one that is lent, then one
// of its own. A mailbox that gave a lent one back begins with a lent one.
func (m *Mailbox) larger() *ring {
	size := min(max(keptQueue, 2*m.queue.size()), m.config.Mailbox.MaxFrames)
	if size <= lentRing && m.config.Mailbox.MaxFrames >= lentRing {
		if lent := borrowRing(); lent != nil {
			return lent
		}
		if size > keptQueue {
			size = lentRing
		}
	}
	return newRing(size)
}

// schedule claims the right to write and reports whether it was free.
func (m *Mailbox) schedule() bool {
	if m.scheduled {
		return false
	}
	m.scheduled = true
	return true
}

// discard drops everything that waits, but for the close frame.
func (m *Mailbox) discard() (dropped notices) {
	for m.count() > 0 {
		m.drop(m.queue.pop(), DropLost, ErrClosed, &dropped)
	}
	if c := m.control; c != nil {
		c.pongs, c.ping = c.pongs[:0], nil
	}
	return dropped
}

// shut drops everything that waits and refuses everything from now on. idle
// is true, for one caller, when no writer is at work and none will be.
func (m *Mailbox) shut() (idle bool, dropped notices) {
	m.mu.Lock()
	defer m.mu.Unlock()
	dropped = m.discard()
	m.sealed, m.ended, m.control, m.queue = true, true, nil, nil
	m.turnAway()
	m.relax(true)
	return m.schedule(), dropped
}

// take moves what is to be written next into the batch. It returns false when
// nothing waits, and gives up the right to write unless the mailbox was shut.
func (m *Mailbox) take(b *batch) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.control != nil {
		m.control.take(b)
	}
	for m.count() > 0 && len(b.messages) < maxBatchFrames && b.size < maxBatchBytes {
		e := m.queue.pop()
		if e.extra != nil && e.extra.done != nil {
			b.notices = append(b.notices, notice{index: len(b.messages), done: e.extra.done})
		}
		b.messages = append(b.messages, e.message)
		b.size += e.message.Len()
	}
	m.writing = uint8(len(b.messages))
	if m.count() == 0 {
		if m.control != nil { // nothing is left in it but perhaps the close frame
			b.closing = m.control.closing
			m.control.giveBack()
			m.control = nil
		}
		if m.queue.size() > keptQueue {
			m.queue.giveBack()
			m.queue = nil
		}
		if m.line != nil {
			m.admit() // one fits into an empty queue whatever its size
		}
	}
	if b.empty() {
		m.scheduled, b.ended = m.ended, m.ended
		return false
	}
	return true
}

// waiting reports whether there is something to be taken.
func (m *Mailbox) waiting() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count() > 0 || !m.lane().empty()
}

// hasEnded reports whether the mailbox was shut.
func (m *Mailbox) hasEnded() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ended
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
	m.writing -= uint8(len(messages))
	m.bytes -= pinned
	m.relax(!m.fuller(4))
	if m.line != nil {
		m.admit()
	}
	m.mu.Unlock()
	m.config.Observer.MailboxChanged(-len(messages), -bytes)
}

// Depth returns how many messages wait or are being written, and how much
// memory they pin in bytes.
func (m *Mailbox) Depth() (frames, bytes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.count() + int(m.writing), m.bytes
}
