package split

import (
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

func TestTryFlushWritesWhatTheStreamTakesAtOnce(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	w.queue("a", "b")
	w.Close(wscore.CloseNormal, "", false)
	closeSent, err := w.TryFlush()
	must(t, err)
	equal(t, "closeSent", closeSent, true)
	equal(t, "tries", w.wire.tries, 1)
	w.sent(serverFrames(textFrame("a"), textFrame("b"), closeOf(1000, "")))
	_, err = w.SendText("late")
	equal[error](t, "message after the close", err, ErrClosed)
}

func TestTryFlushGivesUpTheRightToWrite(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	for range 2 {
		wake, err := w.SendText("x")
		must(t, err)
		equal(t, "wake", wake, true)
		_, err = w.TryFlush()
		must(t, err)
	}
	equal(t, "Shut reports idle", w.Shut(), true)
}

// Wherever the stream stops, the batch goes on from the very byte, and what
// was queued meanwhile stands behind it.
func TestUnfinishedBatchGoesOnWhereItStopped(t *testing.T) {
	first := serverFrames(pongFrame("heard"), textFrame("small"), binaryFrame(pattern(large)), textFrame("between"), binaryFrame(pattern(70_000)))
	second := serverFrames(pongFrame("urgent"), textFrame("next"), closeOf(1000, ""))
	prepare := func(takes ...int) *writerTest {
		w := newWriter(t, wscore.Server, Config{})
		w.wire.takes = takes
		w.Pong([]byte("heard"))
		w.queue("small")
		for _, message := range []*Buffer{w.pool.Binary([]byte(pattern(large))), w.pool.Text("between"), w.pool.Binary([]byte(pattern(70_000)))} {
			_, err := w.Send(message)
			must(t, err)
		}
		return w
	}
	for _, cut := range []int{0, 1, 2, 7, 8, 13, 14, 17, 18, 100, large, large + 18, large + 19, large + 30, 50_000, len(first) - 1} {
		w := prepare(cut)
		_, err := w.TryFlush()
		equal[error](t, "first try", err, ErrWouldBlock)
		equal(t, "bytes that left at once", w.wire.all() == first[:cut], true)
		equal(t, "frames reported as written", len(w.ledger.written), 0)
		frames, _ := w.Depth()
		equal(t, "messages being written", frames, 4)

		equal(t, "wake by a pong", w.Pong([]byte("urgent")), false) // the right to write is still held
		w.queue("next")
		w.Close(wscore.CloseNormal, "", false)
		equal(t, "closeSent", w.flush(), true)
		if got := w.wire.all(); got != first+second {
			t.Fatalf("cut at %d: %.200q", cut, got[cut:])
		}
		equal(t, "frames reported as written", len(w.ledger.written), 8)
	}

	w := prepare(make([]int, 100)...) // nothing at a time
	for i := range w.wire.takes {
		w.wire.takes[i] = i % 3
	}
	for range 100 {
		_, err := w.TryFlush()
		equal[error](t, "try", err, ErrWouldBlock)
	}
	w.flush()
	equal(t, "many tries gave the same bytes", w.wire.all() == first, true)
}

func TestTryFlushLeavesTheRestToFlushAfterSomeBatches(t *testing.T) {
	const most = maxTryBatches * maxBatchFrames
	for _, count := range []int{most, most + 1} {
		w := newWriter(t, wscore.Server, Config{Mailbox: MailboxConfig{MaxFrames: most + 1, MaxBytes: 1 << 20}})
		for range count {
			w.queue("x")
		}
		_, err := w.TryFlush()
		equal(t, "writes", len(w.wire.writes), maxTryBatches)
		if count == most {
			must(t, err)
			continue
		}
		equal[error](t, "more is left", err, ErrWouldBlock)
		equal(t, "wake by another message", w.Pong(nil), false)
		w.flush()
		equal(t, "frames written", len(w.ledger.written), count+1)
	}
}

func TestProducersCannotHoldTryFlush(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	w.wire.onWrite = func(net.Buffers) error { w.queue("one more"); return nil }
	w.queue("x")
	_, err := w.TryFlush()
	equal[error](t, "try", err, ErrWouldBlock)
	equal(t, "writes", len(w.wire.writes), maxTryBatches)
	w.wire.onWrite = nil
	w.flush()
}

// Ends.

func TestShutWithAnUnfinishedBatch(t *testing.T) {
	deflate, params := agreement(true, 15)
	r, w, out := deflatePair(t, wscore.Server, Config{Deflate: deflate}, params)
	out.takes = []int{3}
	for _, text := range []string{"begun", "behind it"} {
		_, err := w.SendText(text)
		must(t, err)
	}
	_, err := w.TryFlush()
	equal[error](t, "try", err, ErrWouldBlock)
	_, err = w.SendText("waits")
	must(t, err)
	equal(t, "Shut reports idle", w.Shut(), false)
	equal(t, "dropped by Shut", r.ledger.dropped, [DropReasons]int{DropLost: 1})
	_, err = w.Flush()
	equal[error](t, "flush", err, ErrClosed)
	equal(t, "nothing more was written", out.all(), serverFrames(textFrame("begun"))[:3])
	equal(t, "dropped in all", r.ledger.dropped, [DropReasons]int{DropLost: 3})
	r.Discard()
	equal(t, "InUse", r.pool.InUse(), 0)
	equal(t, "Shut reports idle", w.Shut(), false)
}

func TestFailureOfATryShutsTheWriter(t *testing.T) {
	for name, fail := range map[string]func(w *writerTest) error{
		"first try":  func(w *writerTest) error { _, err := w.TryFlush(); return err },
		"second try": func(w *writerTest) error { w.unfinish(); _, err := w.TryFlush(); return err },
		"resumption": func(w *writerTest) error { w.unfinish(); _, err := w.Flush(); return err },
	} {
		w := newWriter(t, wscore.Server, Config{})
		w.queue("a", "b")
		w.wire.onWrite = func(net.Buffers) error { return errBroken }
		var failure *TransportError
		if err := fail(w); !errors.As(err, &failure) || !errors.Is(err, errBroken) {
			t.Errorf("%s: got %v", name, err)
		}
		equal(t, "dropped after the "+name, w.ledger.dropped, [DropReasons]int{DropLost: 2})
		equal(t, "InUse after the "+name, w.pool.InUse(), 0)
		equal(t, "Shut reports idle", w.Shut(), false)
	}
}

// unfinish lets one try take a byte.
func (w *writerTest) unfinish() {
	w.t.Helper()
	fail := w.wire.onWrite
	w.wire.onWrite, w.wire.takes = nil, []int{1}
	_, err := w.TryFlush()
	equal[error](w.t, "try", err, ErrWouldBlock)
	w.wire.onWrite = fail
}

func TestPanickingTryReleasesItsBatch(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		w := newWriter(t, wscore.Server, Config{})
		w.queue("a", "b")
		w.wire.onWrite = func(net.Buffers) error { panic("broken") }
		if resumed {
			w.unfinish()
		}
		equal(t, "the panic comes through", panics(func() { _, _ = w.TryFlush() }), true)
		equal(t, "dropped", w.ledger.dropped, [DropReasons]int{DropLost: 2})
		equal(t, "InUse", w.pool.InUse(), 0)
		equal(t, "Shut reports idle", w.Shut(), false)
	}
}

