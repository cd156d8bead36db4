package differential

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/wscore"
)

// stricter are the violations that wscore refuses and the other library
// accepts, each with the rule. Where wscore refuses with one of these, the other
// may have read on.
var stricter = []struct {
	err     error
	library string // "" for both
	rule    string
}{
	{wscore.ErrLengthNotMinimal, "", "RFC 6455 5.2: the minimal number of bytes must be used to encode the length; neither checks it"},
	{wscore.ErrCloseBodyLength, "", "RFC 6455 5.5.1: a close body begins with a 2-byte code; both take one byte for no code"},
	{wscore.ErrInvalidText, "gorilla", "RFC 6455 8.1: text that is not UTF-8 fails the connection; gorilla leaves it to the application"},
	{wscore.ErrControlTooLong, "gobwas", "RFC 6455 5.2 and 5.5: a control frame has 125 bytes at most, so a longer form of its length is never minimal; gobwas looks at the number alone"},
	{wscore.ErrCloseCodeReserved, "gobwas", "RFC 6455 7.4.2: 0 to 999 and the undefined codes of 1000 to 2999 are not used, and 5000 and up are outside; gobwas lets some pass"},
	{wscore.ErrMessageTooBig, "gobwas", "a limit, not a rule: gobwas bounds a frame and not a message"},
}

// allowed reports whether the RFC, or one of the differences above, explains
// that the two verdicts differ.
func allowed(library string, tandem, other verdict) (why string, ok bool) {
	common := min(len(tandem.log), len(other.log))
	if !slices.Equal(tandem.log[:common], other.log[:common]) {
		return "", false
	}
	if tandem.ending == refused {
		if other.ending == lost && len(other.log) == common {
			// wscore refuses a bad frame at its first bad byte; the others wait for
			// the rest of it, which did not come. RFC 6455 7.1.7 lets either.
			return "refused earlier", true
		}
		for _, s := range stricter {
			if errors.Is(tandem.err, s.err) && (s.library == "" || s.library == library) && len(other.log) >= common {
				return s.rule, true
			}
		}
		return "", tandem.ending == other.ending && len(tandem.log) == len(other.log)
	}
	if library == "gorilla" && other.ending == refused && strings.Contains(other.err.Error(), "bad close code 1014") {
		return "1014 was registered after RFC 6455; gorilla does not know it", true
	}
	if library == "gobwas" && other.ending == refused && strings.Contains(other.err.Error(), "status code is not defined in spec") {
		return "1012 to 1014 were registered after RFC 6455; gobwas does not know them", true
	}
	return "", tandem.ending == other.ending && len(tandem.log) == len(other.log)
}

func compare(t *testing.T, input []byte) {
	t.Helper()
	tandem := readWithTandem(input)
	for _, other := range []struct {
		library string
		verdict verdict
	}{{"gorilla", readWithGorilla(input)}, {"gobwas", readWithGobwas(input)}} {
		if _, ok := allowed(other.library, tandem, other.verdict); !ok {
			t.Errorf("% x\nwscore:  %+v\n%s: %+v", input, tandem, other.library, other.verdict)
		}
	}
}

// frames makes a stream of client frames out of a fuzzer's bytes: mostly right,
// so that messages get through, and now and then wrong in one place.
func frames(script []byte) []byte {
	var b []byte
	for len(script) >= 4 {
		kind, length, fault, seed := script[0], int(script[1]), script[2], script[3]
		script = script[4:]
		opcodes := []byte{0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88, 0x80, 0x00}
		first := opcodes[int(kind)%len(opcodes)]
		payload := []byte(strings.Repeat("aé天👍"[:seed%11], length))
		if length > 200 {
			payload = []byte(strings.Repeat("long ", length))
		}
		if first&0x0F >= 8 && len(payload) > 125 {
			payload = payload[:125]
		}
		if first == 0x88 && len(payload) >= 2 {
			code := []uint16{1000, 1001, 1005, 1014, 1013, 999, 2999, 3000, 4999, 5000, 1006, 1004, 1015}[int(seed)%13]
			binary.BigEndian.PutUint16(payload, code)
		}
		masked := byte(0x80)
		switch fault % 32 {
		case 1:
			first |= 0x40
		case 2:
			first |= 0x20
		case 3:
			first ^= 0x80
		case 4:
			first |= 0x03
		case 5:
			masked = 0
		}
		long := fault%32 == 6
		switch n := len(payload); {
		case n < 126 && !long:
			b = append(b, first, masked|byte(n))
		case n < 1<<16 && fault%32 != 7:
			b = binary.BigEndian.AppendUint16(append(b, first, masked|126), uint16(n))
		default:
			b = binary.BigEndian.AppendUint64(append(b, first, masked|127), uint64(n))
		}
		if masked == 0 {
			b = append(b, payload...)
			continue
		}
		key := uint32(seed) * 0x01030507
		b = binary.LittleEndian.AppendUint32(b, key)
		wscore.Mask(payload, key)
		b = append(b, payload...)
		if fault%32 == 8 {
			return b[:len(b)-min(len(b), int(seed)%8)]
		}
	}
	return b
}

