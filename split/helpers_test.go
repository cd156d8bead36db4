package split

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait for another goroutine.
const patience = 10 * time.Second

// must fails the test at the first error.
func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// equal compares two values.
func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// receive waits for a value from another goroutine.
func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// panics reports whether f panics.
func panics(f func()) (panicked bool) {
	defer func() { panicked = recover() != nil }()
	f()
	return
}

// frameNote is a frame as an observer is told of it.
type frameNote struct {
	opcode wscore.Opcode
	length int
}

// ledger is an observer that keeps what it was told.
type ledger struct {
	NopObserver
	mu            sync.Mutex
	read, written []frameNote
	frames, bytes int // in mailboxes
	lowest        int // value that either of them ever had
	dropped       [DropReasons]int
	acquired      map[int]int // by class
	released      map[int]int
}

func newLedger() *ledger { return &ledger{acquired: map[int]int{}, released: map[int]int{}} }

func (l *ledger) note(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *ledger) FrameRead(opcode wscore.Opcode, length int) {
	l.note(func() { l.read = append(l.read, frameNote{opcode, length}) })
}

func (l *ledger) FrameWritten(opcode wscore.Opcode, length int) {
	l.note(func() { l.written = append(l.written, frameNote{opcode, length}) })
}

func (l *ledger) MailboxChanged(frames, bytes int) {
	l.note(func() {
		l.frames += frames
		l.bytes += bytes
		l.lowest = min(l.lowest, l.frames, l.bytes)
	})
}

func (l *ledger) FramesDropped(reason DropReason, frames int) {
	l.note(func() { l.dropped[reason] += frames })
}
func (l *ledger) BufferAcquired(class int) { l.note(func() { l.acquired[class]++ }) }
func (l *ledger) BufferReleased(class int) { l.note(func() { l.released[class]++ }) }

// outstanding returns the bytes of the classes that are out.
func (l *ledger) outstanding() (bytes int) {
	l.note(func() {
		for class, n := range l.acquired {
			bytes += class * (n - l.released[class])
		}
	})
	return bytes
}

// newConfig returns a config with defaults whose observer is a ledger, and
// demands that at the end of the test every buffer is back and no mailbox
// counts anything.
func newConfig(t testing.TB, config Config) (*Config, *ledger) {
	t.Helper()
	l := newLedger()
	config.Observer, config.Pool = l, NewPool(l)
	config.Pool.Scribble()
	config, err := config.WithDefaults()
	must(t, err)
	t.Cleanup(func() {
		equal(t, "buffers in use at the end", config.Pool.InUse(), 0)
		l.note(func() {
			equal(t, "frames in mailboxes at the end", l.frames, 0)
			equal(t, "bytes in mailboxes at the end", l.bytes, 0)
			equal(t, "lowest value of a mailbox gauge", l.lowest, 0)
		})
	})
	return &config, l
}

// wire is the writing side of a Transport, in memory.
type wire struct {
	Transport // nil: only Write is used
	mu        sync.Mutex
	writes    []string // what each Write was given, as one string
	timeouts  []time.Duration
	overlap   bool // two writes ran at once
	writing   bool
	// onWrite, when set, sees each write before it counts; an error fails it.
	onWrite func(vectors net.Buffers) error
	// takes is what each TryWrite takes at most, in bytes; without an entry it
	// takes everything.
	takes []int
	tries int
}

// TryWrite writes as much as the test allows, and keeps it as one write.
func (w *wire) TryWrite(buffers *net.Buffers) (int64, error) {
	w.tries++
	if len(w.takes) == 0 {
		return w.Write(buffers, 0)
	}
	room := w.takes[0]
	w.takes = w.takes[1:]
	if w.onWrite != nil {
		if err := w.onWrite(*buffers); err != nil {
			return 0, err
		}
	}
	var taken []byte
	for len(*buffers) > 0 {
		first := (*buffers)[0]
		n := min(room-len(taken), len(first))
		taken = append(taken, first[:n]...)
		if n < len(first) {
			(*buffers)[0] = first[n:]
			break
		}
		*buffers = (*buffers)[1:]
	}
	w.mu.Lock()
	w.writes = append(w.writes, string(taken))
	w.mu.Unlock()
	if len(*buffers) > 0 {
		return int64(len(taken)), ErrWouldBlock
	}
	return int64(len(taken)), nil
}

