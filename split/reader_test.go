package split

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

// readerTest is a reader that keeps what it found.
type readerTest struct {
	*Reader
	t      testing.TB
	pool   *Pool
	writer *Writer
	wire   *wire
	ledger *ledger
	found  []string
}

func newReader(t testing.TB, role wscore.Role, config Config) *readerTest {
	t.Helper()
	made, l := newConfig(t, config)
	r, w, err := New(role, made, wscore.DeflateParams{})
	must(t, err)
	test := &readerTest{Reader: r, t: t, pool: made.Pool, writer: w, wire: &wire{}, ledger: l}
	w.Bind(test.wire)
	t.Cleanup(func() {
		r.Discard()
		w.Shut()
	})
	return test
}

// drain notes and releases everything that was read, as a handler would.
func (r *readerTest) drain() error {
	for {
		event, err := r.Next()
		if err != nil {
			return err
		}
		switch event.Kind {
		case NeedMore:
			r.Rest()
			return nil
		case Message:
			r.found = append(r.found, event.Buffer.Opcode().String()+":"+string(event.Buffer.Payload()))
			event.Buffer.Release()
		case Ping:
			r.found = append(r.found, "ping:"+string(event.Payload))
		case Pong:
			r.found = append(r.found, "pong:"+string(event.Payload))
		case Close:
			r.found = append(r.found, fmt.Sprintf("close:%d:%s", event.Code, event.Reason))
		}
	}
}

// run reads the source until it has nothing more, and returns what ended that.
func (r *readerTest) run(source io.Reader) error {
	for {
		if err := r.Fill(source); err != nil {
			return err
		}
		if err := r.drain(); err != nil {
			return err
		}
	}
}

// script is a source that plays pieces, one a read at most, and then ends.
type script struct {
	pieces []string
	end    error // nil: nothing more at the moment
	reads  []int // the room of each read
}

func (s *script) Read(p []byte) (int, error) {
	s.reads = append(s.reads, len(p))
	for len(s.pieces) > 0 && s.pieces[0] == "" {
		s.pieces = s.pieces[1:]
	}
	if len(s.pieces) == 0 {
		if s.end == nil {
			return 0, ErrWouldBlock
		}
		return 0, s.end
	}
	n := copy(p, s.pieces[0])
	s.pieces[0] = s.pieces[0][n:]
	return n, nil
}

// play is a script of one piece.
func play(wire string) *script { return &script{pieces: []string{wire}} }

// chopped is a script of pieces of at most n bytes.
func chopped(wire string, n int) *script {
	s := &script{}
	for piece := range slices.Chunk([]byte(wire), n) {
		s.pieces = append(s.pieces, string(piece))
	}
	return s
}

func bothRoles(t *testing.T, f func(t *testing.T, role wscore.Role)) {
	for _, role := range []wscore.Role{wscore.Server, wscore.Client} {
		t.Run(role.String(), func(t *testing.T) { f(t, role) })
	}
}

// A conversation, and what a reader finds in it.
var (
	shortTalk = []rawpeer.Frame{
		textFrame("hello"), textFrame(""), pingFrame("beat"),
		begin(rawpeer.OpText, "Gr\xC3"), pingFrame(""), more(""), more("\xBC\xC3\x9F"), pongFrame("unasked"), last("e"),
		binaryFrame(pattern(130)), begin(rawpeer.OpBinary, ""), last(""), closeOf(1000, "bye"),
	}
	shortFound = []string{
		"text:hello", "text:", "ping:beat", "ping:", "pong:unasked", "text:Grüße",
		"binary:" + pattern(130), "binary:", "close:1000:bye",
	}
	longTalk = []rawpeer.Frame{
		textFrame("small"), binaryFrame(pattern(4090)), binaryFrame(pattern(4096)), binaryFrame(pattern(5000)), textFrame(pattern7(20_000)),
		begin(rawpeer.OpBinary, pattern(9000)), pingFrame("between"), more(pattern(70_000)), last(pattern(3)),
		binaryFrame(pattern(200_000)), textFrame("small again"), closeOf(1001, ""),
	}
	longFound = []string{
		"text:small", "binary:" + pattern(4090), "binary:" + pattern(4096), "binary:" + pattern(5000), "text:" + pattern7(20_000),
		"ping:between", "binary:" + pattern(9000) + pattern(70_000) + pattern(3),
		"binary:" + pattern(200_000), "text:small again", "close:1001:",
	}
)

// reads checks that the source makes a reader find exactly that.
func reads(t *testing.T, role wscore.Role, source *script, want []string) {
	t.Helper()
	r := newReader(t, role, Config{})
	if err := r.run(source); err != ErrWouldBlock {
		t.Fatalf("ended with %v", err)
	}
	if !slices.Equal(r.found, want) {
		t.Fatalf("found %.300q\nwant %.300q", r.found, want)
	}
	equal(t, "InUse after the last byte", r.pool.InUse(), 0)
}

