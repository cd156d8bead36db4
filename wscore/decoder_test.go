package wscore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// violations are wire inputs that break a rule. Each says after how many bytes
// the fault is certain: fed byte by byte, the decoder fails there and not
// before.
var violations = []struct {
	name  string
	role  Role // of the decoder
	input []byte
	at    int
	want  *ProtocolError
}{
	{"RSV1", Server, []byte{0xC1, 0x80, 0, 0, 0, 0}, 1, ErrReservedBits},
	{"RSV2", Server, []byte{0xA1, 0x80, 0, 0, 0, 0}, 1, ErrReservedBits},
	{"RSV3", Client, []byte{0x91, 0x00}, 1, ErrReservedBits},
	{"RSV1 on a ping", Client, []byte{0xC9, 0x00}, 1, ErrReservedBits},
	{"RSV1 on a continuation", Client, []byte{0x01, 0x00, 0xC0, 0x00}, 3, ErrReservedBits},
	{"opcode 3", Server, []byte{0x83, 0x80}, 1, ErrReservedOpcode},
	{"opcode 7", Client, []byte{0x87, 0x00}, 1, ErrReservedOpcode},
	{"opcode B", Server, []byte{0x8B, 0x80}, 1, ErrReservedOpcode},
	{"opcode F without FIN", Client, []byte{0x0F, 0x00}, 1, ErrReservedOpcode},
	{"unmasked client frame", Server, []byte{0x81, 0x05, 'H', 'e', 'l', 'l', 'o'}, 2, ErrFrameNotMasked},
	{"unmasked client ping", Server, []byte{0x89, 0x00}, 2, ErrFrameNotMasked},
	{"masked server frame", Client, []byte{0x81, 0x81, 1, 2, 3, 4, 'x'}, 2, ErrFrameMasked},
	{"masked server close", Client, []byte{0x88, 0x80, 1, 2, 3, 4}, 2, ErrFrameMasked},
	{"16 bits for 125", Client, []byte{0x82, 126, 0, 125}, 4, ErrLengthNotMinimal},
	{"64 bits for 65535", Client, []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, 8, ErrLengthNotMinimal},
	{"top bit of a 64-bit length", Client, []byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, 3, ErrLengthTopBit},
	{"all bits of a 64-bit length", Server, []byte{0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4}, 3, ErrLengthTopBit},
	{"ping without FIN", Client, []byte{0x09, 0x00}, 1, ErrControlFragmented},
	{"close without FIN", Server, []byte{0x08, 0x80}, 1, ErrControlFragmented},
	{"ping of 126 bytes", Client, []byte{0x89, 126, 0, 126}, 2, ErrControlTooLong},
	{"close of 64-bit length", Server, []byte{0x88, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0}, 2, ErrControlTooLong},
	{"continuation at the start", Client, []byte{0x80, 0x00}, 1, ErrUnexpectedContinuation},
	{"continuation after a whole message", Client, []byte{0x81, 0x01, 'x', 0x00, 0x00}, 4, ErrUnexpectedContinuation},
	{"text inside a fragmented message", Client, []byte{0x01, 0x01, 'x', 0x81, 0x00}, 4, ErrMessageInterrupted},
	{"binary inside a fragmented message", Client, []byte{0x02, 0x00, 0x89, 0x00, 0x02, 0x00}, 5, ErrMessageInterrupted},
	{"bad byte in text", Client, []byte{0x81, 0x04, 'a', 0xFF, 'b', 'c'}, 4, ErrInvalidText},
	{"surrogate in text", Client, []byte{0x81, 0x03, 0xED, 0xA0, 0x80}, 4, ErrInvalidText},
	{"character cut off by the end of the message", Client, []byte{0x81, 0x02, 'a', 0xC3}, 4, ErrInvalidText},
	{"character broken across fragments", Client, []byte{0x01, 0x02, 0xE2, 0x82, 0x00, 0x01, 'x', 0x80, 0x00}, 7, ErrInvalidText},
	{"character cut off by an empty last fragment", Client, []byte{0x01, 0x01, 0xC3, 0x80, 0x00}, 5, ErrInvalidText},
	{"close of one byte", Client, []byte{0x88, 0x01, 0x03}, 3, ErrCloseBodyLength},
	{"close 999", Client, []byte{0x88, 0x02, 0x03, 0xE7}, 4, ErrCloseCodeReserved},
	{"close 1005", Client, []byte{0x88, 0x02, 0x03, 0xED}, 4, ErrCloseCodeReserved},
	{"close 1006", Client, []byte{0x88, 0x02, 0x03, 0xEE}, 4, ErrCloseCodeReserved},
	{"close 1015", Client, []byte{0x88, 0x02, 0x03, 0xF7}, 4, ErrCloseCodeReserved},
	{"close 5000", Client, []byte{0x88, 0x02, 0x13, 0x88}, 4, ErrCloseCodeReserved},
	{"close reason that is not UTF-8", Client, []byte{0x88, 0x03, 0x03, 0xE8, 0xFF}, 5, ErrCloseReasonText},
	{"close reason cut off", Client, []byte{0x88, 0x03, 0x03, 0xE8, 0xC3}, 5, ErrCloseReasonText},
	// These use tightLimits.
	{"frame over MaxFrame", Client, []byte{0x82, 9}, 2, ErrFrameTooBig},
	{"frame far over MaxFrame", Client, []byte{0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, 10, ErrFrameTooBig},
	{"second frame over MaxMessage", Client, join([]byte{0x02, 8}, make([]byte, 8), []byte{0x00, 5}), 12, ErrMessageTooBig},
	{"frames over MaxFragments", Client, []byte{0x02, 1, 'a', 0x00, 1, 'b', 0x00, 1, 'c', 0x80, 1, 'd'}, 11, ErrTooManyFragments},
	{"frames over MaxEmptyFragments", Client, []byte{0x02, 0, 0x00, 1, 'b', 0x80, 0}, 7, ErrTooManyEmptyFragments},
}

// tightLimits leaves room for every violation that is not about limits.
var tightLimits = Limits{MaxFrame: 8, MaxMessage: 12, MaxFragments: 3, MaxEmptyFragments: 1}

func TestEveryRemoteErrorHasAWireInput(t *testing.T) {
	produced := map[*ProtocolError]bool{ErrConnectionLost: true} // comes from End, below
	for _, v := range violations {
		produced[v.want] = true
	}
	for err := range remoteErrors {
		if !produced[err] {
			t.Errorf("nothing on the wire produces %v", err)
		}
	}
}

func TestViolationsFailAtTheEarliestByteInAnySplit(t *testing.T) {
	for _, v := range violations {
		t.Run(v.name, func(t *testing.T) {
			for split := 0; split <= len(v.input); split++ {
				d, lifecycle := newTestDecoder(t, v.role, tightLimits)
				piece := oneByOne
				if split > 0 { // 0 stands for byte by byte
					piece = func(left int) int {
						if left == len(v.input) {
							return split
						}
						return left
					}
				}
				_, fed, err := decodeAll(t, d, v.input, piece)
				if v.at > len(v.input) || err != v.want {
					t.Fatalf("split %d: after %d bytes %v, want %v", split, fed, err, v.want)
				}
				if split == 0 && fed != v.at {
					t.Errorf("failed after %d bytes, the fault is certain after %d", fed, v.at)
				}
				if lifecycle.State() != Failed {
					t.Errorf("state is %v", lifecycle.State())
				}
				// A decoder that failed stays failed, whatever comes.
				for _, more := range [][]byte{nil, frame(peerOf(v.role), finText, "fine")} {
					if event, used, again := d.Decode(more); again != v.want || used != len(more) || event.Kind != NeedMore {
						t.Errorf("afterwards Decode gave %+v, %d, %v", event, used, again)
					}
				}
				if d.End() != v.want {
					t.Errorf("End gave %v", d.End())
				}
			}
		})
	}
}

// conversation is every kind of frame in one legal order, from a client. The
// second value is what it means.
func conversation(sender Role) ([]byte, []string) {
	long := strings.Repeat("0123456789", 30)
	return join(
			frame(sender, finText, "Hello"),
			frame(sender, finPing, "are you there"),
			frame(sender, moreText, "κό"[:3]),
			frame(sender, finPong, ""),
			frame(sender, moreContinue, "κό"[3:]),
			frame(sender, moreContinue, ""),
			frame(sender, finPing, strings.Repeat("p", 125)),
			frame(sender, finContinuation, "σμε"),
			frame(sender, finBinary, "\xff\x00"),
			frame(sender, finBinary, long),
			frame(sender, finText, ""),
			frame(sender, moreBinary, ""),
			frame(sender, finContinuation, ""),
			frame(sender, finClose, closeBody(1001, "até já")),
			[]byte("anything at all"),
		), []string{
			"text |Hello",
			"ping 0 are you there",
			"pong 0 ",
			"ping 0 " + strings.Repeat("p", 125),
			"text |" + "κό"[:3] + "|" + "κό"[3:] + "||σμε",
			"binary |\xff\x00",
			"binary |" + long,
			"text |",
			"binary ||",
			"close 1001 going away até já",
		}
}

func TestAnySplitGivesTheSameEvents(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		input, want := conversation(peerOf(role))
		check := func(name string, piece func(left int) int) {
			d, lifecycle := newTestDecoder(t, role, Limits{})
			got, fed, err := decodeAll(t, d, input, piece)
			if !slices.Equal(got, want) || err != nil || fed != len(input) {
				t.Fatalf("%s: %q, %v", name, got, err)
			}
			if lifecycle.State() != CloseReceived || !d.AtBoundary() || d.End() != nil {
				t.Fatalf("%s: state %v, end %v", name, lifecycle.State(), d.End())
			}
			if code, side, ok := lifecycle.FirstClose(); code != CloseGoingAway || side != Remote || !ok {
				t.Fatalf("%s: first close %v %v %v", name, code, side, ok)
			}
		}
		check("whole", allAtOnce)
		for size := 1; size <= 140; size++ {
			check(fmt.Sprintf("pieces of %d", size), func(left int) int { return min(size, left) })
		}
		for cut := 1; cut < len(input); cut++ {
			check(fmt.Sprintf("cut at %d", cut), func(left int) int {
				if left == len(input) {
					return cut
				}
				return left
			})
		}
	})
}

