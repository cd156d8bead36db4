package wscore

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestCloseHandshakeBegunByThePeer(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		for _, test := range []struct {
			name   string
			body   string
			code   CloseCode
			reason string
			reply  string
		}{
			{"without a code", "", CloseNoStatus, "", ""},
			{"with a code", closeBody(1000, ""), CloseNormal, "", closeBody(1000, "")},
			{"with a private code and a reason", closeBody(4999, "done"), 4999, "done", closeBody(4999, "")},
		} {
			t.Run(test.name, func(t *testing.T) {
				stream := &tape{in: join(frame(peerOf(role), finClose, test.body), frame(peerOf(role), finText, "late"))}
				c := newTestConn(t, stream, role, newBuffers(10), Options{MaskKey: rfcKey})
				m, err := c.Next()
				if err != nil || !m.IsClose() || m.Code != test.code || string(m.Payload) != test.reason {
					t.Errorf("%+v, %v", m, err)
				}
				if !bytes.Equal(stream.out.Bytes(), frame(role, finClose, test.reply)) || c.State() != Closed {
					t.Errorf("replied % x in state %v", stream.out.Bytes(), c.State())
				}
				for range 3 {
					if m, err := c.Next(); err != io.EOF {
						t.Errorf("afterwards %+v, %v", m, err)
					}
				}
				if err := c.Send(Text(nil)); err != ErrConnectionClosed {
					t.Errorf("Send gave %v", err)
				}
				if code, side, ok := c.Lifecycle().FirstClose(); code != test.code || side != Remote || !ok {
					t.Errorf("first close %v %v %v", code, side, ok)
				}
			})
		}
	})
}

func TestCloseHandshakeBegunHere(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		stream := &tape{in: join(frame(peerOf(role), finText, "on its way"), frame(peerOf(role), finPing, "x"), frame(peerOf(role), finClose, closeBody(1000, "")))}
		c := newTestConn(t, stream, role, newBuffers(10), Options{MaskKey: rfcKey})
		if err := c.Close(CloseGoingAway, "restart"); err != nil || c.State() != CloseSent {
			t.Fatalf("%v in state %v", err, c.State())
		}
		if err := c.Close(CloseNormal, ""); err != ErrSendAfterClose {
			t.Errorf("a second Close gave %v", err)
		}
		// The peer may still speak, and its ping is not answered: nothing may
		// follow our close frame.
		if got, err := readAll(t, c); err != io.EOF || !slices.Equal(got, []string{"text on its way", "ping x", "close 1000 normal closure "}) {
			t.Errorf("%q, %v", got, err)
		}
		if !bytes.Equal(stream.out.Bytes(), frame(role, finClose, closeBody(1001, "restart"))) || c.State() != Closed {
			t.Errorf("wrote % x in state %v", stream.out.Bytes(), c.State())
		}
		if code, side, ok := c.Lifecycle().FirstClose(); code != CloseGoingAway || side != Local || !ok {
			t.Errorf("first close %v %v %v", code, side, ok)
		}
	})
}

func TestNothingIsSentAfterAClose(t *testing.T) {
	stream := &tape{}
	c := newTestConn(t, stream, Server, newBuffers(10), Options{})
	if err := c.Send(CloseMessage(CloseNormal, "bye")); err != nil {
		t.Fatal(err)
	}
	for name, send := range map[string]func() error{
		"text":      func() error { return c.Send(Text(nil)) },
		"fragments": func() error { return c.SendFragmented(Text([]byte("abc")), 1) },
		"ping":      func() error { return c.Send(PingMessage(nil)) },
		"pong":      func() error { return c.Send(PongMessage(nil)) },
		"close":     func() error { return c.Send(CloseMessage(CloseNormal, "")) },
	} {
		if err := send(); err != ErrSendAfterClose {
			t.Errorf("%s gave %v", name, err)
		}
	}
	if !bytes.Equal(stream.out.Bytes(), frame(Server, finClose, closeBody(1000, "bye"))) {
		t.Errorf("wrote % x", stream.out.Bytes())
	}
}

func TestManualCloseLeavesTheAnswerToTheCaller(t *testing.T) {
	stream := &tape{in: frame(Client, finClose, closeBody(1001, ""))}
	c := newTestConn(t, stream, Server, newBuffers(10), Options{ManualClose: true})
	m, err := c.Next()
	if err != nil || !m.IsClose() || stream.out.Len() != 0 || c.State() != CloseReceived {
		t.Fatalf("%+v, %v, wrote % x in state %v", m, err, stream.out.Bytes(), c.State())
	}
	if _, err := c.Next(); err != io.EOF {
		t.Errorf("Next gave %v", err)
	}
	if err := c.Send(Text([]byte("one last word"))); err != nil {
		t.Errorf("Send before the answer gave %v", err)
	}
	if err := c.Send(m); err != nil || c.State() != Closed {
		t.Errorf("echo of the close frame gave %v in state %v", err, c.State())
	}
	if want := join(frame(Server, finText, "one last word"), frame(Server, finClose, closeBody(1001, ""))); !bytes.Equal(stream.out.Bytes(), want) {
		t.Errorf("wrote % x", stream.out.Bytes())
	}
}