// A waiting Write that returns ErrWouldBlock is a broken transport, not a try.
func TestWriteThatWouldBlockIsAFailure(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	w.queue("a")
	w.wire.onWrite = func(net.Buffers) error { return ErrWouldBlock }
	_, err := w.Flush()
	var failure *TransportError
	equal(t, "a transport error", errors.As(err, &failure), true)
}

// The clock of pings.

func TestRoundTripOfAPingInAnUnfinishedBatch(t *testing.T) {
	begin := func(t *testing.T) *pinger {
		p := newPinger(t)
		p.wire.takes = []int{12} // the ping and the beginning of the message
		p.Ping()
		p.queue("behind it")
		time.Sleep(time.Second)
		_, err := p.TryFlush()
		equal[error](t, "try", err, ErrWouldBlock)
		return p
	}
	synctest.Test(t, func(t *testing.T) {
		p := begin(t)
		time.Sleep(3 * time.Second)
		equal(t, "pong before the batch is finished", p.pong(1), 3*time.Second)
		p.flush()
		equal(t, "second pong", p.pong(1), 0)
	})
	synctest.Test(t, func(t *testing.T) {
		p := begin(t)
		time.Sleep(3 * time.Second)
		p.flush()
		time.Sleep(250 * time.Millisecond)
		equal(t, "pong after the batch is finished", p.pong(1), 250*time.Millisecond)
	})
	synctest.Test(t, func(t *testing.T) {
		p := begin(t)
		p.Ping() // waits behind the batch
		time.Sleep(time.Second)
		equal(t, "pong of the older ping", p.pong(1), 0)
		p.flush()
		want := serverFrames(pingFrame(string(binary.BigEndian.AppendUint64(nil, 1))), textFrame("behind it"), pingFrame(string(binary.BigEndian.AppendUint64(nil, 2))))
		equal(t, "on the wire", p.wire.all(), want)
		time.Sleep(2 * time.Second)
		equal(t, "pong of the newer ping", p.pong(2), 2*time.Second)
	})
}

