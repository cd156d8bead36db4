package wscore

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unsafe"
)

// readAll calls Next until it fails and returns the messages as lines, in the
// words of decodeAll, and the failure.
func readAll(t testing.TB, c *Conn) (log []string, err error) {
	t.Helper()
	for range 10_000 {
		m, err := c.Next()
		if err != nil {
			return log, err
		}
		line := m.Opcode.String() + " " + string(m.Payload)
		if m.IsClose() {
			line = "close " + m.Code.String() + " " + string(m.Payload)
		}
		log = append(log, line)
	}
	t.Fatal("messages without end")
	return nil, nil
}

func within(inner, outer []byte) bool {
	at, from := uintptr(unsafe.Pointer(unsafe.SliceData(inner))), uintptr(unsafe.Pointer(unsafe.SliceData(outer)))
	return len(inner) > 0 && at >= from && at+uintptr(len(inner)) <= from+uintptr(len(outer))
}

func TestNewConnChecksItsSettings(t *testing.T) {
	for _, test := range []struct {
		field   string
		buffers Buffers
		limits  Limits
	}{
		{"Buffers.Read", Buffers{make([]byte, MinBuffer-1), make([]byte, MinBuffer), make([]byte, 1)}, Limits{}},
		{"Buffers.Write", Buffers{make([]byte, MinBuffer), make([]byte, MinBuffer-1), make([]byte, 1)}, Limits{}},
		{"Buffers.Message", Buffers{make([]byte, MinBuffer), make([]byte, MinBuffer), nil}, Limits{}},
		{"MaxFrame", newBuffers(1), Limits{MaxFrame: -5}},
	} {
		c, err := NewConn(&tape{}, Server, test.buffers, Options{Limits: test.limits})
		var config *ConfigError
		if !errors.As(err, &config) || config.Field != test.field || c != nil {
			t.Errorf("%s: NewConn gave %v", test.field, err)
		}
	}
	if _, err := NewConn(&tape{}, Server, newBuffers(1), Options{}); err != nil {
		t.Errorf("the least of everything: %v", err)
	}
}

func TestConnDoesNothingUnlessItIsCalled(t *testing.T) {
	input := join(frame(Client, finPing, "x"), frame(Client, finClose, ""))
	stream := &tape{in: input}
	c := newTestConn(t, stream, Server, newBuffers(10), Options{})
	if stream.out.Len() != 0 || len(stream.in) != len(input) || c.State() != Open || c.Buffered() != 0 {
		t.Errorf("wrote % x, read %d bytes", stream.out.Bytes(), len(input)-len(stream.in))
	}
	if c.Stream() != io.ReadWriter(stream) || c.Lifecycle().State() != Open {
		t.Error("stream or lifecycle is another")
	}
}

// A message that lies in the window as one frame is lent from there, any other
// is put together in the message buffer.
func TestMessagesAreLentOrAssembled(t *testing.T) {
	for _, test := range []struct {
		name  string
		input []byte
		chunk int
		want  string
		lent  bool
	}{
		{"one frame in the window", frame(Client, finText, "Hello"), 0, "Hello", true},
		{"as long as the window", frame(Client, finBinary, strings.Repeat("x", 248)), 0, strings.Repeat("x", 248), true},
		{"one byte longer", frame(Client, finBinary, strings.Repeat("x", 249)), 0, strings.Repeat("x", 249), false},
		{"one frame in two reads", frame(Client, finText, "Hello"), 8, "Hello", false},
		{"header apart from payload", frame(Client, finText, "Hello"), 6, "Hello", false},
		{"two frames", join(frame(Client, moreText, "Hel"), frame(Client, finContinuation, "lo")), 0, "Hello", false},
		{"far longer than the window", frame(Client, finBinary, strings.Repeat("0123456789", 100)), 0, strings.Repeat("0123456789", 100), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			buffers := newBuffers(1000)
			c := newTestConn(t, &tape{in: test.input, chunk: test.chunk}, Server, buffers, Options{})
			m, err := c.Next()
			if err != nil || string(m.Payload) != test.want {
				t.Fatalf("%q, %v", m.Payload, err)
			}
			if within(m.Payload, buffers.Read) != test.lent || within(m.Payload, buffers.Message) == test.lent {
				t.Errorf("lent is %v", !test.lent)
			}
		})
	}
}