func TestAnySplitGivesTheSameMessages(t *testing.T) {
	bothRoles(t, func(t *testing.T, role wscore.Role) {
		wire := framesFor(role, slices.Clone(shortTalk)...)
		for cut := range wire {
			reads(t, role, &script{pieces: []string{wire[:cut], wire[cut:]}}, shortFound)
		}
		for size := 1; size < 20; size++ {
			reads(t, role, chopped(wire, size), shortFound)
		}
	})
}

func TestAnySplitOfLargeMessagesGivesTheSameMessages(t *testing.T) {
	bothRoles(t, func(t *testing.T, role wscore.Role) {
		wire := framesFor(role, slices.Clone(longTalk)...)
		for _, size := range []int{1, 7, 125, 1000, 4095, 4096, 4097, 16 << 10, 65_537, len(wire)} {
			reads(t, role, chopped(wire, size), longFound)
		}
		for seed := range uint64(30) {
			random := rand.New(rand.NewPCG(seed, 0))
			s := &script{}
			for rest := wire; rest != ""; {
				n := min(len(rest), 1+random.IntN(1<<random.IntN(17)))
				s.pieces = append(s.pieces, rest[:n])
				rest = rest[n:]
			}
			reads(t, role, s, longFound)
		}
	})
}

func TestObserverHearsOfEachFrameAtItsHeader(t *testing.T) {
	r := newReader(t, wscore.Server, Config{})
	wire := clientFrames(textFrame("hello"), begin(rawpeer.OpBinary, "12"), pingFrame("p"), last("345"), pongFrame(""), closeOf(1000, "bye"))
	equal[error](t, "end", r.run(chopped(wire, 1)), ErrWouldBlock)
	want := []frameNote{{wscore.OpText, 5}, {wscore.OpBinary, 2}, {wscore.OpPing, 1}, {wscore.OpBinary, 3}, {wscore.OpPong, 0}, {wscore.OpClose, 5}}
	if !slices.Equal(r.ledger.read, want) {
		t.Errorf("frames read: %v, want %v", r.ledger.read, want)
	}
}

func TestCloseFrameWithoutCodeIsReportedEmpty(t *testing.T) {
	r := newReader(t, wscore.Server, Config{})
	wire := clientFrames(rawpeer.Frame{Fin: true, Opcode: rawpeer.OpClose})
	equal[error](t, "end", r.run(play(wire)), ErrWouldBlock)
	equal(t, "found", r.found[0], "close:1005:")
	equal(t, "frame read", r.ledger.read[0], frameNote{wscore.OpClose, 0})
}

func TestLargeFrameIsReportedBeforeItsPayload(t *testing.T) {
	r := newReader(t, wscore.Server, Config{})
	wire := clientFrames(binaryFrame(pattern(1 << 20)))
	equal[error](t, "end", r.run(play(wire[:14])), ErrWouldBlock)
	equal(t, "frame read", r.ledger.read[0], frameNote{wscore.OpBinary, 1 << 20})
}

// Pongs.

func TestPingIsAnsweredUnlessToldOtherwise(t *testing.T) {
	for _, manual := range []bool{false, true} {
		r := newReader(t, wscore.Server, Config{ManualPong: manual})
		must(t, r.Fill(play(clientFrames(pingFrame("beat"), pingFrame("again")))))
		for i := range 2 {
			event, err := r.Next()
			must(t, err)
			equal(t, "kind", event.Kind, Ping)
			equal(t, "wake", event.Wake, !manual && i == 0)
		}
		r.Discard()
		_, err := r.writer.Flush()
		must(t, err)
		want := serverFrames(pongFrame("beat"), pongFrame("again"))
		if manual {
			want = ""
		}
		equal(t, "sent", r.wire.all(), want)
	}
}

// Violations.

