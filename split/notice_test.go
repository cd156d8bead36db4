package split

import (
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tandem-ws/tandem/wscore"
)

// neverTold fails the test if it is called.
func neverTold(t *testing.T) func(error) {
	return func(err error) { t.Errorf("told of %v", err) }
}

// told keeps what senders are told, in order.
type told struct {
	w    *writerTest
	list []string
}

// send sends a message whose sender wants to be told of its end.
func (l *told) send(texts ...string) {
	for _, text := range texts {
		_, err := l.w.SendNotify(l.w.pool.Text(text), func(err error) {
			switch err {
			case nil:
				text += ":sent"
			case ErrClosed:
				text += ":closed"
			case ErrDropped:
				text += ":dropped"
			default:
				l.w.t.Errorf("told of %v", err)
			}
			l.list = append(l.list, text)
			l.w.Depth() // would hang if a lock were held
		})
		must(l.w.t, err)
	}
}

// are checks what was told, and that nothing is told twice.
func (l *told) are(what, want string) {
	l.w.t.Helper()
	equal(l.w.t, what, strings.Join(l.list, " "), want)
}

func newTold(t *testing.T, config Config) *told {
	return &told{w: newWriter(t, wscore.Server, config)}
}

func TestSenderIsToldWhenItsFrameHasLeft(t *testing.T) {
	l := newTold(t, Config{})
	l.w.wire.onWrite = func(net.Buffers) error { l.are("told before the write", ""); return nil }
	l.send("a")
	l.w.queue("plain")
	l.send("b")
	l.w.flush()
	l.are("told", "a:sent b:sent")
	equal(t, "frames written", len(l.w.ledger.written), 3)
	l.w.Shut()
	l.are("told in the end", "a:sent b:sent")
}

func TestSenderInAnUnfinishedBatchIsToldAtItsEnd(t *testing.T) {
	for _, shut := range []bool{false, true} {
		l := newTold(t, Config{})
		l.w.wire.takes = []int{5}
		l.send("a", "b")
		_, err := l.w.TryFlush()
		equal[error](t, "try", err, ErrWouldBlock)
		l.are("told too early", "")
		if shut {
			l.w.Shut()
			l.are("told by Shut of what is being written", "")
			_, err = l.w.Flush()
			equal[error](t, "flush", err, ErrClosed)
			l.are("told", "a:closed b:closed")
			continue
		}
		l.w.flush()
		l.are("told", "a:sent b:sent")
	}
}

func TestSenderIsToldOfEveryOtherEnd(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		end    func(l *told)
		want   string
	}{
		"dropped for a newer one": {Config{Mailbox: MailboxConfig{MaxFrames: 2, Policy: DropOldest}}, func(l *told) { l.w.queue("c") }, "a:dropped"},
		"discarded by the close":  {Config{}, func(l *told) { l.w.Close(1013, "", true) }, "a:closed b:closed"},
		"shut":                    {Config{}, func(l *told) { l.w.Shut() }, "a:closed b:closed"},
		"failed write": {Config{}, func(l *told) {
			l.w.wire.onWrite = func(net.Buffers) error { return errBroken }
			_, err := l.w.Flush()
			equal(l.w.t, "flush failed", errors.Is(err, errBroken), true)
		}, "a:closed b:closed"},
		"panicking write": {Config{}, func(l *told) {
			l.w.wire.onWrite = func(net.Buffers) error { panic("broken") }
			equal(l.w.t, "flush panicked", panics(func() { _, _ = l.w.Flush() }), true)
		}, "a:closed b:closed"},
		"panicking try": {Config{}, func(l *told) {
			l.w.wire.onWrite = func(net.Buffers) error { panic("broken") }
			equal(l.w.t, "flush panicked", panics(func() { _, _ = l.w.TryFlush() }), true)
		}, "a:closed b:closed"},
		"state that lets nothing out": {Config{}, func(l *told) {
			_, err := l.w.Lifecycle().Apply(wscore.Lost)
			must(l.w.t, err)
			l.w.flush()
		}, "a:closed b:closed"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTold(t, c.config)
			l.send("a", "b")
			c.end(l)
			l.are("told", c.want)
			l.w.Shut()
			l.w.Shut()
			want := c.want
			if name == "dropped for a newer one" {
				want += " b:closed"
			}
			l.are("told in the end", want)
		})
	}
}

