package split

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

func TestCompressedMessageThatBreaksARuleEndsTheReader(t *testing.T) {
	corrupt := rawpeer.Frame{Fin: true, RSV: rawpeer.RSV1, Opcode: rawpeer.OpBinary, Payload: []byte("\xFF\xFF\xFF\xFF")}
	for name, c := range map[string]struct {
		frame  rawpeer.Frame
		limits wscore.Limits
		err    *wscore.ProtocolError
	}{
		"not DEFLATE":      {corrupt, wscore.Limits{}, wscore.ErrCompressedData},
		"text not UTF-8":   {packed(t, textFrame(prose(5000)+"\xff")), wscore.Limits{}, wscore.ErrInvalidText},
		"one byte too big": {packed(t, binaryFrame(prose(5001))), wscore.Limits{MaxMessage: 5000}, wscore.ErrMessageTooBig},
		"a bomb":           {packed(t, binaryFrame(strings.Repeat("\x00", 900_000))), wscore.Limits{}, wscore.ErrInflateRatio},
	} {
		t.Run(name, func(t *testing.T) {
			for _, takeover := range []bool{false, true} {
				config, params := agreement(takeover, 15)
				for _, size := range []int{1, 1 << 20} {
					r, _, _ := deflatePair(t, wscore.Server, Config{Deflate: config, Limits: c.limits}, params)
					equal[error](t, "violation", r.run(chopped(clientFrames(c.frame, textFrame("x")), size)), error(c.err))
					_, err := r.Next()
					equal[error](t, "violation when asked again", err, error(c.err))
					equal(t, "state", r.Lifecycle().State(), wscore.Failed)
					equal[error](t, "end", r.End(io.EOF), error(c.err))
					r.writer.Shut()
					equal(t, "InUse", r.pool.InUse(), 0)
				}
			}
		})
	}
}

func TestInflatedMessageReservesNoMoreThanMaxMessage(t *testing.T) {
	for _, c := range []struct {
		used       int
		maxMessage int64
		want       int
	}{{256, 1 << 20, 1 << 10}, {256, 1000, 1000}, {16 << 20, 17 << 20, 17 << 20}, {1 << 30, 1<<31 - 100, 1<<31 - 100}} {
		equal(t, "room", inflatedRoom(c.used, c.maxMessage), c.want)
	}
}

func TestDeclaredCompressedLengthReservesNothing(t *testing.T) {
	config, params := agreement(false, 15)
	r, _, _ := deflatePair(t, wscore.Server, Config{Deflate: config}, params)
	header := wscore.Header{Fin: true, RSV: wscore.RSV1, Opcode: wscore.OpBinary, Masked: true, Length: 1 << 20}
	equal[error](t, "run", r.run(play(string(header.Append(nil)))), ErrWouldBlock)
	equal(t, "bytes reserved", r.ledger.outstanding(), 256)
}

// Memory that a connection keeps for takeover comes back in every end.

func TestDictionariesComeBackInEveryEnd(t *testing.T) {
	for name, end := range map[string]func(r *readerTest, w *Writer, out *wire){
		"shut while idle": func(_ *readerTest, w *Writer, _ *wire) { w.Shut() },
		"shut while flushing": func(r *readerTest, w *Writer, out *wire) {
			out.onWrite = func(net.Buffers) error { w.Shut(); return nil }
			_, err := w.SendText(prose(100))
			must(r.t, err)
			_, err = w.Flush()
			equal[error](r.t, "flush", err, ErrClosed)
		},
		"failed write": func(r *readerTest, w *Writer, out *wire) {
			out.onWrite = func(net.Buffers) error { return errBroken }
			_, err := w.SendText(prose(100))
			must(r.t, err)
			_, err = w.Flush()
			equal(r.t, "flush failed", errors.Is(err, errBroken), true)
		},
		"panicking write": func(r *readerTest, w *Writer, out *wire) {
			out.onWrite = func(net.Buffers) error { panic("broken") }
			_, err := w.SendText(prose(100))
			must(r.t, err)
			equal(r.t, "flush panicked", panics(func() { _, _ = w.Flush() }), true)
			w.Shut()
		},
	} {
		t.Run(name, func(t *testing.T) {
			config, params := agreement(true, 15)
			r, w, out := deflatePair(t, wscore.Server, Config{Deflate: config}, params)
			equal(t, "dictionaries in use", r.pool.InUse(), 2)
			r.Discard()
			equal(t, "dictionaries in use after Discard", r.pool.InUse(), 1)
			end(r, w, out)
			equal(t, "dictionaries in use at the end", r.pool.InUse(), 0)
		})
	}
}

func TestReaderGivesBackWhatACutMessageHeld(t *testing.T) {
	config, params := agreement(true, 15)
	r, _, _ := deflatePair(t, wscore.Server, Config{Deflate: config}, params)
	wire := clientFrames(packed(t, textFrame(prose(50_000))))
	equal[error](t, "run", r.run(play(wire[:len(wire)/2])), ErrWouldBlock)
	equal(t, "holds an inflater", r.deflate.inflating(), true)
	equal[error](t, "end", r.End(io.EOF), wscore.ErrConnectionLost)
	equal(t, "holds an inflater at the end", r.deflate.inflating(), false)
	r.writer.Shut()
	equal(t, "InUse", r.pool.InUse(), 0)
}