func TestViolationIsToldOnceAndForEver(t *testing.T) {
	unmasked := serverFrames(textFrame("x"))
	badText := pattern7(100_000) + "\xff" + pattern7(100)
	for name, c := range map[string]struct {
		wire   string
		limits wscore.Limits
		err    *wscore.ProtocolError
	}{
		"not masked":                         {unmasked, wscore.Limits{}, wscore.ErrFrameNotMasked},
		"second byte of the header":          {unmasked[:1] + "\x01", wscore.Limits{}, wscore.ErrFrameNotMasked},
		"bad text in the window":             {clientFrames(textFrame("a\xff")), wscore.Limits{}, wscore.ErrInvalidText},
		"bad text in the message's buffer":   {clientFrames(textFrame(badText)), wscore.Limits{}, wscore.ErrInvalidText},
		"continuation of nothing":            {clientFrames(last("x")), wscore.Limits{}, wscore.ErrUnexpectedContinuation},
		"message inside another":             {clientFrames(begin(rawpeer.OpText, "a"), textFrame("b")), wscore.Limits{}, wscore.ErrMessageInterrupted},
		"message too big":                    {clientFrames(binaryFrame(pattern(1001))), wscore.Limits{MaxMessage: 1000, MaxFrame: 2000}, wscore.ErrMessageTooBig},
		"fragments too big together":         {clientFrames(begin(rawpeer.OpBinary, pattern(600)), last(pattern(600))), wscore.Limits{MaxMessage: 1000, MaxFrame: 1000}, wscore.ErrMessageTooBig},
		"frame too big":                      {clientFrames(binaryFrame(pattern(1001))), wscore.Limits{MaxFrame: 1000}, wscore.ErrFrameTooBig},
		"bad close code after a message":     {clientFrames(textFrame("x"), closeOf(1005, "")), wscore.Limits{}, wscore.ErrCloseCodeReserved},
		"bad frame inside a large message":   {clientFrames(begin(rawpeer.OpBinary, pattern(50_000)), begin(rawpeer.OpBinary, "")), wscore.Limits{}, wscore.ErrMessageInterrupted},
		"declared length with its top bit":   {"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00", wscore.Limits{}, wscore.ErrLengthTopBit},
		"declared length beyond every limit": {"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00", wscore.Limits{}, wscore.ErrFrameTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 1000, len(c.wire)} {
				r := newReader(t, wscore.Server, Config{Limits: c.limits})
				err := r.run(chopped(c.wire, size))
				equal[error](t, "violation", err, error(c.err))
				_, err = r.Next()
				equal[error](t, "violation when asked again", err, error(c.err))
				equal[error](t, "end", r.End(io.EOF), error(c.err))
				equal(t, "InUse", r.pool.InUse(), 0)
			}
		})
	}
}

// Ends.

func TestEndTellsWhatEndedTheConnection(t *testing.T) {
	reset := errors.New("reset")
	whole := clientFrames(textFrame("whole"))
	large := clientFrames(binaryFrame(pattern(100_000)))
	for name, wire := range map[string]string{
		"nothing":                     "",
		"a whole message":             whole,
		"half a header":               whole[:1],
		"half a control frame":        clientFrames(pingFrame("ping"))[:8],
		"half a small message":        whole[:8],
		"half a large message":        large[:50_000],
		"half of a fragmented one":    clientFrames(begin(rawpeer.OpText, "half")),
		"half of a large and its end": clientFrames(begin(rawpeer.OpBinary, pattern(100_000))),
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				stream error
				want   error
			}{{io.EOF, wscore.ErrConnectionLost}, {nil, wscore.ErrConnectionLost}, {reset, reset}} {
				r := newReader(t, wscore.Server, Config{})
				equal[error](t, "run", r.run(play(wire)), ErrWouldBlock)
				err := r.End(c.stream)
				equal(t, "is what was wanted", errors.Is(err, c.want), true)
				var transport *TransportError
				equal(t, "is the transport's", errors.As(err, &transport), c.stream == reset)
				if transport != nil {
					equal(t, "operation", transport.Operation, "read")
				}
				equal(t, "InUse", r.pool.InUse(), 0)
				equal(t, "state", r.Lifecycle().State(), wscore.Closed)
			}
		})
	}
}

func TestEndAfterACloseFrameIsClean(t *testing.T) {
	for _, end := range []error{io.EOF, nil, errors.New("reset")} {
		r := newReader(t, wscore.Server, Config{})
		equal[error](t, "run", r.run(play(clientFrames(closeOf(1000, ""))+"what follows is not looked at")), ErrWouldBlock)
		must(t, r.End(end))
	}
}

func TestBytesBesideAnErrorAreNotLost(t *testing.T) {
	r := newReader(t, wscore.Server, Config{})
	wire := clientFrames(textFrame("last words"))
	equal[error](t, "end", r.run(lastTogether{strings.NewReader(wire)}), io.EOF)
	equal(t, "found", strings.Join(r.found, ","), "text:last words")
}

// lastTogether gives its last bytes together with the end.
type lastTogether struct{ r *strings.Reader }

func (s lastTogether) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if s.r.Len() == 0 {
		err = io.EOF
	}
	return n, err
}

// Unfinished.

func TestUnfinishedMeansInsideAFrame(t *testing.T) {
	message := clientFrames(binaryFrame(pattern(10_000)))
	for name, c := range map[string]struct {
		wire string
		want bool
	}{
		"nothing":           {"", false},
		"whole frame":       {message, false},
		"half a header":     {message[:3], true},
		"a header":          {message[:8], true},
		"half a payload":    {message[:5000], true},
		"half a ping":       {clientFrames(pingFrame("ping"))[:7], true},
		"between fragments": {clientFrames(begin(rawpeer.OpText, "half")), false},
	} {
		r := newReader(t, wscore.Server, Config{})
		equal[error](t, "run", r.run(play(c.wire)), ErrWouldBlock)
		equal(t, name, r.Unfinished(), c.want)
	}
}
