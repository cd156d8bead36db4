package split

import (
	"context"
	"time"
)

// blocked is a message whose sender waits for room, under the policy Block. The
// blocked ones of a mailbox form a ring in the order in which they came. Whoever
// makes room puts their messages in: so none is overtaken, and none is woken
// in vain.
type blocked struct {
	entry          entry
	next, previous *blocked      // nil once it is decided
	decided        chan struct{} // closed then
	wake           bool
	err            error
}

// await waits for room. The caller holds the lock, which await gives up.
func (m *Mailbox) await(ctx context.Context, e entry) (wake bool, err error) {
	w := &blocked{entry: e, decided: make(chan struct{})}
	m.join(w)
	m.mu.Unlock()
	timer := time.NewTimer(m.config.Mailbox.BlockTimeout)
	defer timer.Stop()
	select {
	case <-w.decided:
	case <-timer.C:
		m.withdraw(w, ErrDropped)
	case <-ctx.Done():
		m.withdraw(w, &SendError{Text: "message dropped: the wait for room was ended", Err: ctx.Err()})
	}
	switch {
	case w.err == nil:
		return w.wake, nil
	case w.err == ErrClosed:
		return m.refuse(e.message, DropClosed, w.err)
	}
	return m.refuse(e.message, DropFull, w.err)
}

func (m *Mailbox) join(w *blocked) {
	if m.line == nil {
		m.line, w.next, w.previous = w, w, w
		return
	}
	w.next, w.previous = m.line, m.line.previous
	w.next.previous, w.previous.next = w, w
}

func (m *Mailbox) leave(w *blocked) {
	if w.next == w {
		m.line = nil
	} else {
		w.next.previous, w.previous.next = w.previous, w.next
		if m.line == w {
			m.line = w.next
		}
	}
	w.next, w.previous = nil, nil
}

// admit puts in what has room now, in order. It runs whenever room was made or
// the first of the line has left it.
func (m *Mailbox) admit() {
	for m.line != nil && m.fits(0, 0, m.line.entry.message.Cap()) {
		w := m.line
		m.leave(w)
		w.wake = m.enqueue(w.entry)
		close(w.decided)
	}
}

// turnAway ends all waits because the connection is closing.
func (m *Mailbox) turnAway() {
	for m.line != nil {
		w := m.line
		m.leave(w)
		w.err = ErrClosed
		close(w.decided)
	}
}

// withdraw ends a wait, unless it was decided just now.
func (m *Mailbox) withdraw(w *blocked, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if w.next == nil {
		return
	}
	m.leave(w)
	w.err = err
	m.admit() // the next may need less room
}
