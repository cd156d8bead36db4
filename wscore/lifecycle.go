package wscore

import "sync/atomic"

// Lifecycle is the one state that both directions of a connection share: a
// cell of the state table, and the first close code that either side sent. The
// zero value is an open connection. All methods may be called from any
// goroutine. It must not be copied after first use.
type Lifecycle struct {
	// State and first close code change together, so both live in one word:
	// whoever sees that a close frame was sent also sees its code.
	word atomic.Uint32
}

// The parts of the word.
const (
	stateMask      = 0xFF
	firstCodeShift = 8
	firstLocal     = 1 << 24
	firstSet       = 1 << 25
)

// State returns the current state.
func (l *Lifecycle) State() State { return State(l.word.Load() & stateMask) }

// Apply takes a signal through the state table and returns the state that it
// led to. The error is a local [*ProtocolError] for a send that the state
// forbids; the state is then unchanged.
func (l *Lifecycle) Apply(signal Signal) (State, error) { return l.apply(signal, 0) }

// applyClose is Apply for a close frame; it also keeps the code if that is the
// first one.
func (l *Lifecycle) applyClose(signal Signal, code CloseCode, initiator Side) (State, error) {
	first := uint32(code)<<firstCodeShift | firstSet
	if initiator == Local {
		first |= firstLocal
	}
	return l.apply(signal, first)
}

func (l *Lifecycle) apply(signal Signal, first uint32) (State, error) {
	for {
		from := l.word.Load()
		cell := &transitions[from&stateMask][signal]
		if cell.err != nil {
			return State(from & stateMask), cell.err
		}
		to := from&^stateMask | uint32(cell.next)
		if from&firstSet == 0 {
			to |= first
		}
		if to == from || l.word.CompareAndSwap(from, to) {
			return cell.next, nil
		}
	}
}

// FirstClose returns the code of the first close frame that was sent (Local)
// or received (Remote); ok is false while there was none. A close frame counts
// as sent once the [Encoder] has made it (RFC 6455 section 7.1.5).
func (l *Lifecycle) FirstClose() (code CloseCode, initiator Side, ok bool) {
	word := l.word.Load()
	if word&firstLocal != 0 {
		initiator = Local
	}
	return CloseCode(word >> firstCodeShift), initiator, word&firstSet != 0
}
