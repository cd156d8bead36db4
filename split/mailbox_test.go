package split

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// mailboxTest is a mailbox with what it is made of.
type mailboxTest struct {
	*Mailbox
	t      *testing.T
	config *Config
	ledger *ledger
	taken  *batch // and not settled yet
}

func newMailbox(t *testing.T, bounds MailboxConfig) *mailboxTest {
	t.Helper()
	config, l := newConfig(t, Config{Mailbox: bounds})
	m := &mailboxTest{Mailbox: &Mailbox{config: config}, t: t, config: config, ledger: l}
	t.Cleanup(func() {
		m.shut()
		m.done()
	})
	return m
}

// put pushes a text message.
func (m *mailboxTest) put(text string) (wake bool, err error) {
	return m.push(context.Background(), entry{message: m.config.Pool.Text(text)}, true)
}

// shut shuts the mailbox and tells whoever wants to know.
func (m *mailboxTest) shut() (idle bool) {
	idle, dropped := m.Mailbox.shut()
	dropped.tell()
	return idle
}

// mustPut pushes text messages that the mailbox has to take.
func (m *mailboxTest) mustPut(texts ...string) {
	m.t.Helper()
	for _, text := range texts {
		_, err := m.put(text)
		must(m.t, err)
	}
}

// next takes a batch and describes it; the one before it is settled first, as
// in a flush.
func (m *mailboxTest) next() string {
	m.done()
	b := &batch{}
	if !m.take(b) {
		if b.ended {
			return "ended"
		}
		return "nothing"
	}
	m.taken = b
	var parts []string
	for i := range b.pongs {
		parts = append(parts, "pong:"+string(b.pongs[i].bytes()))
	}
	if b.ping != nil {
		parts = append(parts, "ping:"+string(b.ping.bytes()))
	}
	for _, message := range b.messages {
		parts = append(parts, string(message.Payload()))
	}
	if b.closing != nil {
		parts = append(parts, fmt.Sprintf("close:%d:%s", b.closing.code, b.closing.reason))
	}
	return strings.Join(parts, " ")
}

// done settles the batch that was taken.
func (m *mailboxTest) done() {
	if b := m.taken; b != nil {
		m.taken = nil
		m.settle(b.messages)
		for _, message := range b.messages {
			message.Release()
		}
	}
}

// depth checks what waits or is being written.
func (m *mailboxTest) depth(frames, bytes int) {
	m.t.Helper()
	f, b := m.Depth()
	equal(m.t, "frames in the mailbox", f, frames)
	equal(m.t, "bytes in the mailbox", b, bytes)
}

// smallest is what the smallest buffer pins.
const smallest = Headroom + 256

func TestMailboxConfigDefaultsAndRanges(t *testing.T) {
	config, err := MailboxConfig{}.withDefaults()
	must(t, err)
	equal(t, "defaults", config, MailboxConfig{MaxFrames: 256, MaxBytes: 1 << 20, Policy: CloseSlow, BlockTimeout: time.Second})
	for _, c := range []struct {
		config MailboxConfig
		field  string
	}{
		{MailboxConfig{MaxFrames: -1}, "Mailbox.MaxFrames"},
		{MailboxConfig{MaxFrames: 1<<20 + 1}, "Mailbox.MaxFrames"},
		{MailboxConfig{MaxBytes: -1}, "Mailbox.MaxBytes"},
		{MailboxConfig{Policy: Conflate + 1}, "Mailbox.Policy"},
		{MailboxConfig{BlockTimeout: time.Millisecond - 1}, "Mailbox.BlockTimeout"},
		{MailboxConfig{BlockTimeout: time.Minute + 1}, "Mailbox.BlockTimeout"},
	} {
		_, err := Config{Mailbox: c.config}.WithDefaults()
		var wrong *wscore.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != c.field {
			t.Errorf("%+v: got %v, want an error about %s", c.config, err, c.field)
		}
	}
}

func TestPolicyNames(t *testing.T) {
	for policy, name := range map[Policy]string{CloseSlow: "close", DropNewest: "drop_newest", DropOldest: "drop_oldest", Block: "block", Conflate: "conflate", 9: "policy-9"} {
		equal(t, "name", policy.String(), name)
	}
}

func TestMailboxKeepsOrder(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	m.mustPut("a", "b", "c")
	m.depth(3, 3*smallest)
	equal(t, "first batch", m.next(), "a b c")
	m.mustPut("d")
	m.depth(4, 4*smallest)
	m.done()
	m.depth(1, smallest)
	equal(t, "second batch", m.next(), "d")
	m.depth(1, smallest)
	m.done()
	m.depth(0, 0)
	equal(t, "third batch", m.next(), "nothing")
}

func TestBatchIsBoundedByFrames(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	for range maxBatchFrames + 2 {
		m.mustPut("x")
	}
	m.pushClose(1000, "", false)
	equal(t, "first batch", m.next(), strings.TrimSpace(strings.Repeat("x ", maxBatchFrames)))
	equal(t, "second batch", m.next(), "x x close:1000:")
}

func TestBatchIsBoundedByBytes(t *testing.T) {
	m := newMailbox(t, MailboxConfig{MaxBytes: 4 << 20})
	half := strings.Repeat("x", maxBatchBytes/2)
	m.mustPut(half, half, half)
	equal(t, "length of the first batch", len(m.next()), maxBatchBytes+1)
	equal(t, "length of the second batch", len(m.next()), len(half))
}

// Bounds: what is being written counts as much as what waits.