func TestConnReceivesTheSameInAnyPieces(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		input, _ := conversation(peerOf(role))
		want := []string{"text Hello", "ping are you there", "pong ", "ping " + strings.Repeat("p", 125), "text κόσμε", "binary \xff\x00",
			"binary " + strings.Repeat("0123456789", 30), "text ", "binary ", "close 1001 going away até já"}
		for chunk := range 300 {
			for _, pauses := range []int{0, 2} {
				stream := &tape{in: slices.Clone(input), chunk: chunk, pauses: pauses, together: true}
				c := newTestConn(t, stream, role, newBuffers(300), Options{MaskKey: rfcKey})
				got, err := readAll(t, c)
				if !slices.Equal(got, want) || err != io.EOF || c.State() != Closed {
					t.Fatalf("pieces of %d: %q, %v in state %v", chunk, got, err, c.State())
				}
				replies := join(frame(role, finPong, "are you there"), frame(role, finPong, strings.Repeat("p", 125)), frame(role, finClose, closeBody(1001, "")))
				if !bytes.Equal(stream.out.Bytes(), replies) {
					t.Fatalf("pieces of %d: replied % x", chunk, stream.out.Bytes())
				}
			}
		}
	})
}

func TestMessagesAtTheLimitPassAndOverItAreRefused(t *testing.T) {
	for _, test := range []struct {
		name    string
		buffers Buffers
		limits  Limits
		frames  func(n int) []byte
		most    int
	}{
		{"message buffer, one frame", newBuffers(1000), Limits{}, func(n int) []byte { return frame(Client, finBinary, strings.Repeat("x", n)) }, 1000},
		{"message buffer, two frames", newBuffers(1000), Limits{}, func(n int) []byte {
			return join(frame(Client, moreBinary, strings.Repeat("x", 600)), frame(Client, finContinuation, strings.Repeat("x", n-600)))
		}, 1000},
		{"message buffer, although the window has room", newBuffers(10), Limits{}, func(n int) []byte { return frame(Client, finBinary, strings.Repeat("x", n)) }, 10},
		{"MaxMessage", newBuffers(1000), Limits{MaxMessage: 300}, func(n int) []byte { return frame(Client, finBinary, strings.Repeat("x", n)) }, 300},
		{"MaxFrame", newBuffers(1000), Limits{MaxFrame: 200}, func(n int) []byte { return frame(Client, finBinary, strings.Repeat("x", n)) }, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			stream := &tape{in: test.frames(test.most)}
			c := newTestConn(t, stream, Server, test.buffers, Options{Limits: test.limits})
			if m, err := c.Next(); err != nil || len(m.Payload) != test.most {
				t.Errorf("at the limit: %d bytes, %v", len(m.Payload), err)
			}
			stream = &tape{in: test.frames(test.most + 1)}
			c = newTestConn(t, stream, Server, test.buffers, Options{Limits: test.limits})
			_, err := c.Next()
			var violation *ProtocolError
			if !errors.As(err, &violation) || violation != ErrMessageTooBig && violation != ErrFrameTooBig {
				t.Fatalf("over the limit: %v", err)
			}
			if want := frame(Server, finClose, closeBody(1009, violation.Text)); !bytes.Equal(stream.out.Bytes(), want) {
				t.Errorf("over the limit sent % x", stream.out.Bytes())
			}
		})
	}
}

