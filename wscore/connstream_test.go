package wscore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// readPieces reads to the end and returns the messages put together, in the
// words of readAll, and the longest piece.
func readPieces(t testing.TB, c *Conn) (log []string, longest int, err error) {
	t.Helper()
	var message []byte
	for range 1_000_000 {
		m, final, err := c.NextPiece()
		if err != nil {
			return log, longest, err
		}
		switch {
		case m.IsClose():
			log = append(log, "close "+m.Code.String()+" "+string(m.Payload))
		case !m.IsData():
			log = append(log, m.Opcode.String()+" "+string(m.Payload))
		default:
			if len(m.Payload) == 0 && !final {
				t.Fatal("an empty piece that is not the last")
			}
			longest = max(longest, len(m.Payload))
			if message = append(message, m.Payload...); final {
				log = append(log, m.Opcode.String()+" "+string(message))
				message = message[:0]
			}
		}
		if !m.IsData() && !final {
			t.Fatal("a control frame that is not final")
		}
	}
	t.Fatal("pieces without end")
	return nil, 0, nil
}

func TestPiecesAddUpToTheMessages(t *testing.T) {
	bothRoles(t, func(t *testing.T, role Role) {
		input, _ := conversation(peerOf(role))
		for _, chunk := range []int{0, 1, 2, 3, 7, 64, 200, 299} {
			stream := &tape{in: slices.Clone(input), chunk: chunk}
			want, wantErr := readAll(t, newTestConn(t, &tape{in: slices.Clone(input)}, role, newBuffers(300), Options{}))
			got, _, err := readPieces(t, newTestConn(t, stream, role, newBuffers(1), Options{}))
			// Pings stand between pieces of the message that they interrupt.
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) || err != wantErr {
				t.Errorf("chunks of %d: %q, %v", chunk, got, err)
			}
		}
	})
}

// A message far longer than all buffers, inflated through a window that slides.
func TestLongCompressedMessagesArriveInBoundedMemory(t *testing.T) {
	parts := [][]byte{samples()["json"], samples()["noise"], samples()["skewed"], samples()["json"]}
	long := bytes.Join(parts, nil)
	for _, takeover := range []bool{false, true} {
		for _, bits := range []int{9, 15} {
			for _, room := range []int{100, 4096, 70_000} {
				t.Run(fmt.Sprintf("takeover %v, window %d, room %d", takeover, bits, room), func(t *testing.T) {
					z, sent := NewDeflater(1+bits/3), Dictionary{}
					if takeover {
						sent = NewDictionary(make([]byte, 1<<bits))
					}
					var wire []byte
					var want []string
					for i := range 2 {
						payload := long[i*1000:]
						compressed, ok := z.Append(nil, payload, sent.Bytes(), bits)
						if !ok {
							t.Fatal("not compressed")
						}
						sent.Add(payload)
						half := len(compressed) / 2
						wire = append(wire, join(frame(Client, moreBinary|rsv1, string(compressed[:half])), frame(Client, finPing, "p"),
							frame(Client, finContinuation, string(compressed[half:])), frame(Client, finText, "plain"))...)
						want = append(want, "ping p", "binary "+string(payload), "text plain")
					}
					stream := &tape{in: wire, chunk: 1500}
					c := newTestConn(t, stream, Server, newBuffers(room), Options{Agreed: DeflateParams{Agreed: true, ReceiveTakeover: takeover, SendWindowBits: 15, ReceiveWindowBits: bits}})
					got, longest, err := readPieces(t, c)
					if !slices.Equal(got, want) || err != ErrConnectionLost {
						t.Errorf("%d messages, %v", len(got), err)
					}
					if window := len(c.deflate.decompressor.dictionary.memory); longest > max(room, MinBuffer) || window > 1<<bits {
						t.Errorf("a piece of %d bytes, a window of %d", longest, window)
					}
				})
			}
		}
	}
}