func TestUnfinishedBatchOfAClientStaysMaskedAsItWas(t *testing.T) {
	w := newWriter(t, wscore.Client, Config{})
	shared := w.pool.Binary([]byte(pattern(70_000)))
	_, err := w.Send(shared.Retain())
	must(t, err)
	w.queue("x")
	w.wire.takes = []int{20, 0, 30_000}
	for range 3 {
		_, err = w.TryFlush()
		equal[error](t, "try", err, ErrWouldBlock)
	}
	w.flush()
	frames := framesOfClient(t, w.wire.all())
	equal(t, "frames", len(frames), 2)
	equal(t, "first frame", string(frames[0].Payload) == pattern(70_000), true)
	equal(t, "second frame", string(frames[1].Payload), "x")
	equal(t, "shared payload", string(shared.Payload()) == pattern(70_000), true)
	shared.Release()
}

// Many senders, and a stream that is full every now and then.
func TestTryFlushAmongConcurrentPushesLosesNothing(t *testing.T) {
	const pushers, each = 8, 200
	config, l := newConfig(t, Config{Mailbox: MailboxConfig{MaxFrames: pushers * each, MaxBytes: 1 << 30}})
	_, w, err := New(wscore.Server, config, wscore.DeflateParams{})
	must(t, err)
	out := &wire{takes: make([]int, 10_000)}
	for i := range out.takes {
		out.takes[i] = i % 50 * 10
	}
	w.Bind(out)
	c := &crowd{w: w}
	woken := func(wake bool) {
		if !wake {
			return
		}
		if _, err := w.TryFlush(); err == ErrWouldBlock {
			c.flushes.Go(func() { _, _ = w.Flush() })
		}
	}
	for range pushers {
		c.pushers.Go(func() {
			for range each {
				wake, err := w.SendText("abcdefgh")
				if err != nil {
					t.Error(err)
				}
				woken(wake)
			}
		})
	}
	c.pushers.Wait()
	c.flushes.Wait()
	frames, _ := w.Depth()
	equal(t, "messages left behind", frames, 0)
	equal(t, "frames written", len(l.written), pushers*each)
	equal(t, "bytes", out.all() == strings.Repeat(serverFrames(rawpeer.Frame{Fin: true, Opcode: rawpeer.OpText, Payload: []byte("abcdefgh")}), pushers*each), true)
}