func TestEchoOfABorrowedMessage(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		long := strings.Repeat("héllo wörld ", 100)
		input := join(
			frame(peerOf(role), finText, "short"),
			frame(peerOf(role), finBinary, "\xff\xfe"),
			frame(peerOf(role), finText, long),
			frame(peerOf(role), moreText, "in two "), frame(peerOf(role), finContinuation, "frames"),
			frame(peerOf(role), finText, ""),
			frame(peerOf(role), finText, "last"),
		)
		want := join(frame(role, finText, "short"), frame(role, finBinary, "\xff\xfe"), frame(role, finText, long),
			frame(role, finText, "in two frames"), frame(role, finText, ""), frame(role, finText, "last"))
		for chunk := range 64 {
			stream := &tape{in: slices.Clone(input), chunk: chunk}
			c := newTestConn(t, stream, role, newBuffers(2000), Options{MaskKey: rfcKey})
			for range 6 {
				m, err := c.Next()
				if err != nil {
					t.Fatal(err)
				}
				before := string(m.Payload)
				if err := c.Send(m); err != nil || string(m.Payload) != before {
					t.Fatalf("Send gave %v and left %q of %q", err, m.Payload, before)
				}
			}
			if !bytes.Equal(stream.out.Bytes(), want) {
				t.Fatalf("pieces of %d: echoed % x", chunk, stream.out.Bytes())
			}
		}
	})
}

// That a received text was judged holds for those bytes as that message only.
func TestTextIsJudgedBeforeItIsSent(t *testing.T) {
	receive := func(t *testing.T, first byte, payload string) (*tape, *Conn, Message) {
		stream := &tape{in: frame(Client, first, payload)}
		c := newTestConn(t, stream, Server, newBuffers(100), Options{})
		m, err := c.Next()
		if err != nil {
			t.Fatal(err)
		}
		return stream, c, m
	}
	for _, test := range []struct {
		name string
		make func(t *testing.T) (*tape, *Conn, Message)
	}{
		{"new text", func(t *testing.T) (*tape, *Conn, Message) {
			stream, c, _ := receive(t, finText, "fine")
			return stream, c, Text([]byte("\xff"))
		}},
		{"received binary sent as text", func(t *testing.T) (*tape, *Conn, Message) {
			stream, c, m := receive(t, finBinary, "\xff")
			m.Opcode = OpText
			return stream, c, m
		}},
		{"received text with another payload", func(t *testing.T) (*tape, *Conn, Message) {
			stream, c, m := receive(t, finText, "fine")
			m.Payload = []byte("\xff\xff\xff\xff")
			return stream, c, m
		}},
		{"received text cut inside a character", func(t *testing.T) (*tape, *Conn, Message) {
			stream, c, m := receive(t, finText, "finé")
			m.Payload = m.Payload[:4]
			return stream, c, m
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			stream, c, m := test.make(t)
			if err := c.Send(m); err != ErrTextNotUTF8 || stream.out.Len() != 0 {
				t.Errorf("Send gave %v and wrote % x", err, stream.out.Bytes())
			}
			if err := c.SendFragmented(m, 1); err != ErrTextNotUTF8 || stream.out.Len() != 0 {
				t.Errorf("SendFragmented gave %v and wrote % x", err, stream.out.Bytes())
			}
		})
	}
}

func TestSendWritesOneFrame(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		overhead := len(frame(role, finBinary, strings.Repeat("x", 200))) - 200
		for _, size := range []int{0, 1, 125, 126, MinBuffer - overhead, MinBuffer - overhead + 1, 2 * MinBuffer, 65535, 65536, 70_001} {
			payload := bytes.Repeat([]byte("0123456"), size/7+1)[:size]
			stream := &tape{}
			c := newTestConn(t, stream, role, newBuffers(1), Options{MaskKey: rfcKey})
			if err := c.Send(Binary(payload)); err != nil || !bytes.Equal(stream.out.Bytes(), frame(role, finBinary, string(payload))) {
				t.Errorf("%d bytes: %v", size, err)
			}
			writes := 1
			if size > MinBuffer-overhead && role == Server {
				writes = 2 // header, then the payload where it lies
			} else if size > MinBuffer-overhead {
				writes = (stream.out.Len() + MinBuffer - 1) / MinBuffer
			}
			if stream.writes != writes {
				t.Errorf("%d bytes left in %d writes, want %d", size, stream.writes, writes)
			}
			if !bytes.Equal(payload, bytes.Repeat([]byte("0123456"), size/7+1)[:size]) {
				t.Errorf("%d bytes: Send changed the payload", size)
			}
		}
	})
}

