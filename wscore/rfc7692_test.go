package wscore

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// deflateConn is a server that agreed on compression with takeover both ways
// and reads the given bytes.
func deflateConn(t testing.TB, wire []byte, chunk int, limits Limits, message int) (*Conn, *tape) {
	t.Helper()
	stream := &tape{in: bytes.Clone(wire), chunk: chunk}
	c, err := NewConn(stream, Server, newBuffers(message), Options{Limits: limits, Agreed: DeflateParams{
		Agreed: true, SendTakeover: true, ReceiveTakeover: true, SendWindowBits: 15, ReceiveWindowBits: 15}})
	if err != nil {
		t.Fatal(err)
	}
	return c, stream
}

// With RSV1, in the first byte of a frame.
const rsv1 = RSV1

// The payloads of RFC 7692 sections 7.2.3.1 to 7.2.3.6, in frames as they are
// there or cut further, with what may stand between fragments.
func TestExamplesOfRFC7692(t *testing.T) {
	fixed := "\xf2\x48\xcd\xc9\xc9\x07\x00"
	ping := frame(Client, finPing, "between")
	for _, test := range []struct {
		name string
		wire []byte
		want []string
	}{
		{"7.2.3.1 one block", frame(Client, finText|rsv1, fixed), []string{"text Hello"}},
		{"7.2.3.1 in two frames", join(frame(Client, moreText|rsv1, fixed[:3]), frame(Client, finContinuation, fixed[3:])), []string{"text Hello"}},
		{"with control and empty frames between", join(frame(Client, moreText|rsv1, ""), ping, frame(Client, moreContinue, fixed[:3]), ping,
			frame(Client, moreContinue, ""), frame(Client, moreContinue, fixed[3:]), frame(Client, finContinuation, "")),
			[]string{"ping between", "ping between", "text Hello"}},
		{"7.2.3.2 shared window", join(frame(Client, finText|rsv1, fixed), frame(Client, finText|rsv1, "\xf2\x00\x11\x00\x00")), []string{"text Hello", "text Hello"}},
		{"7.2.3.2 across an uncompressed message", join(frame(Client, finText|rsv1, fixed), frame(Client, finText, "not in the window"), frame(Client, finText|rsv1, "\xf2\x00\x11\x00\x00")),
			[]string{"text Hello", "text not in the window", "text Hello"}},
		{"7.2.3.2 own window again", join(frame(Client, finText|rsv1, fixed), frame(Client, finText|rsv1, fixed)), []string{"text Hello", "text Hello"}},
		{"7.2.3.3 stored block", frame(Client, finText|rsv1, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"), []string{"text Hello"}},
		{"7.2.3.4 BFINAL set", frame(Client, finText|rsv1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), []string{"text Hello"}},
		{"7.2.3.4 BFINAL set and the window goes on", join(frame(Client, finText|rsv1, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), frame(Client, finText|rsv1, "\xf2\x00\x11\x00\x00")), []string{"text Hello", "text Hello"}},
		{"7.2.3.5 two blocks", frame(Client, finText|rsv1, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), []string{"text Hello"}},
		{"7.2.3.6 empty", frame(Client, finText|rsv1, "\x00"), []string{"text "}},
		{"7.2.3.6 empty and binary", frame(Client, finBinary|rsv1, "\x02\x00"), []string{"binary "}},
	} {
		for chunk := range 16 {
			t.Run(fmt.Sprintf("%s/chunks of %d", test.name, chunk), func(t *testing.T) {
				c, _ := deflateConn(t, test.wire, chunk, Limits{}, 100)
				got, err := readAll(t, c)
				if strings.Join(got, "|") != strings.Join(test.want, "|") || err != ErrConnectionLost {
					t.Errorf("%q, %v", got, err)
				}
			})
		}
	}
}

// Section 7.2.2: without the tail's first byte there is no block for the tail
// to end, so a compressed message has at least one byte.
func TestCompressedMessageOfNoBytesIsRefused(t *testing.T) {
	c, _ := deflateConn(t, frame(Client, finText|rsv1, ""), 0, Limits{}, 100)
	if _, err := c.Next(); err != ErrCompressedData {
		t.Error(err)
	}
}

func packed(t testing.TB, payload []byte) []byte {
	t.Helper()
	p, ok := NewDeflater(1).Append(nil, payload, nil, 15)
	if !ok {
		t.Fatal("not compressed")
	}
	return p
}

// verdict is how a compressed message ends that arrives in pieces of at most
// piece bytes and is inflated into memory that grows by room bytes.
func verdict(t testing.TB, opcode Opcode, compressed []byte, limits Limits, ratio, piece, room int) ([]byte, error) {
	t.Helper()
	limits, err := limits.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	config, err := DeflateConfig{MaxRatio: ratio}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	var z Inflater
	d := NewDecompressor(DeflateParams{Agreed: true, SendWindowBits: 15, ReceiveWindowBits: 15}, config, limits, nil)
	d.Begin(&z, opcode)
	out, used := make([]byte, room), 0
	for {
		n := min(piece, len(compressed))
		now := compressed[:n]
		compressed = compressed[n:]
		for {
			produced, taken, full, done, err := d.Write(out, used, now, len(compressed) == 0)
			used, now = produced, now[taken:]
			if err != nil || done {
				return out[:used], err
			}
			if !full {
				break
			}
			out = append(out, make([]byte, room)...)
		}
		if len(now) > 0 || len(compressed) == 0 {
			t.Fatalf("stopped with %d bytes left, neither full nor done", len(now))
		}
	}
}

// What a message is refused for does not depend on how it arrives or on the
// memory that it is inflated into.
func TestVerdictOnACompressedMessageIsTheSameInAnyPieces(t *testing.T) {
	skewed := samples()["skewed"]
	const most = 100_000
	runThenNoise := append(make([]byte, 40_000), samples()["noise"]...)
	badThenLong := append([]byte("ok\xFF"), bytes.Repeat([]byte("text "), most)...)
	longThenBad := append(bytes.Repeat([]byte("text of some length "), most/20), 0xFF)
	zeros := packed(t, make([]byte, most))
	ascii := bytes.Clone(skewed)
	for i := range ascii {
		ascii[i] &= 0x7F
	}
	for _, test := range []struct {
		name   string
		opcode Opcode
		data   []byte
		ratio  int
		want   error
	}{
		{"exactly the limit", OpBinary, packed(t, skewed[:most]), 0, nil},
		{"one byte over", OpBinary, packed(t, append(skewed[:most:most], 'x')), 0, ErrMessageTooBig},
		{"exactly the limit as text", OpText, packed(t, ascii[:most]), 0, nil},
		{"text wrong before it is too long", OpText, packed(t, badThenLong), 0, ErrInvalidText},
		{"text too long before it is wrong", OpText, packed(t, longThenBad), 1000, ErrMessageTooBig},
		{"zeros", OpBinary, zeros, 0, ErrInflateRatio},
		{"zeros where that is allowed", OpBinary, zeros, 1100, nil},
		{"zeros, then noise", OpBinary, packed(t, runThenNoise[:most]), 4, nil},
		{"ratio over at the end only", OpBinary, packed(t, append(samples()["noise"][:20_000:20_000], make([]byte, most-20_000)...)), 4, ErrInflateRatio},
		{"free of the ratio", OpBinary, packed(t, make([]byte, ratioFree)), 2, nil},
		{"corrupt after text that is wrong", OpText, []byte("\x00\x03\x00\xfc\xffa\xFFb\x07"), 0, ErrInvalidText},
		{"corrupt after text that is right", OpText, []byte("\x00\x03\x00\xfc\xffa\xc3\xa9\x07"), 0, ErrCompressedData},
		{"corrupt inside a character", OpText, []byte("\x00\x02\x00\xfd\xffa\xc3\x07"), 0, ErrCompressedData},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, sizes := range [][2]int{{1 << 20, 1 << 20}, {1, 1 << 20}, {1 << 20, 1000}, {1, 4096}, {100, most}, {3, most + 1}, {1 << 20, ratioFree}, {7, most - 1}} {
				got, err := verdict(t, test.opcode, test.data, Limits{MaxMessage: most}, test.ratio, sizes[0], sizes[1])
				if err != test.want && !errors.Is(err, test.want) {
					t.Errorf("pieces of %d, room of %d: %v after %d bytes, want %v", sizes[0], sizes[1], err, len(got), test.want)
				}
			}
		})
	}
}

