package rawpeer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// tcpPair returns both ends of a loopback connection.
func tcpPair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err = net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func peers(t *testing.T) (client, server *Peer) {
	t.Helper()
	c, s := tcpPair(t)
	return New(c, Client), New(s, Server)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// The far end of a pipe closes right behind its last frame, and the pipe then
// takes no more deadlines.
func TestWhatCameBeforeTheEndIsRead(t *testing.T) {
	near, far := net.Pipe()
	closed := make(chan error, 1)
	go func() {
		closed <- errors.Join(New(far, Server).Close(1007, ""), far.Close())
	}()
	client := New(near, Client)
	if _, err := client.Peek(0); err != nil {
		t.Fatal(err)
	}
	must(t, <-closed)
	if _, err := client.Peek(0); err != nil {
		t.Errorf("looking again: %v", err)
	}
	must(t, client.ExpectClose(1007))
	must(t, client.ExpectEOF())
}

func TestReadFrameRejectsEachViolationByName(t *testing.T) {
	data := func(f Frame) Frame { f.Payload = []byte("x"); return f }
	for _, c := range []struct {
		name string
		say  func(p *Peer) []byte // what the server says to the client under test
		want Rule
	}{
		{"masked server frame", func(p *Peer) []byte {
			return AppendFrame(nil, Frame{Fin: true, Opcode: OpText, Masked: true})
		}, RuleMaskUnexpected},
		{"reserved bit", func(p *Peer) []byte { return AppendFrame(nil, Frame{Fin: true, Opcode: OpText, RSV: RSV1}) }, RuleReservedBits},
		{"reserved data opcode", func(p *Peer) []byte { return AppendFrame(nil, Frame{Fin: true, Opcode: 3}) }, RuleReservedOpcode},
		{"reserved control opcode", func(p *Peer) []byte { return AppendFrame(nil, Frame{Fin: true, Opcode: 11}) }, RuleReservedOpcode},
		{"fragmented ping", func(p *Peer) []byte { return AppendFrame(nil, Frame{Opcode: OpPing}) }, RuleControlFragmented},
		{"long pong", func(p *Peer) []byte {
			return AppendFrame(nil, Frame{Fin: true, Opcode: OpPong, Payload: make([]byte, 126)})
		}, RuleControlTooLong},
		{"length not minimal in 16 bits", func(p *Peer) []byte {
			return AppendFrameLying(nil, data(Frame{Fin: true, Opcode: OpText}), Lie{Form: Form16})
		}, RuleLengthNotMinimal},
		{"length not minimal in 64 bits", func(p *Peer) []byte {
			return AppendFrameLying(nil, data(Frame{Fin: true, Opcode: OpText}), Lie{Form: Form64})
		}, RuleLengthNotMinimal},
		{"top bit", func(p *Peer) []byte {
			return AppendFrameLying(nil, Frame{Fin: true, Opcode: OpBinary}, Lie{Declare: true, Length: 1 << 63})
		}, RuleLengthTopBit},
		{"over the peer's own limit", func(p *Peer) []byte {
			return AppendFrameLying(nil, Frame{Fin: true, Opcode: OpBinary}, Lie{Declare: true, Length: DefaultMaxPayload + 1})
		}, RuleLengthLimit},
		{"continuation of nothing", func(p *Peer) []byte { return AppendFrame(nil, Frame{Fin: true, Opcode: OpContinuation}) }, RuleUnexpectedContinuation},
		{"second start", func(p *Peer) []byte {
			return AppendFrames(nil, Frame{Opcode: OpText}, Frame{Fin: true, Opcode: OpText})
		}, RuleInterleavedMessage},
		{"invalid text", func(p *Peer) []byte {
			return AppendFrame(nil, Frame{Fin: true, Opcode: OpText, Payload: []byte{0xff}})
		}, RuleInvalidUTF8},
		{"close of one octet", func(p *Peer) []byte {
			return AppendFrame(nil, Frame{Fin: true, Opcode: OpClose, Payload: []byte{3}})
		}, RuleClosePayload},
		{"close with a reserved code", func(p *Peer) []byte {
			return AppendFrame(nil, Frame{Fin: true, Opcode: OpClose, Payload: ClosePayload(1006, "")})
		}, RuleCloseCode},
		{"close with a bad reason", func(p *Peer) []byte {
			return AppendFrame(nil, Frame{Fin: true, Opcode: OpClose, Payload: ClosePayload(1000, "\xff")})
		}, RuleCloseReason},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, server := peers(t)
			must(t, server.WriteRaw(c.say(server)))
			_, err := client.ReadMessage()
			var typed *ViolationError
			if !errors.Is(err, c.want) || !errors.As(err, &typed) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestReadFrameRejectsAnUnmaskedClientFrame(t *testing.T) {
	client, server := peers(t)
	must(t, client.WriteFrame(Frame{Fin: true, Opcode: OpText}))
	if _, err := server.ReadFrame(); !errors.Is(err, RuleMaskMissing) {
		t.Fatalf("got %v", err)
	}
}

func TestReservedBitIsReadWhereAllowed(t *testing.T) {
	client, server := peers(t)
	client.AllowRSV = RSV1
	must(t, server.WriteFrames(
		Frame{Opcode: OpText, RSV: RSV1, Payload: []byte{0xff}},
		Frame{Fin: true, Opcode: OpContinuation, RSV: RSV1},
	))
	if f, err := client.ReadFrame(); err != nil || f.RSV != RSV1 {
		t.Fatalf("first frame: %+v %v", f, err)
	}
	if _, err := client.ReadFrame(); !errors.Is(err, RuleReservedBits) {
		t.Fatalf("continuation: got %v", err)
	}
}

func TestMessagesOfEveryFormTravelBothWays(t *testing.T) {
	client, server := peers(t)
	for _, length := range []int{0, 1, 125, 126, 65535, 65536, 1 << 20} {
		payload := bytes.Repeat([]byte("0123456789abcdef"), length/16+1)[:length]
		for _, pair := range [][2]*Peer{{client, server}, {server, client}} {
			sent := make(chan error, 1)
			go func() { sent <- pair[0].Binary(payload) }()
			must(t, pair[1].ExpectBinary(payload))
			must(t, <-sent)
		}
	}
}

func TestFragmentsAreAssembledAroundAPingThatIsAnswered(t *testing.T) {
	client, server := peers(t)
	octets := AppendFrames(nil,
		client.NewFrame(false, OpText, []byte("κό")),
		client.NewFrame(true, OpPing, []byte("beat")),
		client.NewFrame(false, OpContinuation, []byte("σμ")[:3]),
		client.NewFrame(true, OpContinuation, append([]byte("σμ")[3:], "ε"...)),
	)
	must(t, client.WriteChopped(octets, 1))
	e, err := server.ReadMessage()
	must(t, err)
	if string(e.Payload) != "κόσμε" || e.Fragments != 3 {
		t.Fatalf("got %s in %d fragments", e, e.Fragments)
	}
	must(t, client.ExpectPong([]byte("beat")))
}

func TestWriteChoppedWritesNothingLargerThanAsked(t *testing.T) {
	near, far := net.Pipe() // every write of a pipe is one read
	defer near.Close()
	defer far.Close()
	p := New(near, Server)
	go func() { _ = p.WriteChopped([]byte("1234567"), 3); near.Close() }()
	var sizes []int
	buffer := make([]byte, 16)
	for {
		n, err := far.Read(buffer)
		if err == io.EOF {
			break
		}
		must(t, err)
		sizes = append(sizes, n)
	}
	if len(sizes) != 3 || sizes[0] != 3 || sizes[1] != 3 || sizes[2] != 1 {
		t.Fatalf("wrote in sizes %v", sizes)
	}
}

func TestExpectNothingNoticesWhatWasSaid(t *testing.T) {
	client, server := peers(t)
	answer := func() {
		e, err := server.ReadEvent()
		if err == nil {
			_ = server.Pong(e.Payload)
		}
	}
	go answer()
	must(t, client.ExpectNothing())
	must(t, server.Text("unasked"))
	go answer()
	var unexpected *UnexpectedError
	if err := client.ExpectNothing(); !errors.As(err, &unexpected) || unexpected.Got.Opcode != OpText {
		t.Fatalf("got %v", err)
	}
}

func TestExpectPongRefusesAnAlteredPayload(t *testing.T) {
	client, server := peers(t)
	must(t, server.Pong([]byte("b")))
	if err := client.ExpectPong([]byte("a")); err == nil {
		t.Fatal("an altered pong passed")
	}
}

func TestExpectCloseComparesTheCode(t *testing.T) {
	for _, c := range []struct {
		sent, want uint16
		ok         bool
	}{
		{1000, 1000, true}, {1001, 1000, false}, {NoStatus, NoStatus, true}, {1000, NoStatus, false}, {4999, 0, true},
	} {
		client, server := peers(t)
		must(t, server.Close(c.sent, ""))
		if err := client.ExpectClose(c.want); (err == nil) != c.ok {
			t.Errorf("sent %d, wanted %d: %v", c.sent, c.want, err)
		}
	}
}

func TestReadMessageReturnsACloseAsAnError(t *testing.T) {
	client, server := peers(t)
	must(t, server.Close(4001, "why"))
	_, err := client.ReadMessage()
	var closed *CloseError
	if !errors.As(err, &closed) || closed.Code != 4001 || closed.Reason != "why" {
		t.Fatalf("got %v", err)
	}
}

func TestExpectEOFTellsAnEndFromSilenceAndFromSpeech(t *testing.T) {
	client, server := peers(t)
	must(t, server.Shut())
	must(t, client.ExpectEOF())

	client, _ = peers(t)
	client.Timeout = 10 * time.Millisecond
	if err := client.ExpectEOF(); !errors.Is(err, ErrNotEnded) {
		t.Fatalf("silence: got %v", err)
	}

	client, server = peers(t)
	must(t, server.Text("still here"))
	if err := client.ExpectEOF(); err == nil {
		t.Fatal("speech passed for an end")
	}

	client, server = peers(t)
	must(t, server.WriteRaw([]byte{0x81}))
	must(t, server.Shut())
	if err := client.ExpectEOF(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("a frame cut short: got %v", err)
	}
}

func TestPeekConsumesNothing(t *testing.T) {
	client, server := peers(t)
	if _, err := client.Peek(time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("silence: got %v", err)
	}
	must(t, server.Ping([]byte("beat")))
	for range 2 {
		first, err := client.Peek(0)
		must(t, err)
		if first != 0x80|OpPing {
			t.Fatalf("first octet %#x", first)
		}
	}
	if f, err := client.ReadFrame(); err != nil || string(f.Payload) != "beat" {
		t.Fatalf("got %+v %v", f, err)
	}
}

func TestEveryReadHasADeadline(t *testing.T) {
	client, _ := peers(t)
	client.Timeout = 10 * time.Millisecond
	if _, err := client.ReadMessage(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
}
