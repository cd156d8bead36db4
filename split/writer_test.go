package split

import (
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

// writerTest is a writer over a wire.
type writerTest struct {
	*Writer
	t      *testing.T
	pool   *Pool
	wire   *wire
	ledger *ledger
}

func newWriter(t *testing.T, role wscore.Role, config Config) *writerTest {
	t.Helper()
	made, l := newConfig(t, config)
	_, w, err := New(role, made, wscore.DeflateParams{})
	must(t, err)
	test := &writerTest{Writer: w, t: t, pool: made.Pool, wire: &wire{}, ledger: l}
	w.Bind(test.wire)
	t.Cleanup(func() { w.Shut() })
	return test
}

// queue sends text messages that the writer has to take.
func (w *writerTest) queue(texts ...string) {
	w.t.Helper()
	for _, text := range texts {
		_, err := w.SendText(text)
		must(w.t, err)
	}
}

// flush flushes without an error and returns whether a close frame has left.
func (w *writerTest) flush() (closeSent bool) {
	w.t.Helper()
	closeSent, err := w.Flush()
	must(w.t, err)
	return closeSent
}

// sent checks what has left, write by write.
func (w *writerTest) sent(writes ...string) {
	w.t.Helper()
	if !slices.Equal(w.wire.writes, writes) {
		w.t.Errorf("%d writes:\n%.200q\nwant %d:\n%.200q", len(w.wire.writes), w.wire.writes, len(writes), writes)
	}
}

const (
	small = packLimit     // the longest message that is packed
	large = packLimit + 1 // the shortest that is not
)

func TestBatchLeavesInOneWrite(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{WriteTimeout: 3 * time.Second})
	w.Pong([]byte("heard"))
	w.queue("", "one", pattern126)
	_, err := w.Send(w.pool.Binary([]byte(pattern(large))))
	must(t, err)
	w.queue("between")
	_, err = w.Send(w.pool.Binary([]byte(pattern(70_000))))
	must(t, err)
	_, err = w.Send(w.pool.Binary([]byte(pattern(small))))
	must(t, err)
	w.Close(wscore.CloseNormal, "bye", false)
	equal(t, "closeSent", w.flush(), true)
	w.sent(serverFrames(pongFrame("heard"), textFrame(""), textFrame("one"), textFrame(pattern126), binaryFrame(pattern(large)),
		textFrame("between"), binaryFrame(pattern(70_000)), binaryFrame(pattern(small)), closeOf(1000, "bye")))
	equal(t, "timeout of the write", w.wire.timeouts[0], 3*time.Second)
	want := []frameNote{{wscore.OpText, 0}, {wscore.OpText, 3}, {wscore.OpText, 126}, {wscore.OpBinary, large}, {wscore.OpText, 7},
		{wscore.OpBinary, 70_000}, {wscore.OpBinary, small}, {wscore.OpPong, 5}, {wscore.OpClose, 5}}
	if !slices.Equal(w.ledger.written, want) {
		t.Errorf("frames written: %v, want %v", w.ledger.written, want)
	}
	equal(t, "frames dropped", w.ledger.dropped, [DropReasons]int{})
}

var pattern126 = strings.Repeat("ab", 63)

func TestFlushTakesBatchAfterBatch(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	var frames []rawpeer.Frame
	for range maxBatchFrames + 1 {
		w.queue("x")
		frames = append(frames, textFrame("x"))
	}
	w.flush()
	w.sent(serverFrames(frames[:maxBatchFrames]...), serverFrames(frames[maxBatchFrames]))
}

func TestFlushOfNothingWritesNothing(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	equal(t, "closeSent", w.flush(), false)
	w.sent()
}

// Where bytes are written from.