func FuzzServersReadAlike(f *testing.F) {
	add := func(steps ...[4]byte) {
		var script []byte
		for _, s := range steps {
			script = append(script, s[:]...)
		}
		f.Add(false, script)
	}
	for kind := range byte(11) {
		for fault := range byte(9) {
			add([4]byte{kind, 3, fault, 10}, [4]byte{1, 40, 0, 1}, [4]byte{8, 2, 0, 2})
		}
	}
	for code := range byte(13) {
		add([4]byte{8, 2, 0, 26 + code}) // "aé" repeated carries a code
		add([4]byte{8, 9, 0, 1 + 11*code})
	}
	add([4]byte{2, 5, 0, 3}, [4]byte{6, 4, 0, 1}, [4]byte{4, 5, 0, 5}, [4]byte{7, 1, 0, 1}, [4]byte{5, 5, 0, 1})
	add([4]byte{2, 5, 0, 2}, [4]byte{5, 5, 0, 4}) // a character cut by fragments, wrongly
	add([4]byte{0, 255, 0, 1}, [4]byte{0, 255, 7, 1}, [4]byte{8, 1, 0, 1})
	f.Add(true, []byte("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58")) // RFC 6455 section 5.7
	f.Add(true, []byte("\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\x00"))
	f.Add(true, []byte("\x82\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add(true, []byte("\x88\x80\x00\x00\x00\x00\x81\x80\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, raw bool, input []byte) {
		if len(input) > 1<<10 {
			input = input[:1<<10]
		}
		if !raw {
			input = frames(input)
		}
		compare(t, input)
	})
}

// Each exception is shown to be needed, so that the list does not outlive its
// reasons.
func TestEveryKnownDifferenceIsThere(t *testing.T) {
	zero := "\x00\x00\x00\x00" // a masking key that changes nothing
	for _, test := range []struct {
		name, input     string
		err             error
		gorilla, gobwas ending
	}{
		{"length in more bytes than needed", "\x82\xfe\x00\x01" + zero + "a", wscore.ErrLengthNotMinimal, lost, lost},
		{"close body of one byte", "\x88\x81" + zero + "a", wscore.ErrCloseBodyLength, closed, closed},
		{"text that is not UTF-8", "\x81\x81" + zero + "\xff", wscore.ErrInvalidText, lost, refused},
		{"text that cannot become UTF-8", "\x01\x81" + zero + "\xff", wscore.ErrInvalidText, lost, refused},
		{"ping with a length in more bytes than needed", "\x89\xfe\x00\x00" + zero, wscore.ErrControlTooLong, refused, lost},
		{"close code 5000", "\x88\x82" + zero + "\x13\x88", wscore.ErrCloseCodeReserved, refused, closed},
		{"close code 1014", "\x88\x82" + zero + "\x03\xf6", nil, refused, refused},
		{"close code 1012", "\x88\x82" + zero + "\x03\xf4", nil, closed, refused},
	} {
		t.Run(test.name, func(t *testing.T) {
			input := []byte(test.input)
			if v := readWithTandem(input); !errors.Is(v.err, test.err) {
				t.Errorf("wscore: %+v", v)
			}
			if v := readWithGorilla(input); v.ending != test.gorilla {
				t.Errorf("gorilla: %+v", v)
			}
			if v := readWithGobwas(input); v.ending != test.gobwas {
				t.Errorf("gobwas: %+v", v)
			}
			compare(t, input)
		})
	}
}