func TestViolationsSendTheCodeThatIsDue(t *testing.T) {
	for _, v := range violations {
		t.Run(v.name, func(t *testing.T) {
			for _, chunk := range []int{0, 1} {
				stream := &tape{in: slices.Clone(v.input), chunk: chunk}
				c := newTestConn(t, stream, v.role, newBuffers(100), Options{Limits: tightLimits, MaskKey: rfcKey, ManualPong: true})
				if _, err := readAll(t, c); err != v.want {
					t.Fatalf("Next gave %v, want %v", err, v.want)
				}
				if want := frame(v.role, finClose, closeBody(uint16(remoteErrors[v.want]), v.want.Text)); !bytes.Equal(stream.out.Bytes(), want) {
					t.Errorf("sent % x, want % x", stream.out.Bytes(), want)
				}
				left := len(stream.in)
				if _, err := c.Next(); err != v.want || len(stream.in) != left || c.State() != Closed {
					t.Errorf("afterwards %v in state %v", err, c.State())
				}
			}
		})
	}
}

// The rest of a long frame is read straight into the message buffer; a
// violation there is answered too.
func TestViolationInALongFrameSendsTheCodeThatIsDue(t *testing.T) {
	stream := &tape{in: frame(Client, finText, strings.Repeat("x", 500)+"\xff")}
	c := newTestConn(t, stream, Server, newBuffers(1000), Options{})
	if _, err := c.Next(); err != ErrInvalidText {
		t.Errorf("Next gave %v", err)
	}
	if want := frame(Server, finClose, closeBody(1007, ErrInvalidText.Text)); !bytes.Equal(stream.out.Bytes(), want) {
		t.Errorf("sent % x", stream.out.Bytes())
	}
}

func TestManualCloseLeavesViolationsToTheCaller(t *testing.T) {
	stream := &tape{in: []byte{0xFF, 0xFF}}
	c := newTestConn(t, stream, Server, newBuffers(10), Options{ManualClose: true})
	if _, err := c.Next(); err != ErrReservedOpcode || stream.out.Len() != 0 || c.State() != Failed {
		t.Fatalf("%v, wrote % x in state %v", err, stream.out.Bytes(), c.State())
	}
	if err := c.Close(CloseProtocolError, ""); err != nil || c.State() != Closed {
		t.Errorf("Close gave %v in state %v", err, c.State())
	}
}

func TestViolationAfterOurCloseSendsNothingMore(t *testing.T) {
	stream := &tape{in: []byte{0xFF, 0xFF}}
	c := newTestConn(t, stream, Server, newBuffers(10), Options{})
	if err := c.Close(CloseNormal, ""); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Next(); err != ErrReservedOpcode || c.State() != Closed || stream.writes != 1 {
		t.Errorf("%v in state %v after %d writes", err, c.State(), stream.writes)
	}
}

func TestStreamThatEndsWithoutACloseFrameIsLost(t *testing.T) {
	long := frame(Client, finBinary, strings.Repeat("x", 600))
	for _, test := range []struct {
		name  string
		input []byte
	}{
		{"at once", nil},
		{"inside a header", []byte{0x81}},
		{"inside a payload", frame(Client, finText, "Hello")[:8]},
		{"inside a payload longer than the window", long[:300]},
		{"inside the last bytes of it", long[:len(long)-1]},
		{"inside a control frame", frame(Client, finPing, "Hello")[:8]},
		{"between fragments", frame(Client, moreText, "Hello")},
		{"between messages", frame(Client, finText, "Hello")},
	} {
		for _, closing := range []bool{false, true} {
			t.Run(test.name, func(t *testing.T) {
				stream := &tape{in: test.input}
				c := newTestConn(t, stream, Server, newBuffers(1000), Options{})
				if closing {
					if err := c.Close(CloseNormal, ""); err != nil {
						t.Fatal(err)
					}
				}
				writes := stream.writes
				_, err := readAll(t, c)
				if err != ErrConnectionLost || !errors.Is(err, io.ErrUnexpectedEOF) || c.State() != Closed || stream.writes != writes {
					t.Errorf("%v in state %v", err, c.State())
				}
				for range 200 { // as often as one likes
					if _, err := c.Next(); err != ErrConnectionLost {
						t.Fatalf("afterwards %v", err)
					}
				}
			})
		}
	}
}

func TestReadErrorEndsTheConnection(t *testing.T) {
	errBroken := errors.New("broken")
	for name, input := range map[string][]byte{
		"in the window":     frame(Client, finText, "Hello")[:8],
		"in a long payload": frame(Client, finBinary, strings.Repeat("x", 600))[:400],
	} {
		stream := &tape{in: input, end: errBroken}
		c := newTestConn(t, stream, Server, newBuffers(1000), Options{})
		for range 3 {
			if _, err := c.Next(); err != errBroken || c.State() != Closed || stream.out.Len() != 0 {
				t.Errorf("%s: %v in state %v", name, err, c.State())
			}
		}
		if err := c.Send(Text(nil)); err != ErrConnectionClosed {
			t.Errorf("%s: Send gave %v", name, err)
		}
	}
}