func TestLargePayloadIsWrittenFromWhereItIs(t *testing.T) {
	for _, role := range []wscore.Role{wscore.Server, wscore.Client} {
		w := newWriter(t, role, Config{})
		message := w.pool.Binary([]byte(pattern(large)))
		payload := &message.Payload()[0]
		aliased := false
		w.wire.onWrite = func(vectors net.Buffers) error {
			for _, vector := range vectors {
				aliased = aliased || &vector[0] == payload && len(vector) == large
			}
			return nil
		}
		w.queue("small, so that there is a batch")
		_, err := w.Send(message)
		must(t, err)
		w.flush()
		equal(t, role.String()+" wrote the payload in place", aliased, true)
		equal(t, "buffers acquired beside the two messages", total(w.ledger.acquired)-2, 1) // for the packed frames
	}
}

func total(classes map[int]int) (n int) {
	for _, count := range classes {
		n += count
	}
	return n
}

func TestSmallMessagesArePackedTogether(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	vectors := 0
	w.wire.onWrite = func(v net.Buffers) error { vectors = len(v); return nil }
	w.queue("a", strings.Repeat("b", small), "c")
	w.flush()
	equal(t, "vectors of the write", vectors, 1)
}

func TestServersOnlyMessageLeavesFromItsOwnHeadroom(t *testing.T) {
	for _, size := range []int{0, 5, 126, large, 70_000} {
		w := newWriter(t, wscore.Server, Config{})
		message := w.pool.Text(pattern7(size))
		memory := message.memory
		w.wire.onWrite = func(vectors net.Buffers) error {
			equal(t, "vectors", len(vectors), 1)
			header := len(vectors[0]) - size
			equal(t, "the frame is in the message's memory", &vectors[0][0] == &memory[Headroom-header], true)
			return nil
		}
		_, err := w.Send(message)
		must(t, err)
		w.flush()
		w.sent(serverFrames(textFrame(pattern7(size))))
		equal(t, "buffers acquired", total(w.ledger.acquired), 1)
	}
}

// pattern7 is pattern in ASCII.
func pattern7(size int) string {
	b := []byte(pattern(size))
	for i := range b {
		b[i] = 'a' + b[i]%26
	}
	return string(b)
}

// Sharing.

func TestPreparedMessageLeavesInPlaceFromManyWriters(t *testing.T) {
	config, _ := newConfig(t, Config{})
	message := config.Pool.Text("to everybody")
	message.Prepare()
	before := string(message.memory)
	for range 3 {
		_, w, err := New(wscore.Server, config, wscore.DeflateParams{})
		must(t, err)
		out := &wire{onWrite: func(vectors net.Buffers) error {
			equal(t, "in place", &vectors[0][0] == &message.memory[Headroom-2], true)
			return nil
		}}
		w.Bind(out)
		_, err = w.Send(message.Retain())
		must(t, err)
		_, err = w.Flush()
		must(t, err)
		equal(t, "on the wire", out.all(), serverFrames(textFrame("to everybody")))
	}
	equal(t, "memory is as before", string(message.memory) == before, true)
	message.Release()
}

func TestSharedMessageIsNeverModified(t *testing.T) {
	for _, role := range []wscore.Role{wscore.Server, wscore.Client} {
		for _, size := range []int{3, small, large, 70_000} {
			for _, beside := range []bool{false, true} {
				for _, prepared := range []bool{false, true} {
					w := newWriter(t, role, Config{})
					message := w.pool.Binary([]byte(pattern(size)))
					if prepared {
						message.Prepare()
					}
					before := string(message.memory)
					_, err := w.Send(message.Retain())
					must(t, err)
					if beside {
						w.queue("beside it")
					}
					w.flush()
					if string(message.memory) != before {
						t.Errorf("%v, %d bytes, beside another %t, prepared %t: memory was changed", role, size, beside, prepared)
					}
					message.Release()
				}
			}
		}
	}
}

// Masking.

