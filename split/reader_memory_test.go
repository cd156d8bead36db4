package split

import (
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

// tracker is a source that remembers where it was read to.
type tracker struct {
	script
	into []unsafe.Pointer
	got  []int
}

func (s *tracker) Read(p []byte) (int, error) {
	n, err := s.script.Read(p)
	s.into, s.got = append(s.into, unsafe.Pointer(unsafe.SliceData(p))), append(s.got, n)
	return n, err
}

// inside returns how many bytes were read straight into the buffer.
func (s *tracker) inside(b *Buffer) (bytes int) {
	from := uintptr(unsafe.Pointer(&b.memory[0]))
	for i, p := range s.into {
		if at := uintptr(p); at >= from && at < from+uintptr(len(b.memory)) {
			bytes += s.got[i]
		}
	}
	return bytes
}

// one fills from the source until a message is there.
func (r *readerTest) one(source io.Reader) *Buffer {
	r.t.Helper()
	for {
		must(r.t, r.Fill(source))
		event, err := r.Next()
		must(r.t, err)
		if event.Kind == Message {
			return event.Buffer
		}
		equal(r.t, "kind of event", event.Kind, NeedMore)
		r.Rest()
	}
}

func TestLargeMessageIsReadStraightIntoItsOwnBuffer(t *testing.T) {
	bothRoles(t, func(t *testing.T, role wscore.Role) {
		for _, c := range []struct {
			size    int
			buffers map[int]int // that are acquired in all, by class
			direct  int         // bytes read straight into the message's last buffer
		}{
			{10_000, map[int]int{4 << 10: 1, 16 << 10: 1}, 10_000 - 4<<10},
			{64 << 10, map[int]int{4 << 10: 1, 64 << 10: 1}, 60 << 10},
			{1 << 20, map[int]int{4 << 10: 1, 64 << 10: 1, 1 << 20: 1}, 960 << 10},
			{4 << 20, map[int]int{4 << 10: 1, 64 << 10: 1, 1 << 20: 1, 4 << 20: 1}, 3 << 20},
		} {
			t.Run(strconv.Itoa(c.size), func(t *testing.T) {
				r := newReader(t, role, Config{Limits: wscore.Limits{MaxMessage: 4 << 20}})
				payload := pattern(c.size)
				wire := framesFor(role, binaryFrame(payload))
				source := &tracker{script: *play(wire)}
				message := r.one(source)
				equal(t, "payload is right", string(message.Payload()) == payload, true)
				header := len(wire) - c.size // it took room in the first window
				if got := source.inside(message); got < c.direct || got > c.direct+header {
					t.Errorf("%d bytes were read straight into the message, want %d", got, c.direct)
				}
				for class, n := range r.ledger.acquired {
					equal(t, "buffers acquired of class "+strconv.Itoa(class), n, c.buffers[class])
				}
				equal(t, "classes used", len(r.ledger.acquired), len(c.buffers))
				message.Release()
				equal(t, "InUse", r.pool.InUse(), 0)
			})
		}
	})
}

func TestDirectReadStopsAtTheEndOfTheMessage(t *testing.T) {
	r := newReader(t, wscore.Server, Config{})
	first, second := pattern(10_000), "the next one"
	source := play(clientFrames(binaryFrame(first), textFrame(second)))
	message := r.one(source)
	equal(t, "first", string(message.Payload()) == first, true)
	message.Release()
	message = r.one(source)
	equal(t, "second", string(message.Payload()), second)
	message.Release()
}

func TestDirectReadNeedsNoWindow(t *testing.T) {
	r := newReader(t, wscore.Server, Config{})
	source := chopped(clientFrames(binaryFrame(pattern(50_000))), 5000)
	for want := range 2 { // though nobody calls Rest
		must(t, r.Fill(source))
		event, err := r.Next()
		must(t, err)
		equal(t, "kind of event", event.Kind, NeedMore)
		equal(t, "buffers in use", r.pool.InUse(), 2-want)
	}
}

func TestSmallMessageDoesNotPinItsWindow(t *testing.T) {
	r := newReader(t, wscore.Server, Config{})
	message := r.one(play(clientFrames(textFrame("small"))))
	equal(t, "Cap", message.Cap(), smallest)
	r.Rest()
	equal(t, "InUse", r.pool.InUse(), 1)
	message.Release()
}

// What a declared length may reserve.

func TestDeclaredLengthReservesLittleUntilBytesArrive(t *testing.T) {
	r := newReader(t, wscore.Server, Config{Limits: wscore.Limits{MaxMessage: 64 << 20}})
	wire := clientFrames(binaryFrame(pattern(1 << 20)))
	must(t, r.Fill(play(wire[:14]))) // the header and nothing else
	_, err := r.Next()
	must(t, err)
	equal(t, "bytes reserved beside the window", r.ledger.outstanding(), trustBytes+smallWindow)
	r.Rest()
	equal(t, "bytes reserved", r.ledger.outstanding(), trustBytes)

	arrived := 0
	source := chopped(wire[14:], 1000)
	for {
		if err := r.Fill(source); err == ErrWouldBlock {
			break
		}
		arrived += 1000
		event, err := r.Next()
		must(t, err)
		r.Rest()
		if event.Kind == Message {
			event.Buffer.Release()
			break
		}
		if reserved := r.ledger.outstanding(); reserved > max(trustBytes, trustFactor*arrived) {
			t.Fatalf("%d bytes arrived, %d reserved", arrived, reserved)
		}
	}
	equal(t, "InUse", r.pool.InUse(), 0)
}

func TestHugeDeclaredLengthReservesNoMoreThanASmallOne(t *testing.T) {
	most := int64(math.MaxInt - Headroom)
	r := newReader(t, wscore.Server, Config{Limits: wscore.Limits{MaxMessage: most}})
	header := wscore.Header{Fin: true, Opcode: wscore.OpBinary, Masked: true, Length: uint64(most)}
	equal[error](t, "run", r.run(play(string(header.Append(nil)))), ErrWouldBlock)
	equal(t, "bytes reserved", r.ledger.outstanding(), trustBytes)
	equal(t, "frame read", r.ledger.read[0], frameNote{wscore.OpBinary, int(most)})
}

func TestReserveHoldsWhatHasArrivedAndMore(t *testing.T) {
	for _, c := range []struct {
		arrived   int
		remaining uint64
		want      int
	}{
		{0, 0, 0},
		{0, 100, 100},
		{100, 0, 100},
		{0, 1 << 40, trustBytes},
		{4096, trustBytes - 4096, trustBytes},
		{4096, 1 << 40, trustBytes},
		{trustBytes, 1 << 40, 1 << 20},
		{1 << 20, 100, 1<<20 + 100},
		// Sixteen times these does not fit 32 bits.
		{128 << 20, 1 << 20, 129 << 20},
		{256 << 20, 1, 256<<20 + 1},
	} {
		equal(t, "reserve "+strconv.Itoa(c.arrived), reserve(c.arrived, c.remaining), c.want)
	}
}

func TestMessageLimitIsWhatOneBufferCanHold(t *testing.T) {
	config, err := Config{Limits: wscore.Limits{MaxMessage: math.MaxInt64}}.WithDefaults()
	must(t, err)
	equal(t, "MaxMessage", config.Limits.MaxMessage, math.MaxInt-Headroom)
	config, err = Config{Limits: wscore.Limits{MaxMessage: 1 << 30}}.WithDefaults()
	must(t, err)
	equal(t, "MaxMessage", config.Limits.MaxMessage, 1<<30)
}

// Fragments may grow a message without declaring anything: doubling keeps the
// copying in bounds.
func TestFragmentedMessageGrowsByDoubling(t *testing.T) {
	const fragments, each = 1000, 1000
	frames := []rawpeer.Frame{begin(rawpeer.OpBinary, pattern(each))}
	for range fragments {
		frames = append(frames, more(pattern(each)))
	}
	r := newReader(t, wscore.Server, Config{})
	message := r.one(chopped(clientFrames(append(frames, last(""))...), 2000))
	equal(t, "payload is right", string(message.Payload()) == strings.Repeat(pattern(each), fragments+1), true)
	message.Release()
	for class, n := range r.ledger.acquired {
		if class > smallWindow && n > 2 {
			t.Errorf("%d buffers of class %d", n, class)
		}
	}
}

// The window.

func TestWindowGrowsAfterFullReadsAndShrinks(t *testing.T) {
	frame := clientFrames(binaryFrame(pattern(122))) // 128 bytes, so that windows end between frames
	full := strings.Repeat(frame, 64<<10/len(frame))
	r := newReader(t, wscore.Server, Config{})
	source := &script{pieces: []string{full + full + full, frame, frame, frame, frame}}
	equal[error](t, "run", r.run(source), ErrWouldBlock)
	var rooms []int
	for _, room := range source.reads {
		if len(rooms) == 0 || rooms[len(rooms)-1] != room {
			rooms = append(rooms, room)
		}
	}
	want := []int{4 << 10, 16 << 10, 64 << 10, 16 << 10, 4 << 10}
	if !slices.Equal(rooms, want) {
		t.Errorf("rooms of the reads %v, want %v", rooms, want)
	}
}

func TestWindowKeepsAnUnfinishedHeaderAsItGrows(t *testing.T) {
	frame := clientFrames(binaryFrame(pattern(100))) // 106 bytes, so that windows end inside frames
	const count = 10_000
	r := newReader(t, wscore.Server, Config{})
	equal[error](t, "run", r.run(play(strings.Repeat(frame, count))), ErrWouldBlock)
	equal(t, "messages", len(r.found), count)
	for _, found := range r.found {
		if found != "binary:"+pattern(100) {
			t.Fatal("a message is wrong")
		}
	}
}

// Between frames no memory is held, inside one only what it needs.

func TestMemoryHeldBetweenReads(t *testing.T) {
	message := clientFrames(binaryFrame(pattern(10_000)))
	for name, c := range map[string]struct {
		wire string
		want int // buffers
	}{
		"nothing":                         {"", 0},
		"whole messages":                  {clientFrames(textFrame("a"), pingFrame("b"), binaryFrame(pattern(10_000))), 0},
		"half a header":                   {message[:3], 1},
		"a header":                        {message[:8], 1},
		"half a payload":                  {message[:5000], 1},
		"half a ping":                     {clientFrames(pingFrame("ping"))[:7], 1},
		"between fragments":               {clientFrames(begin(rawpeer.OpText, "half")), 1},
		"a ping inside fragments, halved": {clientFrames(begin(rawpeer.OpText, "half"), pingFrame("ping"))[:14], 2},
		"a close frame":                   {clientFrames(closeOf(1000, "")), 0},
		"what follows a close frame":      {clientFrames(closeOf(1000, "")) + "anything", 0},
	} {
		for _, size := range []int{1, 100_000} {
			r := newReader(t, wscore.Server, Config{})
			equal[error](t, "run", r.run(chopped(c.wire, size)), ErrWouldBlock)
			equal(t, "buffers held after "+name, r.pool.InUse(), c.want)
			// Looking for more that is not there changes nothing.
			equal[error](t, "Fill", r.Fill(&script{}), ErrWouldBlock)
			equal(t, "buffers held after a vain read after "+name, r.pool.InUse(), c.want)
			equal(t, "error of the source", r.Fill(&script{end: io.ErrNoProgress}), io.ErrNoProgress)
			equal(t, "buffers held after a failed read after "+name, r.pool.InUse(), c.want)
			r.Discard()
			equal(t, "buffers held after Discard after "+name, r.pool.InUse(), 0)
			event, err := r.Next()
			must(t, err)
			equal(t, "event after Discard", event.Kind, NeedMore)
		}
	}
}

func TestReadOfNothingWouldBlock(t *testing.T) {
	r := newReader(t, wscore.Server, Config{})
	equal[error](t, "Fill", r.Fill(nothing{}), ErrWouldBlock)
	equal(t, "InUse", r.pool.InUse(), 0)
	wire := clientFrames(binaryFrame(pattern(10_000)))
	equal[error](t, "run", r.run(play(wire[:5000])), ErrWouldBlock)
	equal[error](t, "Fill inside a message", r.Fill(nothing{}), ErrWouldBlock)
	equal[error](t, "run", r.run(play(wire[5000:])), ErrWouldBlock)
	equal(t, "message is right", r.found[0] == "binary:"+pattern(10_000), true)
}

// nothing is a source that gives neither bytes nor an error.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestRestKeepsWhatIsNotDecoded(t *testing.T) {
	r := newReader(t, wscore.Server, Config{})
	must(t, r.Fill(play(clientFrames(textFrame("a"), textFrame("b")))))
	for _, want := range []string{"a", "b"} {
		r.Rest()
		event, err := r.Next()
		must(t, err)
		equal(t, "message", string(event.Buffer.Payload()), want)
		event.Buffer.Release()
	}
	equal(t, "InUse", r.pool.InUse(), 1)
	r.Rest()
	equal(t, "InUse", r.pool.InUse(), 0)
	r.Rest()
	equal(t, "InUse", r.pool.InUse(), 0)
}