func TestPiecesMayAddUpToMaxMessageAndNextToItsBuffer(t *testing.T) {
	for _, compressed := range []bool{false, true} {
		for length, want := range map[int]error{3000: ErrConnectionLost, 3001: ErrMessageTooBig} {
			payload := string(samples()["skewed"][:length])
			wire := frame(Client, finBinary, payload)
			if compressed {
				wire = frame(Client, finBinary|rsv1, string(packed(t, []byte(payload))))
			}
			options := Options{Limits: Limits{MaxFrame: 1 << 20, MaxMessage: 3000}, Agreed: DeflateParams{Agreed: true, SendWindowBits: 15, ReceiveWindowBits: 15}}
			got, _, err := readPieces(t, newTestConn(t, &tape{in: slices.Clone(wire)}, Server, newBuffers(200), options))
			if err != want || (len(got) == 1) != (want == ErrConnectionLost) {
				t.Errorf("compressed %v, %d bytes in pieces: %v, want %v", compressed, length, err, want)
			}
			c := newTestConn(t, &tape{in: slices.Clone(wire)}, Server, newBuffers(2999), options)
			if _, err := c.Next(); err != ErrMessageTooBig {
				t.Errorf("compressed %v, %d bytes by Next: %v", compressed, length, err)
			}
		}
	}
}

func TestOneMessageIsReadInOneWay(t *testing.T) {
	wire := func() []byte {
		return join(frame(Client, moreText, "a"), frame(Client, finPing, "p"), frame(Client, finContinuation, "b"), frame(Client, finText, "c"))
	}
	c := newTestConn(t, &tape{in: wire()}, Server, newBuffers(100), Options{})
	if m, final, err := c.NextPiece(); string(m.Payload) != "a" || final || err != nil {
		t.Fatal(m, final, err)
	}
	for range 2 {
		if _, err := c.Next(); err != ErrReadingMixed {
			t.Error(err)
		}
	}
	if m, final, err := c.NextPiece(); !m.IsPing() || !final || err != nil {
		t.Fatal(m, final, err)
	}
	if _, err := c.Next(); err != ErrReadingMixed {
		t.Error(err)
	}
	if m, final, err := c.NextPiece(); string(m.Payload) != "b" || !final || err != nil {
		t.Fatal(m, final, err)
	}
	if m, err := c.Next(); string(m.Payload) != "c" || err != nil {
		t.Error(m, err)
	}

	c = newTestConn(t, &tape{in: wire()}, Server, newBuffers(100), Options{})
	if m, err := c.Next(); !m.IsPing() || err != nil {
		t.Fatal(m, err)
	}
	for range 2 {
		if _, _, err := c.NextPiece(); err != ErrReadingMixed {
			t.Error(err)
		}
	}
	if m, err := c.Next(); string(m.Payload) != "ab" || err != nil {
		t.Fatal(m, err)
	}
	if m, final, err := c.NextPiece(); string(m.Payload) != "c" || !final || err != nil {
		t.Error(m, final, err)
	}
	if _, _, err := c.NextPiece(); err != ErrConnectionLost {
		t.Error(err)
	}
	if _, _, err := c.NextPiece(); err != ErrConnectionLost {
		t.Error(err)
	}
}

func TestTextInPiecesIsJudgedAsItArrives(t *testing.T) {
	plain := frame(Client, finText, "ab\xFFcd")[:6+3]
	stored := frame(Client, finText|rsv1, "\x00\x05\x00\xfa\xffab\xFFcd\x00")[:6+8]
	for _, wire := range [][]byte{plain, stored} {
		c, stream := deflateConn(t, wire, 1, Limits{}, 1)
		var got []byte
		var err error
		for err == nil {
			var m Message
			m, _, err = c.NextPiece()
			got = append(got, m.Payload...)
		}
		if string(got) != "ab" || err != ErrInvalidText || !bytes.Equal(stream.out.Bytes()[2:4], []byte{0x03, 0xEF}) {
			t.Errorf("%q, %v, sent % x", got, err, stream.out.Bytes())
		}
	}
}