// A tiny room is filled over and over, also while the tail is fed.
func TestDecompressorGoesOnWithEachByteOfRoom(t *testing.T) {
	payload := samples()["json"][:3000]
	for _, data := range [][]byte{packed(t, payload), append([]byte{0x00, 0xB8, 0x0B, 0x47, 0xF4}, append(bytes.Clone(payload), 0)...)} {
		for _, piece := range []int{1, 5, 1 << 20} {
			for _, room := range []int{1, 2, 3, 299} {
				got, err := verdict(t, OpText, data, Limits{}, 0, piece, room)
				if err != nil || !bytes.Equal(got, payload) {
					t.Errorf("pieces of %d, room of %d: %d bytes, %v", piece, room, len(got), err)
				}
			}
		}
	}
}

// A message that ends at the limit passes on a connection, whether the limit is
// the buffer's or the setting's.
func TestConnInflatesExactlyTheLimit(t *testing.T) {
	payload := samples()["noise"][:5000] // longer when compressed: the wire has room for that
	over := samples()["noise"][:5001]
	for _, c := range []struct {
		limits  Limits
		message int
	}{{Limits{MaxMessage: 5000}, 8000}, {Limits{}, 5000}, {Limits{MaxMessage: 5000}, 5000}} {
		conn, stream := deflateConn(t, join(frame(Client, finBinary|rsv1, string(packed(t, payload))), frame(Client, finBinary|rsv1, string(packed(t, over)))), 0, c.limits, c.message)
		if m, err := conn.Next(); err != nil || !bytes.Equal(m.Payload, payload) {
			t.Errorf("%+v: %d bytes, %v", c, len(m.Payload), err)
		}
		if _, err := conn.Next(); err != ErrMessageTooBig || !bytes.Equal(stream.out.Bytes()[2:4], []byte{0x03, 0xF1}) {
			t.Errorf("%+v: %v, sent % x", c, err, stream.out.Bytes())
		}
	}
}