func TestEventsDescribeThePieceExactly(t *testing.T) {
	d, _ := newTestDecoder(t, Client, Limits{})
	steps := []struct {
		input string
		want  Event
		used  int
	}{
		{"", Event{}, 0},
		{"\x01", Event{}, 0},
		{"\x01\x03", Event{Kind: Data, Opcode: OpText, FrameStart: true, First: true, Remaining: 3}, 2},
		{"", Event{}, 0},
		{"ab", Event{Kind: Data, Opcode: OpText, Payload: []byte("ab"), Remaining: 1}, 2},
		{"c\x80", Event{Kind: Data, Opcode: OpText, Payload: []byte("c")}, 1},
		{"\x89\x02p", Event{}, 0},
		{"\x89\x02pq\x80", Event{Kind: Ping, Opcode: OpPing, FrameStart: true, First: true, Final: true, Payload: []byte("pq")}, 4},
		{"\x80\x02de\x82", Event{Kind: Data, Opcode: OpText, FrameStart: true, Final: true, Payload: []byte("de")}, 4},
		{"\x82\x00", Event{Kind: Data, Opcode: OpBinary, FrameStart: true, First: true, Final: true, Payload: []byte{}}, 2},
		{"\x8A\x00", Event{Kind: Pong, Opcode: OpPong, FrameStart: true, First: true, Final: true, Payload: []byte{}}, 2},
		{"\x88\x00x", Event{Kind: Close, Opcode: OpClose, FrameStart: true, First: true, Final: true, Code: CloseNoStatus}, 2},
		{"ignored", Event{}, 7},
	}
	for i, step := range steps {
		inside, ok := d.InPayload()
		if wantInside := i == 3 || i == 4 || i == 5; ok != wantInside || ok && inside != []uint64{3, 3, 1}[i-3] {
			t.Errorf("before step %d InPayload is %d, %v", i, inside, ok)
		}
		if boundary := i <= 2 || i > 8; d.AtBoundary() != boundary {
			t.Errorf("before step %d AtBoundary is %v", i, d.AtBoundary())
		}
		got, used, err := d.Decode([]byte(step.input))
		if err != nil || used != step.used || !bytes.Equal(got.Payload, step.want.Payload) {
			t.Errorf("step %d: %+v, %d, %v", i, got, used, err)
		}
		got.Payload, step.want.Payload = nil, nil
		if fmt.Sprint(got) != fmt.Sprint(step.want) {
			t.Errorf("step %d: %+v, want %+v", i, got, step.want)
		}
	}
}

