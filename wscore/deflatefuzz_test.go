package wscore

import (
	"bytes"
	"io"
	"slices"
	"testing"
)

// fuzzConfig makes a config of any bits.
func fuzzConfig(t testing.TB, v uint32) DeflateConfig {
	t.Helper()
	config, err := DeflateConfig{
		SendTakeover: v&1 > 0, ReceiveTakeover: v&2 > 0,
		SendWindowBits: 8 + int(v>>2&7), ReceiveWindowBits: 8 + int(v>>5&7),
		Threshold: 1 + int(v>>8&0xFF), Level: 1 + int(v>>16&0xFF)%9,
	}.WithDefaults()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// FuzzAcceptDeflate: no offer makes the server panic or take more than was
// offered, and our own client agrees with our own server whatever both want.
func FuzzAcceptDeflate(f *testing.F) {
	for _, offer := range []string{
		"permessage-deflate", "permessage-deflate; server_max_window_bits=10; client_max_window_bits",
		`x-other; a="b,c", permessage-deflate; client_max_window_bits=8; server_no_context_takeover`, "permessage-deflate;;", "permessage-deflate; client_max_window_bits=\"",
	} {
		for _, v := range []uint32{0, 3, 0xFF, 0x1E3} {
			f.Add([]byte(offer), v, ^v)
		}
	}
	f.Fuzz(func(t *testing.T, offer []byte, ours, theirs uint32) {
		server, client := fuzzConfig(t, ours), fuzzConfig(t, theirs)
		if got := AcceptDeflate(offer, server); got.Agreed {
			checkWithinOffer(t, offer, got, server)
		}
		own := client.appendOffer(nil)
		got := AcceptDeflate(own, server)
		if !got.Agreed {
			t.Fatalf("our own offer %q was declined", own)
		}
		checkWithinOffer(t, own, got, server)
		answer := got.appendAnswer(nil)
		seen, ok := client.checkAnswer(answer)
		if !ok || seen.SendTakeover != got.ReceiveTakeover || seen.ReceiveTakeover != got.SendTakeover ||
			seen.SendWindowBits > got.ReceiveWindowBits || seen.ReceiveWindowBits < got.SendWindowBits {
			t.Fatalf("offer %q, answer %q: client %+v (%v), server %+v", own, answer, seen, ok, got)
		}
		_, _ = client.checkAnswer(offer)
	})
}

// checkWithinOffer looks for an element of the offer that allows the answer.
func checkWithinOffer(t *testing.T, offer []byte, got DeflateParams, config DeflateConfig) {
	t.Helper()
	answer, named, valid := parseDeflate(got.appendAnswer(nil))
	if !named || !valid || got.check() != nil {
		t.Fatalf("answer %q to %q", got.appendAnswer(nil), offer)
	}
	if got.SendWindowBits > config.SendWindowBits || got.SendTakeover && !config.SendTakeover || got.ReceiveTakeover && !config.ReceiveTakeover {
		t.Fatalf("agreed to %+v with %+v", got, config)
	}
	for element := range listItems(offer) {
		terms, named, valid := parseDeflate(element)
		if named && valid &&
			(!terms.serverNoTakeover || answer.serverNoTakeover) &&
			(terms.serverBits == 0 || answer.serverBits > 0 && answer.serverBits <= terms.serverBits) &&
			(answer.clientBits == 0 || terms.clientBits == windowBitsUnspecified || answer.clientBits <= terms.clientBits) {
			return
		}
	}
	t.Fatalf("answer %q exceeds the offer %q", got.appendAnswer(nil), offer)
}

// FuzzDeflateRoundTrip: whatever is compressed, with whatever came before it,
// comes out again in any pieces and any room, and stays within the window.
func FuzzDeflateRoundTrip(f *testing.F) {
	for name, payload := range samples() {
		f.Add(payload[:min(len(payload), 3000)], []byte(name), uint32(len(name)), 7, 100)
		f.Add(payload[:min(len(payload), 600)], payload[min(len(payload), 300):min(len(payload), 900)], uint32(0x10000*len(name)), 1, 1)
	}
	deflaters := map[int]*Deflater{}
	for level := 1; level <= 9; level++ {
		deflaters[level] = NewDeflater(level)
	}
	f.Fuzz(func(t *testing.T, payload, before []byte, v uint32, piece, room int) {
		config := fuzzConfig(t, v)
		bits := config.SendWindowBits
		payload, before = payload[:min(len(payload), 1<<17)], before[:min(len(before), 1<<16)]
		piece, room = 1+piece&0xFFF, 1+room&0xFFFF
		sent, received := NewDictionary(make([]byte, 1<<bits)), make([]byte, 1<<bits)
		params := DeflateParams{Agreed: true, SendTakeover: true, ReceiveTakeover: true, SendWindowBits: bits, ReceiveWindowBits: bits}
		config.MaxRatio = 1 << 20
		d := NewDecompressor(params, config, Limits{MaxMessage: int64(max(1, len(payload), len(before)))}, received)
		var z Inflater
		for _, message := range [][]byte{before, payload, payload} {
			compressed, ok := deflaters[config.Level].Append(nil, message, sent.Bytes(), bits)
			if !ok {
				t.Fatal("not compressed")
			}
			sent.Add(message)
			d.Begin(&z, OpBinary)
			out, used, done := make([]byte, room), 0, false
			for !done {
				now := compressed[:min(piece, len(compressed))]
				compressed = compressed[len(now):]
				for full := true; full; {
					var taken int
					var err error
					if used, taken, full, done, err = d.Write(out, used, now, len(compressed) == 0); err != nil {
						t.Fatal(err)
					}
					if now = now[taken:]; full {
						out = append(out, make([]byte, room)...)
					}
				}
				if len(now) > 0 {
					t.Fatalf("%d bytes left", len(now))
				}
			}
			if !bytes.Equal(out[:used], message) {
				t.Fatalf("%d bytes came back of %d", used, len(message))
			}
			if !bytes.Equal(d.dictionary.Bytes(), sent.Bytes()) {
				t.Fatal("the two windows differ")
			}
		}
	})
}

// FuzzDeflateConn: with compression agreed, whatever the peer sends and however
// it arrives, nothing panics, nothing grows beyond the buffers, and the
// messages and the failure are the same.
func FuzzDeflateConn(f *testing.F) {
	text := frame(Client, finText|rsv1, "\xf2\x48\xcd\xc9\xc9\x07\x00")
	f.Add(true, true, join(text, frame(Client, finText|rsv1, "\xf2\x00\x11\x00\x00"), text), uint8(3))
	f.Add(true, false, join(frame(Client, moreBinary|rsv1, "\xf2\x48"), frame(Client, finPing, "p"), frame(Client, finContinuation, "\xcd\xc9\xc9\x07\x00")), uint8(1))
	f.Add(false, true, frame(Server, finBinary|rsv1, string(packed(f, make([]byte, 500)))), uint8(9))
	seedFrames(func(server bool, input []byte) { f.Add(server, true, input, uint8(len(input))) })
	f.Fuzz(func(t *testing.T, server, takeover bool, input []byte, chunk uint8) {
		agreed := DeflateParams{Agreed: true, SendTakeover: takeover, ReceiveTakeover: takeover, SendWindowBits: 9, ReceiveWindowBits: 9}
		run := func(chunk int) ([]string, error) {
			stream := &tape{in: bytes.Clone(input), chunk: chunk}
			c := newTestConn(t, stream, roleOf(server), newBuffers(600), Options{Agreed: agreed, Deflate: &DeflateConfig{Threshold: 1, Level: 1}})
			var log []string
			for {
				m, err := c.Next()
				if err != nil {
					if c.length > 600 || len(c.deflate.decompressor.dictionary.memory) > 512 {
						t.Fatal("memory grew")
					}
					return log, err
				}
				checkReceived(t, c, m)
				log = append(log, m.Opcode.String()+" "+string(m.Payload))
				if m.IsData() {
					_ = c.Send(m)
				}
			}
		}
		inPieces := func(chunk int) ([]string, error) {
			stream := &tape{in: bytes.Clone(input), chunk: chunk}
			c := newTestConn(t, stream, roleOf(server), newBuffers(1+chunk), Options{Agreed: agreed, Limits: Limits{MaxFrame: 1 << 20, MaxMessage: 600}})
			var log []string
			var message []byte
			for {
				m, final, err := c.NextPiece()
				if err != nil {
					if len(c.deflate.decompressor.dictionary.memory) > 512 {
						t.Fatal("memory grew")
					}
					return log, err
				}
				if !m.IsData() {
					checkReceived(t, c, m)
					log = append(log, m.Opcode.String()+" "+string(m.Payload))
					continue
				}
				if message = append(message, m.Payload...); final {
					log = append(log, m.Opcode.String()+" "+string(message))
					message = nil
				}
			}
		}
		whole, wholeErr := run(0)
		if lent, err := inPieces(1 + int(chunk)); !slices.Equal(lent, whole) || err != wholeErr {
			t.Fatalf("lent in pieces %q, %v; whole %q, %v", lent, err, whole, wholeErr)
		}
		pieces, err := run(1 + int(chunk))
		if !slices.Equal(pieces, whole) || err != wholeErr {
			t.Fatalf("in pieces %q, %v; whole %q, %v", pieces, err, whole, wholeErr)
		}
	})
}

// FuzzPieces: whatever is read and sent in pieces and whole, in any order,
// nothing panics, only what the API documents is refused, and what was written
// is a clean beginning of a conversation.
func FuzzPieces(f *testing.F) {
	seedFrames(func(server bool, input []byte) {
		f.Add(server, false, input, []byte("abcabcdefgabcaabbccddeeffgg"), uint8(0))
		f.Add(server, true, input, []byte("aaaabdcbdcfaaaa"), uint8(5))
		f.Add(server, true, input, bytes.Repeat([]byte{3}, 2000), uint8(0))
	})
	f.Fuzz(func(t *testing.T, server, compressed bool, input, script []byte, chunk uint8) {
		role := roleOf(server)
		options := Options{Deflate: &DeflateConfig{Threshold: 1}}
		if compressed {
			options.Agreed = DeflateParams{Agreed: true, SendTakeover: true, ReceiveTakeover: true, SendWindowBits: 9, ReceiveWindowBits: 9}
		}
		stream := &tape{in: bytes.Clone(input), chunk: int(chunk)}
		c := newTestConn(t, stream, role, newBuffers(50), options)
		script = script[:min(len(script), 512)] // 64 pieces fit into what the peer accepts.
		last := Text([]byte("κόσμε"))
		for i, op := range script[:min(len(script), 64)] {
			var m Message
			var err error
			switch op % 7 {
			case 0:
				m, err = c.Next()
			case 1:
				m, _, err = c.NextPiece()
			case 2:
				err = c.SendPiece(last, op > 0x70)
			case 3:
				err = c.SendPiece(Text(script[i:]), op > 0x60)
			case 4:
				err = c.Send(last)
			case 5:
				err = c.Send(PingMessage(nil))
			case 6:
				if op > 0x68 {
					err = c.Close(CloseNormal, "")
				}
			}
			if op%7 < 2 && err == nil {
				last = m
			}
			if op%7 >= 2 && err != nil {
				if violation, ok := err.(*ProtocolError); !ok || violation.Side != Local || err == ErrCompressor {
					t.Fatal(err)
				}
			}
		}
		peer := newTestConn(t, &tape{in: bytes.Clone(stream.out.Bytes())}, peerOf(role), newBuffers(1<<16), Options{Agreed: options.Agreed, ManualPong: true, ManualClose: true})
		for {
			if _, err := peer.Next(); err != nil {
				if err != ErrConnectionLost && err != io.EOF {
					t.Fatalf("% x was written: %v", stream.out.Bytes(), err)
				}
				return
			}
		}
	})
}