// The wire may be longer than the limits by what compressed data that cannot be
// compressed needs, and no more, in each frame and in the whole message.
func TestCompressedFramesHaveABoundedSlack(t *testing.T) {
	for _, test := range []struct {
		name   string
		limits Limits
		wire   []byte
		want   error
	}{
		{"a frame that may just be", Limits{MaxFrame: 800, MaxMessage: 8000}, []byte{0xC2, 126, 0x03, 0xC4}, nil}, // 800 + 100 + 64
		{"a frame that is too long", Limits{MaxFrame: 800, MaxMessage: 8000}, []byte{0xC2, 126, 0x03, 0xC5}, ErrFrameTooBig},
		{"uncompressed, no slack", Limits{MaxFrame: 800, MaxMessage: 8000}, []byte{0x82, 126, 0x03, 0x21}, ErrFrameTooBig},
		{"a message that may just be", Limits{MaxFrame: 8000, MaxMessage: 800}, []byte{0xC2, 126, 0x03, 0xC4}, nil},
		{"a message that is too long", Limits{MaxFrame: 8000, MaxMessage: 800}, []byte{0xC2, 126, 0x03, 0xC5}, ErrMessageTooBig},
		{"the longest limits", Limits{MaxMessage: 1<<63 - 1}, []byte{0xC2, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, nil},
	} {
		d, _ := newTestDecoder(t, Client, test.limits)
		d.EnableDeflate()
		if _, _, err := d.Decode(test.wire); err != test.want {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	// Added up, two lengths must not wrap around.
	d, _ := newTestDecoder(t, Client, Limits{MaxMessage: 1<<63 - 1})
	d.EnableDeflate()
	if _, _, err := d.Decode([]byte{0x42, 0x00}); err != nil {
		t.Fatal(err)
	}
	d.messageLength = 1 << 63
	if _, _, err := d.Decode([]byte{0x80, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}); err != ErrMessageTooBig {
		t.Error(err)
	}
}

// Section 5.4 and 7.2.2 together with the limits on fragments.
func TestEmptyFragmentsOfACompressedMessageCount(t *testing.T) {
	wire := frame(Client, moreText|rsv1, "")
	for range 4 {
		wire = append(wire, frame(Client, moreContinue, "")...)
	}
	c, _ := deflateConn(t, wire, 0, Limits{MaxEmptyFragments: 4}, 100)
	if _, err := c.Next(); err != ErrTooManyEmptyFragments {
		t.Error(err)
	}
}

// Text inside compressed data is judged as it arrives: the connection does not
// wait for the rest of the frame.
func TestCompressedTextIsJudgedAsItArrives(t *testing.T) {
	data := append([]byte("\x00\x05\x00\xfa\xff"), "ab\xFFcd"...)
	whole := frame(Client, finText|rsv1, string(data)+strings.Repeat("\x00", 100))
	upToBad := whole[:6+8]
	c, _ := deflateConn(t, upToBad, 1, Limits{}, 1000)
	if _, err := c.Next(); err != ErrInvalidText {
		t.Error(err)
	}
}

// A refused setting, not a panic or a window of one byte.
func TestAgreedWindowsOutOfRangeAreRefusedByName(t *testing.T) {
	for field, agreed := range map[string]DeflateParams{
		"Agreed.SendWindowBits":    {Agreed: true, ReceiveWindowBits: 15},
		"Agreed.ReceiveWindowBits": {Agreed: true, SendWindowBits: 15, ReceiveWindowBits: -1, ReceiveTakeover: true},
	} {
		_, err := NewConn(&tape{}, Server, newBuffers(100), Options{Agreed: agreed})
		var config *ConfigError
		if !errors.As(err, &config) || config.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// Settings are judged before anything happens on the stream.
func TestDeflateConfigIsCheckedByEveryWayIn(t *testing.T) {
	options := Options{Deflate: &DeflateConfig{Level: 10}}
	stream := &tape{}
	_, newErr := NewConn(stream, Server, newBuffers(100), options)
	_, acceptErr := Accept(stream, newBuffers(100), AcceptOptions{Options: options})
	_, _, connectErr := Connect(stream, newBuffers(100), ConnectOptions{Options: options, Host: "example"})
	for _, err := range []error{newErr, acceptErr, connectErr} {
		var config *ConfigError
		if !errors.As(err, &config) || config.Field != "Deflate.Level" {
			t.Error(err)
		}
	}
	if stream.out.Len() > 0 {
		t.Errorf("% x was written", stream.out.Bytes())
	}
}

// Compression that one side does not know of, or cannot agree to, stays off.
func TestCompressionIsOffUnlessBothSidesAgree(t *testing.T) {
	for _, offer := range []string{"", "Sec-WebSocket-Extensions: x-other\r\n", "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7\r\n"} {
		stream := &tape{in: []byte(strings.TrimSuffix(correctRequest, "\r\n") + offer + "\r\n")}
		c, err := Accept(stream, handshakeBuffers(), AcceptOptions{Options: Options{Deflate: &DeflateConfig{}}})
		if err != nil || c.Deflate().Agreed || strings.Contains(stream.out.String(), "Extensions") {
			t.Errorf("%q: %v, answered %q", offer, err, stream.out.String())
		}
	}
	// Two fields: the first that can be agreed to counts.
	fields := "Sec-WebSocket-Extensions: x-other\r\nSec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
	stream := &tape{in: []byte(strings.TrimSuffix(correctRequest, "\r\n") + fields + "\r\n")}
	c, err := Accept(stream, handshakeBuffers(), AcceptOptions{Options: Options{Deflate: &DeflateConfig{}}})
	if err != nil || !c.Deflate().Agreed || !strings.Contains(stream.out.String(), "permessage-deflate; server_no_context_takeover") {
		t.Errorf("%v, answered %q", err, stream.out.String())
	}
}

// A server may choose compression once, and only as it was offered.
func TestResponseCheckKnowsWhatWasAgreed(t *testing.T) {
	config, err := DeflateConfig{SendTakeover: true, ReceiveTakeover: true}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	check := ResponseCheck{deflate: &config}
	check.Field([]byte("Sec-WebSocket-Extensions"), []byte("permessage-deflate; client_max_window_bits=10"))
	if got := check.Deflate(); !got.Agreed || got.SendWindowBits != 10 || check.refusedExtension {
		t.Errorf("agreed on %+v", got)
	}
	check.Field([]byte("Sec-WebSocket-Extensions"), []byte("permessage-deflate"))
	if !check.refusedExtension {
		t.Error("a second choice was accepted")
	}
}

// Sections 7.1.1 and 7.1.2: what the answer must repeat, and what makes an
// offer one to decline or an answer one to fail on.
func TestNegotiationBySection71(t *testing.T) {
	full, err := DeflateConfig{SendTakeover: true, ReceiveTakeover: true}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	for offer, want := range map[string]string{
		"permessage-deflate; server_max_window_bits=15":                            "permessage-deflate; server_max_window_bits=15", // 7.1.2.1: accepted by naming it
		"permessage-deflate; server_max_window_bits=15; client_max_window_bits=15": "permessage-deflate; server_max_window_bits=15",
		"permessage-deflate; client_max_window_bits; server_max_window_bits=8, x":  "permessage-deflate; server_max_window_bits=8",
		"permessage-deflate;":                           "", // RFC 6455 9.1: a semicolon needs a parameter
		"permessage-deflate; ":                          "",
		"permessage-deflate;;client_max_window_bits":    "",
		"permessage-deflate; client_max_window_bits=9;": "",
		"permessage-deflate; server_max_window_bits=\"": "",
		"permessage-deflate; Server_Max_Window_Bits=9":  "permessage-deflate; server_max_window_bits=9",
	} {
		answer := ""
		if params := AcceptDeflate([]byte(offer), full); params.Agreed {
			answer = string(params.appendAnswer(nil))
		}
		if answer != want {
			t.Errorf("offer %q: answered %q, want %q", offer, answer, want)
		}
	}
	for _, answer := range []string{"permessage-deflate;", "permessage-deflate; ", "permessage-deflate; server_max_window_bits=7", "permessage-deflate; client_max_window_bits=16"} {
		if _, ok := full.checkAnswer([]byte(answer)); ok {
			t.Errorf("answer %q was accepted", answer)
		}
	}
}

// A window of eight bits, the smallest there is, with takeover both ways.
func TestSmallestWindowEchoes(t *testing.T) {
	config := DeflateConfig{SendTakeover: true, ReceiveTakeover: true, SendWindowBits: 8, ReceiveWindowBits: 8, Threshold: 1}
	c, s := deflatedPair(t, config, config, Limits{})
	if got := c.Deflate(); got.SendWindowBits != 8 || got.ReceiveWindowBits != 8 {
		t.Fatalf("agreed on %+v", got)
	}
	payload := samples()["json"][:4000]
	go func() {
		for range 5 {
			if m, err := s.Next(); err == nil {
				_ = s.Send(m)
			}
		}
	}()
	for i := range 5 {
		if err := c.Send(Text(payload[i:])); err != nil {
			t.Fatal(err)
		}
		if m, err := c.Next(); err != nil || !bytes.Equal(m.Payload, payload[i:]) {
			t.Fatalf("message %d: %d bytes, %v", i, len(m.Payload), err)
		}
	}
}

// A message that the protocol refuses must leave no trace in the window.
func TestRefusedMessageStaysOutOfTheWindow(t *testing.T) {
	c, _ := deflateConn(t, nil, 0, Limits{}, 100)
	payload := bytes.Repeat([]byte("compress me "), 100)
	if err := c.Close(CloseNormal, ""); err != nil {
		t.Fatal(err)
	}
	if err := c.Send(Text(payload)); err != ErrSendAfterClose {
		t.Fatal(err)
	}
	if n := len(c.deflate.sent.Bytes()); n != 0 {
		t.Errorf("%d bytes in the window", n)
	}
}

// The window agreed on binds the peer, wherever the earlier bytes are kept.
func TestReferenceBehindTheAgreedWindowIsRefused(t *testing.T) {
	payload := samples()["noise"][:2000]
	payload = append(payload[:2000:2000], payload[:1000]...) // 2000 bytes back
	for bits, want := range map[int]error{10: ErrCompressedData, 11: nil, 15: nil} {
		stream := &tape{in: frame(Client, finBinary|rsv1, string(packed(t, payload)))}
		c := newTestConn(t, stream, Server, newBuffers(4000), Options{Agreed: DeflateParams{Agreed: true, SendWindowBits: 15, ReceiveWindowBits: bits}})
		if _, err := c.Next(); err != want {
			t.Errorf("%d bits: %v, want %v", bits, err, want)
		}
	}
}