// A payload ends where its frame ends: appending to it must not overwrite the
// bytes behind, which are not decoded yet.
func TestPayloadsCannotReachTheNextFrame(t *testing.T) {
	for name, first := range map[string][]byte{
		"message":              frame(Server, finText, "one"),
		"ping":                 frame(Server, finPing, "one"),
		"close":                frame(Server, finClose, closeBody(1000, "one")),
		"close without a code": frame(Server, finClose, ""),
		"empty message":        frame(Server, finText, ""),
		"first fragment":       frame(Server, moreText, "one"),
	} {
		d, _ := newTestDecoder(t, Client, Limits{})
		input := append(first, "behind"...)
		event, used, err := d.Decode(input)
		if err != nil || used != len(first) {
			t.Fatalf("%s: %d, %v", name, used, err)
		}
		_ = append(event.Payload, "!!!"...)
		if string(input[used:]) != "behind" {
			t.Errorf("%s: the bytes behind became %q", name, input[used:])
		}
	}
}

func TestMessagesExactlyAtTheLimitsPass(t *testing.T) {
	for _, test := range []struct {
		name   string
		limits Limits
		input  []byte
	}{
		{"MaxFrame", Limits{MaxFrame: 8}, frame(Server, finBinary, "12345678")},
		{"MaxMessage in one frame", Limits{MaxMessage: 8}, frame(Server, finBinary, "12345678")},
		{"MaxMessage in two", Limits{MaxMessage: 8}, join(frame(Server, moreBinary, "1234"), frame(Server, finContinuation, "5678"))},
		{"MaxMessage counts each message anew", Limits{MaxMessage: 8}, bytes.Repeat(frame(Server, finBinary, "12345678"), 5)},
		{"MaxFragments", Limits{MaxFragments: 2}, join(frame(Server, moreBinary, "1"), frame(Server, finContinuation, "2"))},
		{"MaxFragments counts each message anew", Limits{MaxFragments: 1}, bytes.Repeat(frame(Server, finBinary, "1"), 5)},
		{"MaxEmptyFragments", Limits{MaxEmptyFragments: 2}, join(frame(Server, moreBinary, ""), frame(Server, finContinuation, ""))},
		{"MaxEmptyFragments counts each message anew", Limits{MaxEmptyFragments: 1}, bytes.Repeat(join(frame(Server, moreBinary, ""), frame(Server, finContinuation, "x")), 5)},
		{"an empty message is no empty fragment", Limits{MaxEmptyFragments: 1}, bytes.Repeat(frame(Server, finText, ""), 5)},
		{"control frames count for nothing", Limits{MaxMessage: 1, MaxFragments: 1}, join(frame(Server, finPing, "12345678"), frame(Server, finBinary, "1"))},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, piece := range []func(int) int{allAtOnce, oneByOne} {
				d, _ := newTestDecoder(t, Client, test.limits)
				if _, _, err := decodeAll(t, d, test.input, piece); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// A peer that sends 200,000 empty fragments is stopped at the limit.
func TestEndlessFragmentsAreRefusedAtTheDefaultLimits(t *testing.T) {
	for _, test := range []struct {
		name string
		more []byte
		at   int
		want error
	}{
		{"empty", frame(Server, moreContinue, ""), DefaultMaxEmptyFragments, ErrTooManyEmptyFragments},
		{"one byte each", frame(Server, moreContinue, "x"), DefaultMaxFragments - 1, ErrTooManyFragments},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, _ := newTestDecoder(t, Client, Limits{})
			if _, _, err := d.Decode(frame(Server, moreBinary, "x")); err != nil {
				t.Fatal(err)
			}
			for n := range 200_000 {
				if _, _, err := d.Decode(test.more); err != nil {
					if err != test.want || n != test.at {
						t.Errorf("fragment %d: %v", n, err)
					}
					return
				}
			}
			t.Error("nothing stopped the peer")
		})
	}
}

func TestEndOfTheStream(t *testing.T) {
	for _, test := range []struct {
		name  string
		input []byte
		want  error
		state State
	}{
		{"before anything", nil, ErrConnectionLost, Closed},
		{"inside a header", []byte{0x81}, ErrConnectionLost, Closed},
		{"inside a payload", []byte{0x81, 5, 'H'}, ErrConnectionLost, Closed},
		{"between fragments", frame(Server, moreText, "H"), ErrConnectionLost, Closed},
		{"between messages", frame(Server, finText, "H"), ErrConnectionLost, Closed},
		{"after a close frame", frame(Server, finClose, ""), nil, CloseReceived},
		{"after a violation", []byte{0xFF}, ErrReservedOpcode, Failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			d, lifecycle := newTestDecoder(t, Client, Limits{})
			_, _, _ = decodeAll(t, d, test.input, allAtOnce)
			if err := d.End(); err != test.want || lifecycle.State() != test.state {
				t.Errorf("End gave %v in state %v", err, lifecycle.State())
			}
			if err := d.End(); err != test.want {
				t.Errorf("End again gave %v", err)
			}
			if event, _, err := d.Decode(frame(Server, finText, "late")); err != test.want || event.Kind != NeedMore {
				t.Errorf("afterwards Decode gave %+v, %v", event, err)
			}
		})
	}
}

