package wscore

import (
	"bytes"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
)

func TestDictionaryKeepsTheEndOfWhatPassed(t *testing.T) {
	d := NewDictionary(make([]byte, 8))
	var all []byte
	for i := range 30 {
		piece := bytes.Repeat([]byte{byte('a' + i)}, i%12)
		d.Add(piece)
		all = append(all, piece...)
		if want := all[max(0, len(all)-8):]; !bytes.Equal(d.Bytes(), want) {
			t.Fatalf("after %q: %q, want %q", all, d.Bytes(), want)
		}
	}
	var none Dictionary
	none.Add([]byte("x"))
	if len(none.Bytes()) != 0 {
		t.Error("a dictionary without memory keeps something")
	}
}

// Whatever the level, the window and the dictionary, what is compressed comes
// out again, and no reference leaves the agreed window.
func TestDeflatedMessagesInflateWithinTheirWindow(t *testing.T) {
	for _, level := range []int{1, 2, 6, 9} {
		z := NewDeflater(level)
		for _, bits := range []int{8, 9, 12, 15} {
			var sent, received Dictionary
			sent, received = NewDictionary(make([]byte, 1<<bits)), NewDictionary(make([]byte, 1<<bits))
			for name, payload := range samples() {
				for _, length := range []int{0, 1, 100, 300, 5000, 40_000, len(payload)} {
					payload := payload[:min(length, len(payload))]
					packed, ok := z.Append([]byte("kept"), payload, sent.Bytes(), bits)
					if !ok || string(packed[:4]) != "kept" {
						t.Fatalf("level %d, window %d, %s: not compressed", level, bits, name)
					}
					inflater := inflateWithin(t, append(packed[4:], deflateTailBytes[:]...), received.Bytes(), 1<<bits, len(payload))
					if !bytes.Equal(inflater, payload) {
						t.Fatalf("level %d, window %d, %s: %d bytes came back of %d", level, bits, name, len(inflater), len(payload))
					}
					sent.Add(payload)
					received.Add(payload)
				}
			}
		}
	}
}

// inflateWithin inflates with no more history than the window allows: what
// lies further back is forgotten between small steps of output.
func inflateWithin(t *testing.T, compressed, dictionary []byte, window, length int) []byte {
	t.Helper()
	var z Inflater
	z.Reset()
	var all []byte
	history := bytes.Clone(dictionary)
	for {
		step := make([]byte, 1)
		n, taken, status := z.Inflate(step, 0, compressed, history[max(0, len(history)-window):])
		compressed = compressed[taken:]
		all = append(all, step[:n]...)
		history = append(history, step[:n]...)
		if len(history) > 4*window+1024 {
			history = bytes.Clone(history[len(history)-window:])
		}
		switch {
		case status == InflateCorrupt:
			t.Fatalf("a reference leaves the window of %d after %d bytes", window, len(all))
		case status == InflateNeedInput:
			return all
		case len(all) > length:
			return all
		}
	}
}

