package wscore

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// deflatedStream is a message in pieces with pings between, as a writer sends
// it.
func deflatedStream(t *testing.T, payload []byte, size int) []byte {
	t.Helper()
	stream := &tape{}
	c := newTestConn(t, stream, Client, newBuffers(1), Options{Agreed: DeflateParams{Agreed: true, SendWindowBits: 15, ReceiveWindowBits: 15}})
	w := c.Writer(OpBinary)
	for rest := payload; len(rest) > 0; {
		n, err := w.Write(rest[:min(size, len(rest))])
		if err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
		if err := c.Send(PingMessage(nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return stream.out.Bytes()
}

// reader begins to read the next message.
func reader(t *testing.T, c *Conn) *MessageReader {
	t.Helper()
	piece, final, err := c.NextPiece()
	if err != nil || !piece.IsData() {
		t.Fatal(piece, err)
	}
	r := c.Reader(piece, final)
	return &r
}

func TestMessageReaderAndWriterCarryAMessage(t *testing.T) {
	payload := samples()["json"]
	wire := join(deflatedStream(t, payload, 3000), deflatedStream(t, payload[1:], 500), deflatedStream(t, payload, 1<<20))
	c, _ := deflateConn(t, wire, 700, Limits{}, 100)
	var got bytes.Buffer
	if n, err := io.Copy(&got, reader(t, c)); n != int64(len(payload)) || err != nil || !bytes.Equal(got.Bytes(), payload) {
		t.Errorf("copied %d bytes, %v", n, err)
	}
	if err := iotest.TestReader(reader(t, c), payload[1:]); err != nil {
		t.Error(err)
	}
	if m, err := c.Next(); err != ErrMessageTooBig { // its buffer is for pieces only
		t.Error(m.Opcode, err)
	}
}

// The end of the message is not the end of the connection, and the other way
// round.
func TestMessageReaderTellsTheEndsApart(t *testing.T) {
	begun := frame(Client, moreBinary, "abc")
	for _, test := range []struct {
		name string
		wire []byte
		want error
	}{
		{"the message ends", join(begun, frame(Client, finPong, ""), frame(Client, moreContinue, "d"), frame(Client, finContinuation, "")), nil},
		{"a close frame", join(begun, frame(Client, finClose, "")), io.ErrUnexpectedEOF},
		{"the stream ends", begun, ErrConnectionLost},
		{"a violation", join(begun, frame(Client, finText, "")), ErrMessageInterrupted},
	} {
		for _, copied := range []bool{false, true} {
			c := newTestConn(t, &tape{in: bytes.Clone(test.wire)}, Server, newBuffers(1), Options{})
			r := reader(t, c)
			var got []byte
			var err error
			if copied {
				var b bytes.Buffer
				_, err = r.WriteTo(&b)
				got = b.Bytes()
			} else {
				got, err = io.ReadAll(r)
			}
			if want := map[bool]string{true: "abcd", false: "abc"}[test.want == nil]; string(got) != want || err != test.want {
				t.Errorf("%s, copied %v: %q, %v", test.name, copied, got, err)
			}
			again := test.want
			if again == nil {
				again = io.EOF
			}
			if _, err := r.Read(make([]byte, 1)); err != again {
				t.Errorf("%s, copied %v: Read gives %v afterwards, want %v", test.name, copied, err, again)
			}
		}
	}
}

func TestMessageReaderStopsWhereTheWriterFails(t *testing.T) {
	c := newTestConn(t, &tape{in: frame(Client, finBinary, "abcd")}, Server, newBuffers(1), Options{})
	r := reader(t, c)
	broken := errors.New("broken")
	if n, err := r.WriteTo(&tape{writeErr: broken}); n != 0 || err != broken {
		t.Error(n, err)
	}
	if rest, err := io.ReadAll(r); string(rest) != "abcd" || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestMessageWriterReportsWhatMayNotBeSent(t *testing.T) {
	c := newTestConn(t, &tape{}, Server, newBuffers(1), Options{})
	if n, err := c.Writer(OpText).Write([]byte("\xFF")); n != 0 || err != ErrTextNotUTF8 {
		t.Error(n, err)
	}
	if err := c.Writer(OpPing).Close(); err != ErrNotDataOpcode {
		t.Error(err)
	}
}