// What is sent in pieces is one message to the peer, plain and compressed.
func TestPiecesThatAreSentAreOneMessage(t *testing.T) {
	payload := samples()["json"][:20_000]
	text := bytes.Repeat([]byte("κόσμε "), 1000)
	for _, agreed := range []DeflateParams{
		{}, {Agreed: true, SendWindowBits: 15, ReceiveWindowBits: 15}, {Agreed: true, SendTakeover: true, ReceiveTakeover: true, SendWindowBits: 10, ReceiveWindowBits: 10},
	} {
		bothRoles(t, func(t *testing.T, role Role) {
			for _, size := range []int{1, 100, 5000, 1 << 20} {
				stream := &tape{}
				c := newTestConn(t, stream, role, newBuffers(1), Options{Agreed: agreed})
				payload, text := payload, text
				if size == 1 { // each piece starts a compressor
					payload, text = payload[:600], text[:90]
				}
				var want []string
				for range 2 {
					for _, m := range []Message{Binary(payload), Text(text), Text([]byte("short"))} {
						for rest := m.Payload; ; {
							n := min(size, len(rest))
							m.Payload = rest[:n]
							rest = rest[n:]
							if err := c.SendPiece(m, len(rest) == 0); err != nil {
								t.Fatal(err)
							}
							if len(rest) == 0 {
								break
							}
							if n%3 == 1 {
								if err := c.Send(PingMessage(nil)); err != nil {
									t.Fatal(err)
								}
							}
						}
					}
					if err := c.Send(Binary(payload)); err != nil { // through the same window
						t.Fatal(err)
					}
					want = append(want, "binary "+string(payload), "text "+string(text), "text short", "binary "+string(payload))
				}
				peer := newTestConn(t, &tape{in: bytes.Clone(stream.out.Bytes())}, peerOf(role), newBuffers(1<<20), Options{
					Agreed: agreed, Limits: Limits{MaxFragments: 1 << 20}, ManualPong: true})
				got, err := readAllData(t, peer)
				if !slices.Equal(got, want) || err != ErrConnectionLost {
					t.Errorf("%+v, pieces of %d: %d messages, %v", agreed, size, len(got), err)
				}
				if agreed.Agreed && size == 5000 && stream.out.Len() > len(payload)*2 {
					t.Errorf("%+v: %d bytes on the wire", agreed, stream.out.Len())
				}
			}
		})
	}
}

func readAllData(t testing.TB, c *Conn) (log []string, err error) {
	t.Helper()
	for {
		m, err := c.Next()
		if err != nil {
			return log, err
		}
		if m.IsData() {
			log = append(log, m.Opcode.String()+" "+string(m.Payload))
		}
	}
}

// What may not be sent is refused by name, sends nothing and changes nothing.
func TestPiecesOutOfOrderAreRefused(t *testing.T) {
	agreed := DeflateParams{Agreed: true, SendTakeover: true, ReceiveTakeover: true, SendWindowBits: 15, ReceiveWindowBits: 15}
	for _, options := range []Options{{}, {Agreed: agreed, Deflate: &DeflateConfig{Threshold: 1}}} {
		stream := &tape{}
		c := newTestConn(t, stream, Server, newBuffers(1), options)
		long := Text(bytes.Repeat([]byte("long enough "), 100))
		step := func(name string, err, want error, sends bool) {
			t.Helper()
			if err != want || (stream.out.Len() > 0) != sends {
				t.Errorf("%s: %v, want %v, sent % x", name, err, want, stream.out.Bytes())
			}
			stream.out.Reset()
		}
		step("an opcode without pieces", c.SendPiece(PingMessage(nil), true), ErrNotDataOpcode, false)
		step("an empty piece", c.SendPiece(Text(nil), false), nil, false)
		step("bad text first", c.SendPiece(Text([]byte("\xFF")), false), ErrTextNotUTF8, false)
		step("text that ends inside a character", c.SendPiece(Text([]byte("\xE4\xB8")), true), ErrTextNotUTF8, false)
		step("first piece", c.SendPiece(Text([]byte("a\xE4\xB8")), false), nil, true)
		step("another message", c.Send(long), ErrFragmentOrder, false)
		step("another message in fragments", c.SendFragmented(long, 7), ErrFragmentOrder, false)
		step("another opcode", c.SendPiece(Binary([]byte("x")), true), ErrFragmentOrder, false)
		step("bad text in the middle", c.SendPiece(Text([]byte("b")), false), ErrTextNotUTF8, false)
		step("the end inside a character", c.SendPiece(Text(nil), true), ErrTextNotUTF8, false)
		step("a ping between", c.Send(PingMessage(nil)), nil, true)
		step("the rest", c.SendPiece(Text([]byte("\xADb")), false), nil, true)
		step("an empty last piece", c.SendPiece(Text(nil), true), nil, true)
		step("a message again", c.Send(long), nil, true)
		step("a piece before the close frame", c.SendPiece(Binary([]byte("x")), false), nil, true)
		step("a close frame in the middle", c.Close(CloseNormal, ""), nil, true)
		step("a piece after it", c.SendPiece(Binary([]byte("x")), true), ErrSendAfterClose, false)
		if options.Agreed.Agreed && string(c.deflate.sent.Bytes()) != "a\xE4\xB8\xADb"+string(long.Payload)+"x" {
			t.Errorf("the window is %q", c.deflate.sent.Bytes())
		}
	}
}