func TestSendFragmentedCutsAtTheSize(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		for _, test := range []struct {
			payload string
			size    int
			want    []byte
		}{
			{"", 1, frame(role, finText, "")},
			{"abc", 3, frame(role, finText, "abc")},
			{"abc", 100, frame(role, finText, "abc")},
			{"abc", 2, join(frame(role, moreText, "ab"), frame(role, finContinuation, "c"))},
			{"abcd", 2, join(frame(role, moreText, "ab"), frame(role, finContinuation, "cd"))},
			{"éa", 1, join(frame(role, moreText, "\xc3"), frame(role, moreContinue, "\xa9"), frame(role, finContinuation, "a"))},
		} {
			stream := &tape{}
			c := newTestConn(t, stream, role, newBuffers(10), Options{MaskKey: rfcKey})
			if err := c.SendFragmented(Text([]byte(test.payload)), test.size); err != nil || !bytes.Equal(stream.out.Bytes(), test.want) {
				t.Errorf("%q in %d: % x, %v", test.payload, test.size, stream.out.Bytes(), err)
			}
		}
	})
}

func TestSendRefusesWhatTheProtocolForbids(t *testing.T) {
	for _, test := range []struct {
		name string
		send func(c *Conn) error
		want error
	}{
		{"ping of 126 bytes", func(c *Conn) error { return c.Send(PingMessage(make([]byte, 126))) }, ErrControlPayload},
		{"pong of 126 bytes", func(c *Conn) error { return c.Send(PongMessage(make([]byte, 126))) }, ErrControlPayload},
		{"continuation", func(c *Conn) error { return c.Send(Message{Opcode: OpContinuation}) }, ErrNotDataOpcode},
		{"reserved opcode", func(c *Conn) error { return c.Send(Message{Opcode: 0xB}) }, ErrNotDataOpcode},
		{"fragmented ping", func(c *Conn) error { return c.SendFragmented(PingMessage(nil), 1) }, ErrNotDataOpcode},
		{"fragments of nothing", func(c *Conn) error { return c.SendFragmented(Binary([]byte("x")), 0) }, ErrFragmentSize},
		{"close 1006", func(c *Conn) error { return c.Close(CloseAbnormal, "") }, ErrCloseCodeNotOnWire},
		{"close message without a code", func(c *Conn) error { return c.Send(Message{Opcode: OpClose}) }, ErrCloseCodeNotOnWire},
		{"long reason", func(c *Conn) error { return c.Close(CloseNormal, strings.Repeat("x", 124)) }, ErrCloseReasonTooLong},
	} {
		t.Run(test.name, func(t *testing.T) {
			stream := &tape{}
			c := newTestConn(t, stream, Server, newBuffers(10), Options{})
			if err := test.send(c); err != test.want || stream.out.Len() != 0 || c.State() != Open {
				t.Errorf("%v, wrote % x in state %v", err, stream.out.Bytes(), c.State())
			}
		})
	}
}

func TestManualPongLeavesPingsToTheCaller(t *testing.T) {
	stream := &tape{in: frame(Client, finPing, "x")}
	c := newTestConn(t, stream, Server, newBuffers(10), Options{ManualPong: true})
	m, err := c.Next()
	if err != nil || !m.IsPing() || stream.out.Len() != 0 {
		t.Fatalf("%+v, %v, wrote % x", m, err, stream.out.Bytes())
	}
	if err := c.Send(PongMessage(m.Payload)); err != nil || !bytes.Equal(stream.out.Bytes(), frame(Server, finPong, "x")) {
		t.Errorf("%v, wrote % x", err, stream.out.Bytes())
	}
}