func TestMailboxIsBoundedByFrames(t *testing.T) {
	m := newMailbox(t, MailboxConfig{MaxFrames: 3, Policy: DropNewest})
	m.mustPut("a", "b")
	m.next()
	m.mustPut("c")
	wake, err := m.put("too much")
	equal(t, "wake", wake, false)
	equal[error](t, "fourth", err, ErrDropped)
	m.done()
	m.mustPut("d", "e")
	_, err = m.put("too much")
	equal[error](t, "fourth again", err, ErrDropped)
	equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropFull: 2})
	equal(t, "batch", m.next(), "c d e")
}

func TestMailboxIsBoundedByCapacityNotPayload(t *testing.T) {
	m := newMailbox(t, MailboxConfig{MaxBytes: 3*smallest + 10, Policy: DropNewest})
	m.mustPut("a", "b")
	m.next()
	m.mustPut("c")
	_, err := m.put("")
	equal[error](t, "fourth", err, ErrDropped)
	m.done()
	m.mustPut("d")
	m.depth(2, 2*smallest)
}

func TestOneOversizedMessageEntersAnEmptyQueue(t *testing.T) {
	large := strings.Repeat("x", 1000)
	m := newMailbox(t, MailboxConfig{MaxBytes: 300, Policy: DropNewest})
	m.mustPut(large)
	_, err := m.put("")
	equal[error](t, "behind it", err, ErrDropped)
	m.next()
	m.mustPut(large) // beside the first, which is being written
	_, err = m.put("")
	equal[error](t, "behind the second", err, ErrDropped)
	equal(t, "batch", m.next(), large)
	m.mustPut("small")
	_, err = m.put(large)
	equal[error](t, "behind a small one", err, ErrDropped)
}

func TestOneMessageWaitsBesideAFullBatch(t *testing.T) {
	for _, policy := range []Policy{CloseSlow, DropNewest} {
		m := newMailbox(t, MailboxConfig{MaxFrames: 2, Policy: policy})
		m.mustPut("a", "b")
		m.next()
		m.mustPut("c")
		_, err := m.put("d")
		equal(t, "the next one is refused", err != nil, true)
		m.depth(3, 3*smallest)
		equal(t, "batch", m.next(), "c")
	}
}

// Policies.

func TestCloseSlowRefusesWithTheCodeThatIsDue(t *testing.T) {
	m := newMailbox(t, MailboxConfig{MaxFrames: 2})
	m.mustPut("a", "b")
	_, err := m.put("c")
	equal[error](t, "third", err, ErrSlowConsumer)
	equal(t, "code", ErrSlowConsumer.Code, wscore.CloseTryAgainLater)
	equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropFull: 1})
	equal(t, "batch", m.next(), "a b")
}

func TestDropOldestMakesRoom(t *testing.T) {
	m := newMailbox(t, MailboxConfig{MaxFrames: 3, Policy: DropOldest})
	m.mustPut("a", "b", "c", "d", "e")
	equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropFull: 2})
	m.depth(3, 3*smallest)
	equal(t, "batch", m.next(), "c d e")
}

func TestDropOldestDropsAsManyAsTheBytesAskFor(t *testing.T) {
	m := newMailbox(t, MailboxConfig{MaxBytes: 2000, Policy: DropOldest})
	m.mustPut("a", "b", "c", "d", "e", "f", strings.Repeat("x", 1000)) // pins 1038
	equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropFull: 3})
	equal(t, "batch", m.next(), "d e f "+strings.Repeat("x", 1000))
}

func TestDropOldestLetsAnOversizedMessageTakeEverything(t *testing.T) {
	large := strings.Repeat("x", 1000)
	m := newMailbox(t, MailboxConfig{MaxBytes: 600, Policy: DropOldest})
	m.mustPut("a", "b", large)
	equal(t, "batch", m.next(), large)
}

func TestDropOldestCannotDropWhatIsBeingWritten(t *testing.T) {
	m := newMailbox(t, MailboxConfig{MaxFrames: 2, Policy: DropOldest})
	m.mustPut("a", "b")
	equal(t, "being written", m.next(), "a b")
	m.mustPut("c", "d", "e") // each in the place of the one before
	equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropFull: 2})
	m.depth(3, 3*smallest)
	equal(t, "batch", m.next(), "e")
}

// Memory of the ring.

func TestRingGrowsToMaxFramesAndIsGivenBack(t *testing.T) {
	m := newMailbox(t, MailboxConfig{MaxFrames: 50})
	var want []string
	for i := range 50 {
		text := fmt.Sprint(i)
		m.mustPut(text)
		want = append(want, text)
	}
	equal(t, "length of the ring", m.queue.size(), 50)
	equal(t, "batch", m.next(), strings.Join(want, " "))
	equal(t, "length of the ring when empty", m.queue.size(), 0)
	m.done()
	m.mustPut("a")
	equal(t, "length of the ring", m.queue.size(), keptQueue)
	m.next()
	equal(t, "length of the ring that an idle mailbox keeps", m.queue.size(), keptQueue)
}

func TestRingKeepsOrderAsItTurnsAndGrows(t *testing.T) {
	m := newMailbox(t, MailboxConfig{Policy: DropOldest, MaxFrames: 7})
	for i := range 100 {
		m.mustPut(fmt.Sprint(i))
	}
	equal(t, "batch", m.next(), "93 94 95 96 97 98 99")
	m.done()
	for i := range 3 { // now with the head away from the ring's start
		m.mustPut(fmt.Sprint(i))
	}
	equal(t, "batch", m.next(), "0 1 2")
}

func TestRingHoldsNoTakenMessage(t *testing.T) {
	m := newMailbox(t, MailboxConfig{})
	m.mustPut("a", "b", "c")
	queue := m.queue // it may be given back
	m.next()
	for i, e := range queue.entries {
		if e != (entry{}) {
			t.Errorf("slot %d still holds a message", i)
		}
	}
}