func TestStreamThatNeverGivesAnythingIsGivenUp(t *testing.T) {
	c := newTestConn(t, &tape{in: frame(Client, finText, "x"), pauses: 100_000}, Server, newBuffers(10), Options{})
	if _, err := c.Next(); err != io.ErrNoProgress || c.State() != Closed {
		t.Errorf("%v in state %v", err, c.State())
	}
}

func TestWriteErrorEndsSending(t *testing.T) {
	errBroken := errors.New("broken")
	for _, test := range []struct {
		name     string
		canWrite int
		send     func(c *Conn) error
	}{
		{"message", 0, func(c *Conn) error { return c.Send(Text([]byte("x"))) }},
		{"header of a long message", 0, func(c *Conn) error { return c.Send(Binary(make([]byte, 1000))) }},
		{"payload of a long message", 1, func(c *Conn) error { return c.Send(Binary(make([]byte, 1000))) }},
		{"first fragment", 0, func(c *Conn) error { return c.SendFragmented(Binary(make([]byte, 10)), 5) }},
		{"last fragment", 1, func(c *Conn) error { return c.SendFragmented(Binary(make([]byte, 10)), 5) }},
		{"ping", 0, func(c *Conn) error { return c.Send(PingMessage(nil)) }},
		{"close", 0, func(c *Conn) error { return c.Close(CloseNormal, "") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newTestConn(t, &tape{writeErr: errBroken, canWrite: test.canWrite}, Server, newBuffers(10), Options{})
			if err := test.send(c); err != errBroken || c.State() != Closed {
				t.Errorf("%v in state %v", err, c.State())
			}
			if err := test.send(c); err != ErrConnectionClosed {
				t.Errorf("again: %v", err)
			}
		})
	}
}

// A peer that closed and went away breaks the next write here; what it said
// before that, and the code it left with, can still be read.
func TestWhatThePeerSentCanBeReadAfterAWriteError(t *testing.T) {
	stream := &tape{in: join(frame(Client, finText, "last words"), frame(Client, finPing, "x"), frame(Client, finClose, closeBody(1008, "enough"))),
		writeErr: errors.New("broken pipe")}
	c := newTestConn(t, stream, Server, newBuffers(10), Options{})
	if err := c.Send(Text(nil)); err == nil {
		t.Fatal("Send on a broken stream succeeded")
	}
	got, err := readAll(t, c)
	if err != io.EOF || !slices.Equal(got, []string{"text last words", "ping x", "close 1008 policy violation enough"}) {
		t.Errorf("%q, %v", got, err)
	}
	if code, side, ok := c.Lifecycle().FirstClose(); code != ClosePolicyViolation || side != Remote || !ok {
		t.Errorf("first close %v %v %v", code, side, ok)
	}
}

func TestWriteErrorOfAnAutomaticAnswer(t *testing.T) {
	errBroken := errors.New("broken")
	for _, test := range []struct {
		name          string
		input         []byte
		first, second error
	}{
		{"pong", frame(Client, finPing, ""), errBroken, errBroken},
		{"answer to a close frame", frame(Client, finClose, closeBody(1001, "x")), errBroken, io.EOF},
		{"close frame due for a violation", []byte{0xFF, 0xFF}, ErrReservedOpcode, ErrReservedOpcode},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newTestConn(t, &tape{in: test.input, writeErr: errBroken}, Server, newBuffers(10), Options{})
			m, err := c.Next()
			if err != test.first || c.State() != Closed {
				t.Errorf("%v in state %v", err, c.State())
			}
			if m.IsClose() && (m.Code != 1001 || string(m.Payload) != "x") {
				t.Errorf("the close frame was %+v", m)
			}
			if _, err := c.Next(); err != test.second {
				t.Errorf("afterwards %v", err)
			}
		})
	}
}

func TestDetachGivesStreamAndUnreadBytesBack(t *testing.T) {
	stream := &tape{in: append(frame(Client, finText, "one"), "another protocol"...)}
	c := newTestConn(t, stream, Server, newBuffers(10), Options{})
	if _, err := c.Next(); err != nil || c.Buffered() != len("another protocol") {
		t.Fatalf("%v with %d bytes buffered", err, c.Buffered())
	}
	back, unread := c.Detach()
	if back != io.ReadWriter(stream) || string(unread) != "another protocol" {
		t.Errorf("got %v and %q", back, unread)
	}
	if _, err := c.Next(); err != io.EOF {
		t.Errorf("Next afterwards gave %v", err)
	}
}

func TestDetachAfterACloseKeepsWhatFollowedIt(t *testing.T) {
	c := newTestConn(t, &tape{in: append(frame(Client, finClose, ""), "rest"...)}, Server, newBuffers(10), Options{})
	if m, err := c.Next(); err != nil || !m.IsClose() {
		t.Fatal(err)
	}
	if _, unread := c.Detach(); string(unread) != "rest" {
		t.Errorf("unread %q", unread)
	}
}
