package split

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/wscore"
)

// keyed pushes a message with a key.
func (m *mailboxTest) keyed(key, text string) (wake bool, err error) {
	return m.pushKeyed(context.Background(), key, m.config.Pool.Text(text))
}

func TestNewerMessageTakesTheQueuedNamesakesPlace(t *testing.T) {
	for _, full := range []bool{false, true} {
		frames := 100
		if full {
			frames = 4
		}
		m := newMailbox(t, MailboxConfig{Policy: Conflate, MaxFrames: frames})
		for i, put := range [][2]string{{"x", "x1"}, {"", "plain"}, {"y", "y1"}, {"z", "z1"}, {"y", "y2"}, {"x", "x2, longer"}, {"y", "y3"}} {
			wake, err := m.keyed(put[0], put[1])
			must(t, err)
			equal(t, "wake", wake, i == 0)
		}
		m.depth(4, 4*smallest)
		equal(t, "bytes that the observer counts", m.ledger.bytes, len("x2, longer"+"plain"+"y3"+"z1"))
		equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropConflated: 3})
		equal(t, "batch", m.next(), "x2, longer plain y3 z1")
	}
}

func TestMessageBeingWrittenIsNotReplaced(t *testing.T) {
	m := newMailbox(t, MailboxConfig{Policy: Conflate})
	for _, text := range []string{"1", "2"} {
		_, err := m.keyed("x", text)
		must(t, err)
	}
	equal(t, "batch", m.next(), "2")
	_, err := m.keyed("x", "3")
	must(t, err)
	equal(t, "second batch", m.next(), "3")
	equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropConflated: 1})
}

func TestFullConflatingMailboxRefusesWhatHasNoNamesake(t *testing.T) {
	m := newMailbox(t, MailboxConfig{Policy: Conflate, MaxFrames: 2})
	for _, key := range []string{"a", "b"} {
		_, err := m.keyed(key, key)
		must(t, err)
	}
	_, err := m.keyed("c", "c")
	equal[error](t, "another key", err, ErrDropped)
	_, err = m.keyed("", "plain")
	equal[error](t, "no key", err, ErrDropped)
	_, err = m.put("plain")
	equal[error](t, "a plain message", err, ErrDropped)
	equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropFull: 3})
	equal(t, "batch", m.next(), "a b")
}

func TestEmptyKeyIsNobodysNamesake(t *testing.T) {
	m := newMailbox(t, MailboxConfig{Policy: Conflate})
	_, err := m.push(t.Context(), entry{m.config.Pool.Text("told"), &extra{done: func(error) {}}}, true)
	must(t, err)
	for _, text := range []string{"1", "2"} {
		_, err := m.keyed("", text)
		must(t, err)
	}
	equal(t, "batch", m.next(), "told 1 2")
}

func TestReplacementKeepsTheBoundOnBytes(t *testing.T) {
	const middle = Headroom + 1024 // what a message of 257 to 1024 bytes pins
	m := newMailbox(t, MailboxConfig{Policy: Conflate, MaxBytes: smallest + middle})
	m.mustPut("first")
	_, err := m.keyed("x", "small")
	must(t, err)
	larger := strings.Repeat("L", 1000)
	_, err = m.keyed("x", larger)
	must(t, err)
	m.depth(2, smallest+middle)
	_, err = m.keyed("x", strings.Repeat("H", 2000))
	equal[error](t, "one that would break the bound", err, ErrDropped)
	_, err = m.keyed("x", "small again")
	must(t, err)
	m.depth(2, 2*smallest)
	equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropFull: 1, DropConflated: 2})
	equal(t, "batch", m.next(), "first small again")

	m = newMailbox(t, MailboxConfig{Policy: Conflate, MaxBytes: smallest})
	for _, text := range []string{"small", larger} { // alone in the queue: of any size
		_, err = m.keyed("x", text)
		must(t, err)
	}
	equal(t, "batch", m.next(), larger)
}

func TestNothingIsReplacedBehindTheClose(t *testing.T) {
	m := newMailbox(t, MailboxConfig{Policy: Conflate})
	_, err := m.keyed("x", "1")
	must(t, err)
	m.pushClose(1000, "", false)
	_, err = m.keyed("x", "2")
	equal[error](t, "late", err, ErrClosed)
	equal(t, "batch", m.next(), "1 close:1000:")
}

func TestKeyIsIgnoredUnderOtherPolicies(t *testing.T) {
	for _, policy := range []Policy{CloseSlow, DropNewest, DropOldest, Block} {
		m := newMailbox(t, MailboxConfig{Policy: policy})
		for _, text := range []string{"1", "2"} {
			_, err := m.keyed("x", text)
			must(t, err)
		}
		equal(t, "batch", m.next(), "1 2")
		equal(t, "dropped", m.ledger.dropped, [DropReasons]int{})
	}
}

func TestNamesakeIsFoundWhereverTheRingStands(t *testing.T) {
	m := newMailbox(t, MailboxConfig{Policy: Conflate, MaxFrames: 7})
	for turn := range 20 {
		for i := range 7 {
			_, err := m.keyed(fmt.Sprint(i), fmt.Sprintf("%d.%d", turn, i))
			must(t, err)
		}
		for i := range 7 {
			_, err := m.keyed(fmt.Sprint(i), fmt.Sprintf("%d.%d!", turn, i))
			must(t, err)
		}
		var want []string
		for i := range 7 {
			want = append(want, fmt.Sprintf("%d.%d!", turn, i))
		}
		equal(t, "batch", m.next(), strings.Join(want, " "))
		m.done()
		m.mustPut("turns the ring")
		m.next()
		m.done()
	}
}

func TestSendKeyedRefusesWhatIsNoMessage(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{Mailbox: MailboxConfig{Policy: Conflate}})
	_, err := w.SendKeyed("x", w.pool.Get(10))
	equal[error](t, "a message without a type", err, wscore.ErrNotDataOpcode)
	equal(t, "InUse", w.pool.InUse(), 0)
}
