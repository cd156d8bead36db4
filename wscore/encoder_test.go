package wscore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// rfcKey is the masking key that frame uses.
func rfcKey() uint32 { return binary.LittleEndian.Uint32([]byte{0x37, 0xFA, 0x21, 0x3D}) }

func newTestEncoder(role Role) (*Encoder, *Lifecycle) {
	lifecycle := &Lifecycle{}
	e := NewEncoder(role, lifecycle, rfcKey)
	return &e, lifecycle
}

func TestEncoderWritesFramesAsTheRFCDrawsThem(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		for _, test := range []struct {
			name string
			make func(e *Encoder, dst []byte) ([]byte, error)
			want []byte
		}{
			{"text", func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendMessage(dst, OpText, []byte("Hello")) },
				frame(role, finText, "Hello")},
			{"binary of 16-bit length", func(e *Encoder, dst []byte) ([]byte, error) {
				return e.AppendMessage(dst, OpBinary, bytes.Repeat([]byte{1}, 300))
			}, frame(role, finBinary, strings.Repeat("\x01", 300))},
			{"binary of 64-bit length", func(e *Encoder, dst []byte) ([]byte, error) {
				return e.AppendMessage(dst, OpBinary, make([]byte, 70000))
			}, frame(role, finBinary, strings.Repeat("\x00", 70000))},
			{"empty message", func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendMessage(dst, OpText, nil) },
				frame(role, finText, "")},
			{"ping", func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendControl(dst, OpPing, []byte("p")) },
				frame(role, finPing, "p")},
			{"pong of the longest payload", func(e *Encoder, dst []byte) ([]byte, error) {
				return e.AppendControl(dst, OpPong, bytes.Repeat([]byte{'x'}, 125))
			}, frame(role, finPong, strings.Repeat("x", 125))},
			{"close without body", func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendClose(dst, CloseNoStatus, "") },
				frame(role, finClose, "")},
			{"close with the longest reason", func(e *Encoder, dst []byte) ([]byte, error) {
				return e.AppendClose(dst, CloseNormal, strings.Repeat("é", 61)+"!")
			}, frame(role, finClose, closeBody(1000, strings.Repeat("é", 61)+"!"))},
		} {
			t.Run(test.name, func(t *testing.T) {
				e, _ := newTestEncoder(role)
				got, err := test.make(e, []byte("before"))
				if err != nil || !bytes.Equal(got, append([]byte("before"), test.want...)) {
					t.Errorf("got % x, %v", got, err)
				}
			})
		}
	})
}

func TestEncoderLeavesThePayloadAlone(t *testing.T) {
	e, _ := newTestEncoder(Client)
	payload := []byte("Hello")
	if _, err := e.AppendMessage(nil, OpText, payload); err != nil || string(payload) != "Hello" {
		t.Errorf("payload is %q, %v", payload, err)
	}
}

func TestDataHeaderStartsAndContinuesMessages(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		e, _ := newTestEncoder(role)
		for i, want := range []Header{
			{Opcode: OpText, Length: 3},
			{Opcode: OpContinuation},
			{Opcode: OpContinuation, Fin: true, Length: 70000},
			{Opcode: OpBinary, Fin: true, Length: 1},
		} {
			if role == Client {
				want.Masked, want.Key = true, rfcKey()
			}
			if got, err := e.DataHeader(want.Opcode, want.Fin, int(want.Length)); got != want || err != nil {
				t.Errorf("frame %d: %+v, %v, want %+v", i, got, err, want)
			}
		}
	})
}

func TestEncoderRefusesWhatTheProtocolForbids(t *testing.T) {
	for _, test := range []struct {
		name string
		make func(e *Encoder, dst []byte) ([]byte, error)
		want *ProtocolError
	}{
		{"control payload of 126 bytes", func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendControl(dst, OpPing, make([]byte, 126)) }, ErrControlPayload},
		{"close frame past the state table", func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendControl(dst, OpClose, nil) }, ErrNotPingOrPong},
		{"reserved control opcode", func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendControl(dst, 0xB, nil) }, ErrNotPingOrPong},
		{"text as a control frame", func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendControl(dst, OpText, nil) }, ErrNotPingOrPong},
		{"control opcode as a message", func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendMessage(dst, OpPing, nil) }, ErrNotDataOpcode},
		{"continuation as a message", func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendMessage(dst, OpContinuation, nil) }, ErrNotDataOpcode},
		{"reserved data opcode", func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendMessage(dst, 0x3, nil) }, ErrNotDataOpcode},
		{"reserved data header", func(e *Encoder, dst []byte) ([]byte, error) { return header(e, dst, 0x3, true) }, ErrNotDataOpcode},
		{"control data header", func(e *Encoder, dst []byte) ([]byte, error) { return header(e, dst, OpClose, true) }, ErrNotDataOpcode},
		{"text that is not UTF-8", func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendMessage(dst, OpText, []byte("a\xff")) }, ErrTextNotUTF8},
		{"continuation of nothing", func(e *Encoder, dst []byte) ([]byte, error) { return header(e, dst, OpContinuation, true) }, ErrFragmentOrder},
		{"close code 999", closeWith(999, ""), ErrCloseCodeNotOnWire},
		{"close code 1004", closeWith(1004, ""), ErrCloseCodeNotOnWire},
		{"close code 1005 with a reason", closeWith(CloseNoStatus, "x"), ErrCloseCodeNotOnWire},
		{"close code 1006", closeWith(CloseAbnormal, ""), ErrCloseCodeNotOnWire},
		{"close code 1015", closeWith(CloseTLSHandshake, ""), ErrCloseCodeNotOnWire},
		{"close code 0", closeWith(0, ""), ErrCloseCodeNotOnWire},
		{"close code 5000", closeWith(5000, ""), ErrCloseCodeNotOnWire},
		{"reason of 124 bytes", closeWith(CloseNormal, strings.Repeat("x", 124)), ErrCloseReasonTooLong},
		{"reason that is not UTF-8", closeWith(CloseNormal, "\xc3"), ErrTextNotUTF8},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, lifecycle := newTestEncoder(Client)
			got, err := test.make(e, []byte("before"))
			if !errors.Is(err, test.want) || string(got) != "before" || lifecycle.State() != Open {
				t.Errorf("got %q, %v in state %v", got, err, lifecycle.State())
			}
			if got, err := e.AppendMessage(nil, OpText, []byte("fine")); err != nil || !bytes.Equal(got, frame(Client, finText, "fine")) {
				t.Errorf("the refusal spoilt the next message: % x, %v", got, err)
			}
		})
	}
}

