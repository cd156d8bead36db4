package split

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/wscore"
)

// The control lane.

func TestFullQueueNeverBlocksTheControlLane(t *testing.T) {
	m := newMailbox(t, MailboxConfig{MaxFrames: 1})
	m.mustPut("a")
	_, err := m.put("b")
	equal[error](t, "second message", err, ErrSlowConsumer)
	m.pushPong([]byte("1"))
	m.pushPing([]byte("2"))
	_, queued := m.pushClose(1001, "bye", false)
	equal(t, "close queued", queued, true)
	equal(t, "batch", m.next(), "pong:1 ping:2 a close:1001:bye")
}

func TestPongOvertakesWaitingMessages(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	for range maxBatchFrames + 1 {
		m.mustPut("x")
	}
	m.next()
	m.done()
	m.mustPut("y")
	m.pushPong([]byte("p"))
	equal(t, "second batch", m.next(), "pong:p x y")
}

func TestNewestPongReplacesTheOldest(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	var want []string
	for i := range MaxPongs + 2 {
		m.pushPong(fmt.Append(nil, i))
		if i >= 2 {
			want = append(want, fmt.Sprintf("pong:%d", i))
		}
	}
	equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropPong: 2})
	equal(t, "batch", m.next(), strings.Join(want, " "))
}

func TestPongKeepsAWholeControlPayload(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	payload := pattern(wscore.MaxControlPayload)
	source := []byte(payload)
	m.pushPong(source)
	clear(source) // what was given is not kept
	equal(t, "batch", m.next(), "pong:"+payload)
}

func TestNewPingReplacesTheOneThatWaits(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	m.pushPing([]byte("1"))
	m.pushPing([]byte("2"))
	equal(t, "batch", m.next(), "ping:2")
	equal(t, "next batch", m.next(), "nothing")
}

// The close frame.

func TestCloseStandsBehindTheQueue(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	m.mustPut("a", "b")
	m.pushClose(1000, "done", false)
	m.pushPong([]byte("p")) // a pong may still leave before the close frame
	equal(t, "batch", m.next(), "pong:p a b close:1000:done")
}

func TestDiscardingCloseStandsInTheQueuesPlace(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	m.mustPut("a", "b")
	m.pushPong([]byte("p"))
	m.pushPing([]byte("p"))
	wake, queued := m.pushClose(1013, "slow", true)
	equal(t, "queued", queued, true)
	equal(t, "wake", wake, false) // the first message's wake is still good
	equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropLost: 2})
	equal(t, "batch", m.next(), "close:1013:slow")
}

func TestSecondCloseIsRefusedButMayDiscard(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	m.mustPut("a")
	m.pushClose(1000, "first", false)
	wake, queued := m.pushClose(1011, "second", true)
	equal(t, "queued", queued, false)
	equal(t, "wake", wake, false)
	equal(t, "batch", m.next(), "close:1000:first")
}

func TestNothingEntersAfterTheClose(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	m.pushClose(1000, "", false)
	_, err := m.put("late")
	equal[error](t, "message", err, ErrClosed)
	m.pushPing([]byte("late"))
	equal(t, "batch", m.next(), "close:1000:")
	m.pushPong([]byte("late")) // the close frame has been taken
	equal(t, "next batch", m.next(), "nothing")
	equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropClosed: 1})
}

// Shutting.

func TestShutDropsEverythingThatWaits(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	m.mustPut("a", "b")
	m.pushPong([]byte("p"))
	m.pushPing([]byte("p"))
	m.pushClose(1000, "", false)
	m.shut()
	m.depth(0, 0)
	equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropLost: 2})
	equal(t, "batch", m.next(), "ended")
}

func TestShutMailboxRefusesEverything(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	m.shut()
	wake, err := m.put("late")
	equal[error](t, "message", err, ErrClosed)
	equal(t, "wake by a message", wake, false)
	equal(t, "wake by a pong", m.pushPong(nil), false)
	equal(t, "wake by a ping", m.pushPing(nil), false)
	wake, queued := m.pushClose(1000, "", true)
	equal(t, "wake by a close", wake, false)
	equal(t, "close queued", queued, false)
	equal(t, "batch", m.next(), "ended")
}

func TestShutIsIdleForOneCallerAndOnlyWithoutAFlush(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	equal(t, "first shut", m.shut(), true)
	equal(t, "second shut", m.shut(), false)

	m = newMailbox(t, MailboxConfig{})
	m.mustPut("a") // its caller was told to flush
	equal(t, "shut with a flush due", m.shut(), false)
	equal(t, "that flush", m.next(), "ended")
	equal(t, "shut after that flush", m.shut(), false)

	m = newMailbox(t, MailboxConfig{})
	m.mustPut("a")
	m.next()
	m.done()
	m.next() // nothing: the flush has ended
	equal(t, "shut after a flush", m.shut(), true)
}