func (w *wire) Write(buffers *net.Buffers, timeout time.Duration) (int64, error) {
	w.mu.Lock()
	w.overlap = w.overlap || w.writing
	w.writing = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.writing = false
		w.mu.Unlock()
	}()
	if w.onWrite != nil {
		if err := w.onWrite(*buffers); err != nil {
			return 0, err
		}
	}
	var all bytes.Buffer
	n, err := buffers.WriteTo(&all)
	w.mu.Lock()
	w.writes = append(w.writes, all.String())
	w.timeouts = append(w.timeouts, timeout)
	w.mu.Unlock()
	return n, err
}

func (w *wire) all() string { return strings.Join(w.writes, "") }

// serverFrames are the bytes of unmasked frames.
func serverFrames(frames ...rawpeer.Frame) string {
	return string(rawpeer.AppendFrames(nil, frames...))
}

// clientFrames are the bytes of frames masked with fixed keys that differ.
func clientFrames(frames ...rawpeer.Frame) string {
	for i := range frames {
		frames[i].Masked, frames[i].Key = true, [4]byte{0x11 + byte(i), 0x92, 0xF3, 0x54}
	}
	return serverFrames(frames...)
}

func framesFor(receiver wscore.Role, frames ...rawpeer.Frame) string {
	if receiver == wscore.Server {
		return clientFrames(frames...)
	}
	return serverFrames(frames...)
}

func textFrame(s string) rawpeer.Frame {
	return rawpeer.Frame{Fin: true, Opcode: rawpeer.OpText, Payload: []byte(s)}
}

func binaryFrame(s string) rawpeer.Frame {
	return rawpeer.Frame{Fin: true, Opcode: rawpeer.OpBinary, Payload: []byte(s)}
}

func begin(opcode byte, s string) rawpeer.Frame {
	return rawpeer.Frame{Opcode: opcode, Payload: []byte(s)}
}

func more(s string) rawpeer.Frame { return begin(rawpeer.OpContinuation, s) }

func last(s string) rawpeer.Frame {
	return rawpeer.Frame{Fin: true, Opcode: rawpeer.OpContinuation, Payload: []byte(s)}
}

func pingFrame(s string) rawpeer.Frame {
	return rawpeer.Frame{Fin: true, Opcode: rawpeer.OpPing, Payload: []byte(s)}
}

func pongFrame(s string) rawpeer.Frame {
	return rawpeer.Frame{Fin: true, Opcode: rawpeer.OpPong, Payload: []byte(s)}
}

func closeOf(code uint16, reason string) rawpeer.Frame {
	return rawpeer.Frame{Fin: true, Opcode: rawpeer.OpClose, Payload: rawpeer.ClosePayload(code, reason)}
}

// playback is a net.Conn that plays bytes and knows nothing else.
type playback struct {
	net.Conn
	rest io.Reader
}

func (p *playback) Read(b []byte) (int, error)      { return p.rest.Read(b) }
func (p *playback) SetReadDeadline(time.Time) error { return nil }

// framesOfClient judges bytes from a client, by means of another decoder.
func framesOfClient(t testing.TB, all string) []rawpeer.Frame {
	t.Helper()
	peer := rawpeer.New(&playback{rest: strings.NewReader(all)}, rawpeer.Server)
	var frames []rawpeer.Frame
	for {
		f, err := peer.ReadFrame()
		if err == io.EOF {
			return frames
		}
		must(t, err)
		frames = append(frames, f)
	}
}

// pattern returns size bytes in which every stretch of some bytes is different.
func pattern(size int) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16)
	}
	return string(b)
}