// header appends the header of an empty data frame.
func header(e *Encoder, dst []byte, opcode Opcode, fin bool) ([]byte, error) {
	h, err := e.DataHeader(opcode, fin, 0)
	if err != nil {
		return dst, err
	}
	return h.Append(dst), nil
}

func closeWith(code CloseCode, reason string) func(*Encoder, []byte) ([]byte, error) {
	return func(e *Encoder, dst []byte) ([]byte, error) { return e.AppendClose(dst, code, reason) }
}

func TestEncoderKeepsMessagesApart(t *testing.T) {
	e, _ := newTestEncoder(Server)
	if _, err := e.DataHeader(OpText, false, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := e.DataHeader(OpBinary, true, 1); err != ErrFragmentOrder {
		t.Errorf("a second message inside the first gave %v", err)
	}
	if _, err := e.AppendMessage(nil, OpBinary, nil); err != ErrFragmentOrder {
		t.Errorf("a whole message inside the first gave %v", err)
	}
	if _, err := e.AppendControl(nil, OpPing, nil); err != nil {
		t.Errorf("a ping between fragments gave %v", err)
	}
	if _, err := e.DataHeader(OpContinuation, true, 1); err != nil {
		t.Errorf("the last fragment gave %v", err)
	}
	if _, err := e.DataHeader(OpContinuation, true, 1); err != ErrFragmentOrder {
		t.Errorf("a continuation after the last gave %v", err)
	}
	if _, err := e.AppendMessage(nil, OpBinary, nil); err != nil {
		t.Errorf("the next message gave %v", err)
	}
}

func TestEncoderSendsNothingAfterItsClose(t *testing.T) {
	for _, state := range []struct {
		name  string
		close func(e *Encoder, l *Lifecycle)
		want  error
	}{
		{"close sent", func(e *Encoder, l *Lifecycle) { _, _ = e.AppendClose(nil, CloseNormal, "") }, ErrSendAfterClose},
		{"closed", func(e *Encoder, l *Lifecycle) { _, _ = l.Apply(Lost) }, ErrConnectionClosed},
	} {
		t.Run(state.name, func(t *testing.T) {
			e, lifecycle := newTestEncoder(Server)
			state.close(e, lifecycle)
			for name, make := range map[string]func() ([]byte, error){
				"message": func() ([]byte, error) { return e.AppendMessage(nil, OpText, nil) },
				"header":  func() ([]byte, error) { return header(e, nil, OpText, true) },
				"pong":    func() ([]byte, error) { return e.AppendControl(nil, OpPong, nil) },
				"close":   func() ([]byte, error) { return e.AppendClose(nil, CloseNormal, "") },
			} {
				if got, err := make(); err != state.want || got != nil {
					t.Errorf("%s gave % x, %v", name, got, err)
				}
			}
		})
	}
}

func TestEachClientFrameHasAFreshKey(t *testing.T) {
	e := NewEncoder(Client, &Lifecycle{}, nil)
	seen := map[uint32]bool{}
	const frames = 100 // several batches
	for range frames {
		h, err := e.DataHeader(OpBinary, true, 1)
		if err != nil || !h.Masked {
			t.Fatalf("%+v, %v", h, err)
		}
		seen[h.Key] = true
	}
	if len(seen) < frames-1 { // two equal among 100 of 2^32 is one run in a million
		t.Errorf("%d different keys in %d frames", len(seen), frames)
	}
}

func TestServerNeverMasks(t *testing.T) {
	e := NewEncoder(Server, &Lifecycle{}, func() uint32 { t.Error("a server asked for a key"); return 1 })
	if h, err := e.DataHeader(OpBinary, true, 1); err != nil || h.Masked || h.Key != 0 {
		t.Errorf("%+v, %v", h, err)
	}
}

func TestTrimReasonFitsAndStaysUTF8(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"short", "bye", "bye"},
		{"longest", strings.Repeat("x", 123), strings.Repeat("x", 123)},
		{"one byte over", strings.Repeat("x", 124), strings.Repeat("x", 123)},
		{"cut inside two bytes", strings.Repeat("é", 62), strings.Repeat("é", 61)},
		{"cut inside four bytes", "x" + strings.Repeat("😀", 31), "x" + strings.Repeat("😀", 30)},
		{"not UTF-8", "\xff", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := TrimReason(test.in)
			if got != test.want || CheckClose(CloseNormal, got) != nil {
				t.Errorf("trimmed to %q", got)
			}
		})
	}
}