func TestClientMasksEveryFrameWithItsOwnKey(t *testing.T) {
	w := newWriter(t, wscore.Client, Config{})
	w.Pong([]byte("heard"))
	w.queue("one", "one")
	_, err := w.Send(w.pool.Binary([]byte(pattern(large))))
	must(t, err)
	shared := w.pool.Binary([]byte(pattern(70_000)))
	_, err = w.Send(shared.Retain())
	must(t, err)
	w.Close(wscore.CloseGoingAway, "", false)
	w.flush()
	shared.Release()
	equal(t, "writes", len(w.wire.writes), 1)
	want := []rawpeer.Frame{pongFrame("heard"), textFrame("one"), textFrame("one"), binaryFrame(pattern(large)), binaryFrame(pattern(70_000)), closeOf(1001, "")}
	got := framesOfClient(t, w.wire.all())
	equal(t, "frames", len(got), len(want))
	keys := map[[4]byte]bool{}
	for i, f := range got {
		if !f.Fin || f.Opcode != want[i].Opcode || string(f.Payload) != string(want[i].Payload) {
			t.Errorf("frame %d is opcode %d with %d bytes, want opcode %d with %d", i, f.Opcode, len(f.Payload), want[i].Opcode, len(want[i].Payload))
		}
		keys[f.Key] = true
	}
	equal(t, "different keys", len(keys), len(want))
}

// Refusals.

func TestMessageThatMayNotBeSentIsRefusedAndReleased(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	b := w.pool.Text("x")
	b.SetOpcode(wscore.OpPing)
	_, err := w.Send(b)
	equal[error](t, "a ping as a message", err, wscore.ErrNotDataOpcode)
	_, err = w.Send(w.pool.Get(10))
	equal[error](t, "a message without a type", err, wscore.ErrNotDataOpcode)
	_, err = w.SendText("\xff")
	equal[error](t, "text that is not UTF-8", err, wscore.ErrTextNotUTF8)
	equal(t, "InUse", w.pool.InUse(), 0)
	w.flush()
	w.sent()
}

func TestNothingLeavesAfterTheClose(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	wake, queued := w.Close(wscore.CloseNormal, "", false)
	equal(t, "wake", wake, true)
	equal(t, "queued", queued, true)
	equal(t, "closeSent", w.flush(), true)
	_, err := w.SendText("late")
	equal[error](t, "message", err, ErrClosed)
	equal(t, "wake by a ping", w.Ping(), false)
	equal(t, "wake by a pong", w.Pong([]byte("late")), false)
	_, queued = w.Close(wscore.CloseInternalError, "", true)
	equal(t, "second close queued", queued, false)
	equal(t, "closeSent", w.flush(), false)
	w.sent(serverFrames(closeOf(1000, "")))
	equal(t, "state", w.Lifecycle().State(), wscore.CloseSent)
}

func TestCloseWithoutStatusHasNoBody(t *testing.T) {
	w := newWriter(t, wscore.Server, Config{})
	w.Close(wscore.CloseNoStatus, "", false)
	equal(t, "closeSent", w.flush(), true)
	w.sent(serverFrames(rawpeer.Frame{Fin: true, Opcode: rawpeer.OpClose}))
	equal(t, "frame written", w.ledger.written[0], frameNote{wscore.OpClose, 0})
}

// The peer's own close frame, or the loss of the stream, can be noticed while
// messages wait: the encoder then refuses them.
func TestMessagesThatTheStateNoLongerLetsOutAreDropped(t *testing.T) {
	for _, beside := range []bool{false, true} {
		w := newWriter(t, wscore.Server, Config{})
		w.queue("late")
		if beside {
			w.queue("later")
			w.Ping()
			w.Pong(nil)
			w.Close(wscore.CloseNormal, "", false)
		}
		_, err := w.Lifecycle().Apply(wscore.Lost)
		must(t, err)
		equal(t, "closeSent", w.flush(), false)
		w.sent()
		dropped := 1
		if beside {
			dropped = 2
		}
		equal(t, "dropped", w.ledger.dropped, [DropReasons]int{DropLost: dropped})
		equal(t, "frames written", len(w.ledger.written), 0)
	}
}
