package wscore

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"unicode/utf8"
)

// seedFrames are inputs that are worth beginning with, for both roles.
func seedFrames(add func(server bool, input []byte)) {
	for _, role := range []Role{Server, Client} {
		input, _ := conversation(peerOf(role))
		add(role == Server, input)
	}
	for _, v := range violations {
		add(v.role == Server, v.input)
	}
}

func roleOf(server bool) Role {
	if server {
		return Server
	}
	return Client
}

// FuzzDecoderSplits: however the peer's bytes are cut, the same messages and
// control frames come out, and the same failure.
func FuzzDecoderSplits(f *testing.F) {
	seedFrames(func(server bool, input []byte) { f.Add(server, input, uint64(len(input))) })
	f.Fuzz(func(t *testing.T, server bool, input []byte, cuts uint64) {
		limits := Limits{MaxFrame: 400, MaxMessage: 600, MaxFragments: 6, MaxEmptyFragments: 2}
		type result struct {
			log   []string
			err   error
			state State
			end   error
		}
		run := func(piece func(left int) int) result {
			d, lifecycle := newTestDecoder(t, roleOf(server), limits)
			log, _, err := decodeAll(t, d, input, piece)
			state := lifecycle.State()
			return result{log, err, state, d.End()}
		}
		whole := run(allAtOnce)
		random := cuts
		for name, piece := range map[string]func(left int) int{
			"byte by byte": oneByOne,
			"random": func(left int) int {
				random = random*6364136223846793005 + 1442695040888963407
				return 1 + int(random>>33)%min(left, 40)
			},
		} {
			got := run(piece)
			if !slices.Equal(got.log, whole.log) || got.err != whole.err || got.state != whole.state || got.end != whole.end {
				t.Fatalf("%s gave %+v, whole gave %+v", name, got, whole)
			}
		}
		// What the failure is does not depend on what follows it.
		var violation *ProtocolError
		if whole.err != nil && (!errors.As(whole.err, &violation) || violation.Side != Remote || !violation.Code.OnWire()) {
			t.Fatalf("%v is no violation with a code", whole.err)
		}
		if wantState := map[bool]State{true: Failed, false: Open}[whole.err != nil]; whole.state != wantState && whole.state != CloseReceived {
			t.Fatalf("%v left the state %v", whole.err, whole.state)
		}
	})
}

// FuzzConn: whatever the peer sends and whatever the caller asks for, in any
// order, nothing panics, nothing follows our close frame, and what was written
// is a clean half of a conversation to a decoder of the other role.
func FuzzConn(f *testing.F) {
	script := []byte("nnsnfnpnnqncnn")
	seedFrames(func(server bool, input []byte) {
		f.Add(server, input, script, uint8(0), uint8(0))
		f.Add(server, input, []byte("nsc nsnsns"), uint8(3), uint8(1))
	})
	f.Add(true, frame(Client, finText, "x"), []byte("cnsn"), uint8(0), uint8(2))
	f.Add(false, frame(Server, finClose, ""), []byte("nnmns"), uint8(1), uint8(3))
	f.Fuzz(func(t *testing.T, server bool, input, script []byte, chunk, manual uint8) {
		role := roleOf(server)
		stream := &tape{in: input, chunk: int(chunk)}
		buffers := newBuffers(600)
		c := newTestConn(t, stream, role, buffers, Options{ManualPong: manual&1 != 0, ManualClose: manual&2 != 0})
		last := Text([]byte("to begin with"))
		var ended error
		closedAt := -1 // bytes written when nothing more might be
		for i, op := range script[:min(len(script), 64)] {
			switch op % 8 {
			case 0, 6: // 'n' is 0x6E
				m, err := c.Next()
				if ended != nil && err != ended {
					t.Fatalf("Next gave %v after %v", err, ended)
				}
				if err != nil {
					last, ended = Text([]byte("after the end")), err
					break
				}
				checkReceived(t, c, m)
				last = m
			case 1:
				_ = c.SendFragmented(last, 1+i)
			case 2:
				_ = c.Send(PongMessage(script[:min(len(script), 130)]))
			case 3:
				_ = c.Close(CloseCode(uint16(i)<<8|uint16(op)), string(script[:i]))
				if op > 0x40 {
					_ = c.Close(CloseNormal, "")
				}
			case 4:
				_ = c.Send(Text(script[i:]))
			case 5:
				last.Opcode ^= 3 // text as binary and back
				_ = c.Send(last)
			case 7:
				_ = c.Send(last)
			}
			sending := c.State().Sending()
			if closedAt >= 0 && (stream.out.Len() != closedAt || sending) {
				t.Fatalf("%d bytes after the end of sending, state %v", stream.out.Len()-closedAt, c.State())
			}
			if !sending {
				closedAt = stream.out.Len()
			}
		}
		checkWritten(t, role, stream.out.Bytes())
	})
}

func checkReceived(t *testing.T, c *Conn, m Message) {
	t.Helper()
	switch {
	case m.IsText() && !utf8.Valid(m.Payload):
		t.Fatalf("text %q", m.Payload)
	case m.IsData() && len(m.Payload) > 600:
		t.Fatalf("message of %d bytes", len(m.Payload))
	case m.IsClose() && m.Code != CloseNoStatus && !m.Code.OnWire():
		t.Fatalf("close code %v", m.Code)
	case m.IsClose() && c.State().Receiving():
		t.Fatalf("state %v after the peer's close frame", c.State())
	case !m.IsData() && len(m.Payload) > MaxControlPayload:
		t.Fatalf("control payload of %d bytes", len(m.Payload))
	}
}

// checkWritten decodes what a connection of that role wrote.
func checkWritten(t *testing.T, role Role, written []byte) {
	t.Helper()
	written = bytes.Clone(written)
	d, lifecycle := newTestDecoder(t, peerOf(role), Limits{})
	for len(written) > 0 {
		if lifecycle.State() == CloseReceived {
			t.Fatalf("% x was written after the close frame", written)
		}
		event, used, err := d.Decode(written)
		if err != nil || event.Kind == NeedMore {
			t.Fatalf("% x was written: %v", written, err)
		}
		written = written[used:]
	}
	if err := d.End(); !d.AtBoundary() || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("what was written ends inside a message: %v", err)
	}
}