func TestAcceptDeflateAnswersNoMoreThanWasOffered(t *testing.T) {
	full := DeflateConfig{SendTakeover: true, ReceiveTakeover: true}
	for _, c := range []struct {
		offer  string
		config DeflateConfig
		answer string // "" for none
	}{
		{"permessage-deflate", DeflateConfig{}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"},
		{"permessage-deflate", full, "permessage-deflate"},
		{"PERMESSAGE-DEFLATE", full, "permessage-deflate"},
		{"permessage-deflate; server_no_context_takeover", full, "permessage-deflate; server_no_context_takeover"},
		{"permessage-deflate; client_no_context_takeover", full, "permessage-deflate; client_no_context_takeover"},
		{"permessage-deflate; server_max_window_bits=10", full, "permessage-deflate; server_max_window_bits=10"},
		{"permessage-deflate; server_max_window_bits=15", full, "permessage-deflate; server_max_window_bits=15"},
		{`permessage-deflate; server_max_window_bits="9"`, full, "permessage-deflate; server_max_window_bits=9"},
		{"permessage-deflate; client_max_window_bits", full, "permessage-deflate"},
		{"permessage-deflate; client_max_window_bits=11", full, "permessage-deflate; client_max_window_bits=11"},
		{"permessage-deflate; client_max_window_bits", DeflateConfig{SendTakeover: true, ReceiveTakeover: true, ReceiveWindowBits: 9}, "permessage-deflate; client_max_window_bits=9"},
		{"permessage-deflate", DeflateConfig{SendTakeover: true, ReceiveTakeover: true, ReceiveWindowBits: 9, SendWindowBits: 12}, "permessage-deflate; server_max_window_bits=12"},
		{"permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=8", full, "permessage-deflate; server_max_window_bits=8"},
		{"x-other, permessage-deflate", full, "permessage-deflate"},
		{"x-other", full, ""},
		{"", full, ""},
		{"permessage-deflate; server_max_window_bits", full, ""},
		{"permessage-deflate; server_max_window_bits=16", full, ""},
		{"permessage-deflate; server_max_window_bits=08", full, ""},
		{"permessage-deflate; client_max_window_bits=", full, ""},
		{"permessage-deflate; server_no_context_takeover=1", full, ""},
		{"permessage-deflate; server_no_context_takeover; server_no_context_takeover", full, ""},
		{"permessage-deflate; client_max_window_bits; client_max_window_bits=9", full, ""},
		{"permessage-deflate; unknown", full, ""},
	} {
		config, err := c.config.WithDefaults()
		if err != nil {
			t.Fatal(err)
		}
		params := AcceptDeflate([]byte(c.offer), config)
		answer := ""
		if params.Agreed {
			answer = string(params.appendAnswer(nil))
		}
		if answer != c.answer {
			t.Errorf("offer %q: answered %q, want %q", c.offer, answer, c.answer)
		}
	}
}

func TestClientFailsOnAnswersThatItDidNotOffer(t *testing.T) {
	full := DeflateConfig{SendTakeover: true, ReceiveTakeover: true}
	for _, c := range []struct {
		config DeflateConfig
		answer string
		ok     bool
	}{
		{full, "permessage-deflate", true},
		{full, "permessage-deflate; server_no_context_takeover; client_no_context_takeover", true},
		{full, "permessage-deflate; client_max_window_bits=9; server_max_window_bits=10", true},
		{full, "permessage-deflate; client_max_window_bits", false},
		{full, "permessage-deflate; unknown", false},
		{full, "x-other", false},
		{DeflateConfig{}, "permessage-deflate", false}, // server_no_context_takeover was asked for
		{DeflateConfig{}, "permessage-deflate; server_no_context_takeover", true},
		{DeflateConfig{SendTakeover: true, ReceiveTakeover: true, SendWindowBits: 10}, "permessage-deflate; client_max_window_bits=11", false},
		{DeflateConfig{SendTakeover: true, ReceiveTakeover: true, SendWindowBits: 10}, "permessage-deflate; client_max_window_bits=9", true},
		{DeflateConfig{SendTakeover: true, ReceiveTakeover: true, ReceiveWindowBits: 10}, "permessage-deflate; server_max_window_bits=11", false},
		{DeflateConfig{SendTakeover: true, ReceiveTakeover: true, ReceiveWindowBits: 10}, "permessage-deflate", false},
	} {
		config, err := c.config.WithDefaults()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := config.checkAnswer([]byte(c.answer)); ok != c.ok {
			t.Errorf("answer %q to %q: accepted %v, want %v", c.answer, config.appendOffer(nil), ok, c.ok)
		}
	}
}

func TestDeflateConfigOutOfRangeIsRefusedByName(t *testing.T) {
	for field, config := range map[string]DeflateConfig{
		"Deflate.SendWindowBits": {SendWindowBits: 7}, "Deflate.ReceiveWindowBits": {ReceiveWindowBits: 16},
		"Deflate.Threshold": {Threshold: -1}, "Deflate.Level": {Level: 10}, "Deflate.MaxRatio": {MaxRatio: 1},
	} {
		_, err := config.WithDefaults()
		wrong, ok := err.(*ConfigError)
		if !ok || wrong.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// deflatedPair returns a client and a server that shook hands about
// compression over an in-memory stream.
func deflatedPair(t testing.TB, client, server DeflateConfig, limits Limits) (*Conn, *Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	buffers := func() Buffers {
		return Buffers{Read: make([]byte, 4096), Write: make([]byte, 4096), Message: make([]byte, 1<<20)}
	}
	type result struct {
		conn *Conn
		err  error
	}
	accepted := make(chan result, 1)
	go func() {
		conn, err := Accept(theirs, buffers(), AcceptOptions{Options: Options{Deflate: &server, Limits: limits}})
		accepted <- result{conn, err}
	}()
	c, _, err := Connect(ours, buffers(), ConnectOptions{Host: "example", Options: Options{Deflate: &client}})
	if err != nil {
		t.Fatal(err)
	}
	s := <-accepted
	if s.err != nil {
		t.Fatal(s.err)
	}
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	return c, s.conn
}

func TestCompressedEchoWithEveryAgreement(t *testing.T) {
	for bits := 0; bits < 16; bits++ {
		client := DeflateConfig{SendTakeover: bits&1 > 0, ReceiveTakeover: bits&2 > 0, Threshold: 1}
		server := DeflateConfig{SendTakeover: bits&2 > 0, ReceiveTakeover: bits&1 > 0, Threshold: 1}
		if bits&4 > 0 {
			client.SendWindowBits, client.ReceiveWindowBits = 9, 10
		}
		if bits&8 > 0 {
			server.Level, server.SendWindowBits, server.ReceiveWindowBits = 6, 12, 11
		}
		t.Run(strconv.Itoa(bits), func(t *testing.T) {
			c, s := deflatedPair(t, client, server, Limits{})
			if !c.Deflate().Agreed || c.Deflate().SendWindowBits != s.Deflate().ReceiveWindowBits || c.Deflate().SendTakeover != s.Deflate().ReceiveTakeover {
				t.Fatalf("client agreed to %+v, server to %+v", c.Deflate(), s.Deflate())
			}
			ended := make(chan error, 1)
			go func() {
				for {
					m, err := s.Next()
					if err == nil && m.IsData() {
						err = s.SendFragmented(m, 1000)
					}
					if err != nil {
						ended <- err
						return
					}
				}
			}()
			source := rand.New(rand.NewPCG(7, uint64(bits)))
			for range 3 {
				for name, payload := range samples() {
					if name == "zeros" {
						payload = payload[:10_000] // beyond the ratio otherwise
					}
					from := source.IntN(len(payload) + 1)
					payload := payload[from:min(len(payload), from+20_000)]
					if err := c.SendFragmented(Binary(payload), 1+source.IntN(5000)); err != nil {
						t.Fatal(err)
					}
					m, err := c.Next()
					if err != nil || !bytes.Equal(m.Payload, payload) {
						t.Fatalf("%s: %d bytes of %d, %v", name, len(m.Payload), len(payload), err)
					}
				}
			}
			_ = c.Close(CloseNormal, "")
			if m, err := c.Next(); err != nil || !m.IsClose() {
				t.Errorf("close was answered with %v, %v", m, err)
			}
			<-ended
		})
	}
}

// violations of the compression rules, and the code that each makes due.
func TestCompressedMessagesThatBreakARule(t *testing.T) {
	deflate := func(payload []byte) []byte {
		packed, _ := NewDeflater(1).Append(nil, payload, nil, 15)
		return packed
	}
	frame := func(first byte, payload []byte) []byte {
		h := Header{Length: uint64(len(payload)), Masked: true}
		wire := h.Append(nil)
		wire[0] = first
		return append(wire, payload...) // the key is zero
	}
	const compressedText, compressedBinary, part, ping = 0xC1, 0xC2, 0x80, 0xC9
	cut := deflate(bytes.Repeat([]byte("abcdefgh"), 100))
	for _, c := range []struct {
		name string
		wire []byte
		want *ProtocolError
	}{
		{"not DEFLATE", frame(compressedBinary, []byte{0x07, 0xFF}), ErrCompressedData},
		{"cut off", frame(compressedBinary, cut[:len(cut)/2]), ErrCompressedData},
		{"text that is not UTF-8", frame(compressedText, deflate([]byte("ok\xFF"))), ErrInvalidText},
		{"text that ends inside a character", frame(compressedText, deflate([]byte("ok\xE4\xB8"))), ErrInvalidText},
		{"bad text before the message ends", frame(compressedText&^0x80, deflate([]byte("ok\xFF and so on"))), ErrInvalidText},
		{"over the message limit", frame(compressedBinary, deflate(bytes.Repeat(samples()["skewed"], 11))), ErrMessageTooBig},
		{"over the ratio", frame(compressedBinary, deflate(make([]byte, 1<<20))), ErrInflateRatio},
		{"RSV1 on a continuation", append(frame(compressedText&^0x80, deflate([]byte("a"))), frame(part|0x40, nil)...), ErrReservedBits},
		{"RSV1 on a ping", frame(ping, nil), ErrReservedBits},
		{"RSV2", frame(0xA1, nil), ErrReservedBits},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream := &duplex{in: bytes.NewReader(c.wire)}
			conn, err := NewConn(stream, Server, Buffers{Read: make([]byte, 4096), Write: make([]byte, 4096), Message: make([]byte, 1<<20)},
				Options{Agreed: DeflateParams{Agreed: true, SendWindowBits: 15, ReceiveWindowBits: 15}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = conn.Next()
			if err != c.want {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			sent := stream.out.Bytes()
			if code := CloseCode(sent[2])<<8 | CloseCode(sent[3]); len(sent) < 4 || code != c.want.Code {
				t.Errorf("sent % x, want close %v", sent, c.want.Code)
			}
		})
	}
}

type duplex struct {
	in  *bytes.Reader
	out bytes.Buffer
}

func (d *duplex) Read(p []byte) (int, error)  { return d.in.Read(p) }
func (d *duplex) Write(p []byte) (int, error) { return d.out.Write(p) }

// A message that was not worth compressing must not enter the dictionary.
func TestUncompressedMessagesStayOutOfTheDictionary(t *testing.T) {
	c, s := deflatedPair(t, DeflateConfig{SendTakeover: true, ReceiveTakeover: true, Threshold: 64}, DeflateConfig{SendTakeover: true, ReceiveTakeover: true}, Limits{})
	noise := samples()["noise"]
	json := samples()["json"]
	go func() {
		for i := range 20 {
			_ = c.Send(Binary([]byte("short")))
			_ = c.Send(Binary(noise[i*100 : i*100+100]))
			_ = c.Send(Binary(json[i*50 : i*50+500]))
		}
	}()
	for i := range 20 {
		for _, want := range [][]byte{[]byte("short"), noise[i*100 : i*100+100], json[i*50 : i*50+500]} {
			if m, err := s.Next(); err != nil || !bytes.Equal(m.Payload, want) {
				t.Fatalf("message %d: %v", i, err)
			}
		}
	}
}