// A compressor that fails refuses the piece; there is no way to make it fail
// but to break it.
func TestCompressorThatFailsRefusesThePiece(t *testing.T) {
	c, stream := deflateConn(t, nil, 0, Limits{}, 100)
	c.deflate.deflater.level = 99
	c.deflate.params.SendWindowBits = 15
	if err := c.SendPiece(Text([]byte("x")), false); err != ErrCompressor || stream.out.Len() > 0 {
		t.Errorf("%v, sent % x", err, stream.out.Bytes())
	}
	long := bytes.Repeat([]byte("not compressed "), 100)
	if err := c.Send(Text(long)); err != nil || !bytes.Contains(stream.out.Bytes(), long) {
		t.Errorf("a whole message: %v", err)
	}
}

func TestStreamingReportsWhatTheStreamSays(t *testing.T) {
	broken := errors.New("broken")
	c := newTestConn(t, &tape{in: frame(Client, moreText, "a"), end: broken, writeErr: broken}, Server, newBuffers(1), Options{})
	if _, _, err := c.NextPiece(); err != nil {
		t.Fatal(err)
	}
	if err := c.SendPiece(Text([]byte(strings.Repeat("x", 5000))), true); err != broken {
		t.Error(err)
	}
	if _, _, err := c.NextPiece(); err != broken {
		t.Error(err)
	}
}

// Echo in pieces, one client and one server, each with small buffers.
func TestLongMessageIsEchoedInPieces(t *testing.T) {
	config := DeflateConfig{SendTakeover: true, ReceiveTakeover: true}
	c, s := deflatedPair(t, config, config, Limits{MaxMessage: 10 << 20})
	c.maxMessage = 10 << 20
	go func() {
		for {
			piece, final, err := s.NextPiece()
			if err == nil && piece.IsData() {
				err = s.SendPiece(piece, final)
			}
			if err != nil {
				return
			}
		}
	}()
	payload := bytes.Repeat(samples()["skewed"], 20)
	failed := make(chan error, 1)
	go func() {
		for rest := payload; ; {
			n := min(10_000, len(rest))
			err := c.SendPiece(Binary(rest[:n]), n == len(rest))
			if rest = rest[n:]; err != nil || len(rest) == 0 {
				failed <- err
				return
			}
		}
	}()
	var got bytes.Buffer
	for {
		piece, final, err := c.NextPiece()
		if err != nil {
			t.Fatal(err)
		}
		got.Write(piece.Payload)
		if final {
			break
		}
	}
	if err := <-failed; err != nil || !bytes.Equal(got.Bytes(), payload) {
		t.Errorf("%d bytes of %d came back, %v", got.Len(), len(payload), err)
	}
}