// RSV1 belongs to the first frame of a data message once an extension defines
// it; text under it is not UTF-8 yet.
func TestNegotiatedReservedBit(t *testing.T) {
	compressed := join(frame(Server, 0x40|moreText, "\xff"), frame(Server, finContinuation, "\xfe"))
	d, _ := newTestDecoder(t, Client, Limits{})
	d.allowRSV = RSV1
	for i, want := range []Event{{First: true}, {Final: true}} {
		event, used, err := d.Decode(compressed)
		if err != nil || !event.Compressed || event.First != want.First || event.Final != want.Final || event.Opcode != OpText {
			t.Fatalf("piece %d: %+v, %v", i, event, err)
		}
		compressed = compressed[used:]
	}
	if event, _, err := d.Decode(frame(Server, finText, "plain")); event.Compressed || err != nil {
		t.Errorf("the next message: %+v, %v", event, err)
	}
	for name, input := range map[string][]byte{
		"on a continuation":    join(frame(Server, moreText, ""), frame(Server, 0x40|finContinuation, "")),
		"on a ping":            frame(Server, 0x40|finPing, ""),
		"with RSV2 beside it":  frame(Server, 0x60|finText, ""),
		"RSV3 in its stead":    frame(Server, 0x10|finText, ""),
		"on a close frame too": frame(Server, 0x40|finClose, ""),
	} {
		d, _ := newTestDecoder(t, Client, Limits{})
		d.allowRSV = RSV1
		if _, _, err := decodeAll(t, d, input, allAtOnce); !errors.Is(err, ErrReservedBits) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseClose(t *testing.T) {
	for _, test := range []struct {
		name, body string
		code       CloseCode
		reason     string
		err        error
	}{
		{"no body", "", CloseNoStatus, "", nil},
		{"code alone", closeBody(1000, ""), CloseNormal, "", nil},
		{"code and reason", closeBody(4999, "ça"), 4999, "ça", nil},
		{"one byte", "\x03", 0, "", ErrCloseBodyLength},
		{"reserved code", closeBody(1004, "x"), 0, "", ErrCloseCodeReserved},
		{"bad reason", closeBody(1000, "\x80"), 0, "", ErrCloseReasonText},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, reason, err := ParseClose([]byte(test.body))
			if code != test.code || string(reason) != test.reason || !errors.Is(err, test.err) {
				t.Errorf("%v, %q, %v", code, reason, err)
			}
		})
	}
}