func TestSenderOfARefusedMessageIsNotTold(t *testing.T) {
	for _, policy := range []Policy{CloseSlow, DropNewest, Conflate} {
		w := newWriter(t, wscore.Server, Config{Mailbox: MailboxConfig{MaxFrames: 1, Policy: policy}})
		w.queue("a")
		_, err := w.SendNotify(w.pool.Text("b"), neverTold(t))
		equal(t, "refused", err != nil, true)
		_, err = w.SendNotify(w.pool.Get(1), neverTold(t))
		equal[error](t, "a message without a type", err, wscore.ErrNotDataOpcode)
		w.Shut()
		_, err = w.SendNotify(w.pool.Text("c"), neverTold(t))
		equal[error](t, "late", err, ErrClosed)
	}
}

func TestNobodyToTellIsAPlainSend(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	_, err := w.SendNotify(w.pool.Text("a"), nil)
	must(t, err)
	w.flush()
	w.sent(serverFrames(textFrame("a")))
}

func TestToldSenderMaySendAgain(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	rounds := 0
	var again func(error)
	again = func(err error) {
		must(t, err)
		if rounds++; rounds < 5 {
			wake, err := w.SendNotify(w.pool.Text("x"), again)
			must(t, err)
			equal(t, "wake", wake, false) // the flush that told goes on
		}
	}
	_, err := w.SendNotify(w.pool.Text("x"), again)
	must(t, err)
	w.flush()
	equal(t, "rounds", rounds, 5)
	equal(t, "frames written", len(w.ledger.written), 5)
}

func TestOnePanickingSenderDoesNotKeepTheOthersFromBeingTold(t *testing.T) {
	l := newTold(t, Config{})
	l.send("a")
	_, err := l.w.SendNotify(l.w.pool.Text("b"), func(error) { panic("broken") })
	must(t, err)
	l.send("c", "d")
	equal(t, "the panic comes through", panics(func() { _, _ = l.w.Flush() }), true)
	l.are("told", "a:sent c:sent d:sent")
	equal(t, "InUse", l.w.pool.InUse(), 0)
}

func TestEverySenderIsToldOnceWhateverRaces(t *testing.T) {
	for range 200 {
		config, l := newConfig(t, Config{Mailbox: MailboxConfig{MaxFrames: 8, Policy: DropOldest}})
		_, w, err := New(wscore.Server, config, wscore.DeflateParams{})
		must(t, err)
		w.Bind(&wire{takes: []int{1, 2, 3, 4, 5, 6, 7}})
		c := &crowd{w: w}
		const pushers, each = 4, 10
		var accepted, sent, lost atomic.Int32
		for range pushers {
			c.pushers.Go(func() {
				for range each {
					var once atomic.Bool
					wake, err := w.SendNotify(config.Pool.Text("x"), func(err error) {
						if once.Swap(true) {
							t.Error("told twice")
						}
						if err == nil {
							sent.Add(1)
						} else {
							lost.Add(1)
						}
					})
					if err == nil {
						accepted.Add(1)
					}
					if wake {
						if _, err := w.TryFlush(); err == ErrWouldBlock {
							c.flushes.Go(func() { _, _ = w.Flush() })
						}
					}
				}
			})
		}
		c.pushers.Go(func() { w.Close(wscore.CloseNormal, "", true); w.Shut() })
		c.pushers.Wait()
		c.flushes.Wait()
		equal(t, "told", sent.Load()+lost.Load(), accepted.Load())
		data := 0
		for _, f := range l.written {
			if f.opcode == wscore.OpText {
				data++
			}
		}
		equal(t, "told that it was sent", int(sent.Load()), data)
	}
}
