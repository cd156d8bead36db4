package split

import (
	"errors"
	"net"
	"testing"

	"github.com/tandem-ws/tandem/wscore"
)

var errBroken = errors.New("broken")

func TestFailedWriteReleasesAndCountsEverything(t *testing.T) {
	for _, role := range []wscore.Role{wscore.Server, wscore.Client} {
		w := newWriter(t, role, Config{})
		for range maxBatchFrames {
			w.queue("first batch")
		}
		w.queue("never tried")
		shared := w.pool.Binary([]byte(pattern(large)))
		_, err := w.Send(shared.Retain())
		must(t, err)
		w.Ping()
		w.Close(wscore.CloseNormal, "", false)
		w.wire.onWrite = func(net.Buffers) error { return errBroken }
		closeSent, err := w.Flush()
		var failure *TransportError
		if !errors.As(err, &failure) || failure.Operation != "write" || !errors.Is(err, errBroken) {
			t.Fatalf("got %v", err)
		}
		equal(t, "closeSent", closeSent, false)
		equal(t, "frames written", len(w.ledger.written), 0)
		equal(t, "dropped", w.ledger.dropped, [DropReasons]int{DropLost: maxBatchFrames + 2})
		equal(t, "InUse", w.pool.InUse(), 1)
		shared.Release()
		frames, bytes := w.Depth()
		equal(t, "frames waiting", frames, 0)
		equal(t, "bytes waiting", bytes, 0)
		_, err = w.SendText("late")
		equal[error](t, "message after the failure", err, ErrClosed)
		equal(t, "Shut reports idle", w.Shut(), false) // the flush was the last
	}
}

func TestFailureOfALaterBatchKeepsWhatHasLeft(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	for range maxBatchFrames + 1 {
		w.queue("x")
	}
	w.Close(wscore.CloseNormal, "", false)
	w.wire.onWrite = func(net.Buffers) error {
		if len(w.wire.writes) == 1 {
			return errBroken
		}
		return nil
	}
	_, err := w.Flush()
	equal(t, "error", errors.Is(err, errBroken), true)
	equal(t, "frames written", len(w.ledger.written), maxBatchFrames)
	equal(t, "dropped", w.ledger.dropped, [DropReasons]int{DropLost: 1})
}

func TestShutEndsARunningFlush(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	w.queue("leaves")
	w.wire.onWrite = func(net.Buffers) error {
		w.queue("dropped")
		equal(t, "Shut reports idle", w.Shut(), false)
		return nil
	}
	_, err := w.Flush()
	equal[error](t, "flush", err, ErrClosed)
	w.sent(serverFrames(textFrame("leaves")))
	equal(t, "dropped", w.ledger.dropped, [DropReasons]int{DropLost: 1})
	equal(t, "Shut reports idle", w.Shut(), false)
}

func TestCloseThatHasLeftIsReportedWithTheEnd(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	w.Close(wscore.CloseNormal, "", false)
	w.wire.onWrite = func(net.Buffers) error { w.Shut(); return nil }
	closeSent, err := w.Flush()
	equal(t, "closeSent", closeSent, true)
	equal[error](t, "flush", err, ErrClosed)
}

// A panic in the transport ends its own connection; what the flush had in hand
// must neither leak nor turn up in another one.
func TestPanickingWriteReleasesItsBatchAndLeavesOthersAlone(t *testing.T) {
	config, l := newConfig(t, Config{})
	for i := range 50 { // a pool does not give back everything it was given
		_, broken, err := New(wscore.Server, config, wscore.DeflateParams{})
		must(t, err)
		broken.Bind(&wire{onWrite: func(net.Buffers) error { panic("broken") }})
		_, err = broken.SendText("secret")
		must(t, err)
		equal(t, "the panic comes through", panics(func() { _, _ = broken.Flush() }), true)
		equal(t, "dropped", l.dropped, [DropReasons]int{DropLost: i + 1})
		equal(t, "InUse", config.Pool.InUse(), 0)
		equal(t, "Shut reports idle", broken.Shut(), false)

		_, w, err := New(wscore.Server, config, wscore.DeflateParams{})
		must(t, err)
		out := &wire{}
		w.Bind(out)
		_, err = w.SendText("mine")
		must(t, err)
		_, err = w.Flush()
		must(t, err)
		equal(t, "on the wire", out.all(), serverFrames(textFrame("mine")))
	}
}

// An observer that panics is broken itself, but may not spoil the others.
func TestPanickingObserverLeavesNothingForOtherConnections(t *testing.T) {
	pool := NewPool(nil)
	for range 50 {
		config, err := Config{Pool: pool, Observer: brokenObserver{}}.WithDefaults()
		must(t, err)
		_, broken, err := New(wscore.Server, &config, wscore.DeflateParams{})
		must(t, err)
		broken.Bind(&wire{})
		for range 3 {
			_, err = broken.SendText("secret")
			must(t, err)
		}
		equal(t, "the panic comes through", panics(func() { _, _ = broken.Flush() }), true)

		config.Observer = NopObserver{}
		_, w, err := New(wscore.Server, &config, wscore.DeflateParams{})
		must(t, err)
		out := &wire{}
		w.Bind(out)
		_, err = w.SendText("mine")
		must(t, err)
		_, err = w.Flush()
		must(t, err)
		equal(t, "on the wire", out.all(), serverFrames(textFrame("mine")))
	}
}

type brokenObserver struct{ NopObserver }

func (brokenObserver) FrameWritten(wscore.Opcode, int) { panic("broken") }
