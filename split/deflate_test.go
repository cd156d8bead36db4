package split

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

// agreement is a config and what two sides with it agree on.
func agreement(takeover bool, bits int) (*wscore.DeflateConfig, wscore.DeflateParams) {
	return &wscore.DeflateConfig{SendTakeover: takeover, ReceiveTakeover: takeover, Threshold: 16},
		wscore.DeflateParams{Agreed: true, SendTakeover: takeover, ReceiveTakeover: takeover, SendWindowBits: bits, ReceiveWindowBits: bits}
}

// deflatePair is a writer over a wire and a reader of the same role, both with
// compression.
func deflatePair(t testing.TB, role wscore.Role, config Config, params wscore.DeflateParams) (*readerTest, *Writer, *wire) {
	t.Helper()
	made, l := newConfig(t, config)
	r, w, err := New(role, made, params)
	must(t, err)
	out := &wire{}
	w.Bind(out)
	test := &readerTest{Reader: r, t: t, pool: made.Pool, writer: w, wire: out, ledger: l}
	t.Cleanup(func() {
		r.Discard()
		w.Shut()
	})
	return test, w, out
}

// inflate reads a compressed payload with the standard library.
func inflate(t testing.TB, payload, dictionary string) string {
	t.Helper()
	source := io.MultiReader(strings.NewReader(payload), strings.NewReader("\x00\x00\xFF\xFF\x01\x00\x00\xFF\xFF"))
	inflated, err := io.ReadAll(flate.NewReaderDict(source, []byte(dictionary)))
	must(t, err)
	return string(inflated)
}

// deflated is the compressed form of a payload, by the standard library.
func deflated(t testing.TB, payload string) string {
	t.Helper()
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, 6)
	must(t, err)
	_, err = z.Write([]byte(payload))
	must(t, err, z.Flush())
	return strings.TrimSuffix(b.String(), "\x00\x00\xFF\xFF")
}

// packed is a frame with a compressed payload.
func packed(t testing.TB, f rawpeer.Frame) rawpeer.Frame {
	f.RSV, f.Payload = rawpeer.RSV1, []byte(deflated(t, string(f.Payload)))
	return f
}

// framesOf judges what was written to the receiver by a rawpeer.
func framesOf(t testing.TB, all string, receiver rawpeer.Role) []rawpeer.Frame {
	t.Helper()
	peer := rawpeer.New(&playback{rest: strings.NewReader(all)}, receiver)
	peer.AllowRSV = rawpeer.RSV1
	var frames []rawpeer.Frame
	for {
		f, err := peer.ReadFrame()
		if err == io.EOF {
			return frames
		}
		must(t, err)
		frames = append(frames, f)
	}
}

// prose compresses well and is nowhere the same.
func prose(size int) string {
	var b strings.Builder
	for b.Len() < size {
		b.WriteString(`{"id":` + strconv.Itoa(b.Len()*7919) + `,"user":"ann"},`)
	}
	return b.String()[:size]
}

// noise does not compress.
func noise(seed uint64, size int) string {
	random := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return string(b)
}

func TestMessagesAreCompressedWhereItHelps(t *testing.T) {
	for _, role := range []wscore.Role{wscore.Server, wscore.Client} {
		receiver := rawpeer.Client
		if role == wscore.Client {
			receiver = rawpeer.Server
		}
		for _, together := range []bool{false, true} {
			config, params := agreement(false, 15)
			_, w, out := deflatePair(t, role, Config{Deflate: config}, params)
			payloads := []string{"short", prose(16), prose(500), noise(1, 500), prose(5000), noise(2, 5000), prose(100_000), ""}
			for _, payload := range payloads {
				_, err := w.Send(w.config.Pool.Binary([]byte(payload)))
				must(t, err)
				if !together {
					_, err = w.Flush()
					must(t, err)
				}
			}
			w.Pong([]byte(prose(100))) // never compressed
			_, err := w.Flush()
			must(t, err)
			frames := framesOf(t, out.all(), receiver)
			equal(t, "frames", len(frames), len(payloads)+1)
			frames = slices.DeleteFunc(frames, func(f rawpeer.Frame) bool {
				if f.Opcode == rawpeer.OpPong {
					equal(t, "pong", string(f.Payload), prose(100))
					equal(t, "reserved bits of a pong", f.RSV, 0)
				}
				return f.Opcode == rawpeer.OpPong
			})
			for i, f := range frames {
				payload := string(f.Payload)
				compress := len(payloads[i]) >= 500 && payloads[i][0] == '{'
				equal(t, "compressed", f.RSV == rawpeer.RSV1, compress)
				if f.RSV != 0 {
					payload = inflate(t, payload, "")
				}
				equal(t, "payload "+strconv.Itoa(i)+" is right", payload == payloads[i], true)
			}
		}
	}
}

// The compressed form is put together in a buffer of the message's own class,
// and must not be cut where it nearly fills it.
func TestMessageThatHardlyCompressesArrivesWhole(t *testing.T) {
	const class = 1 << 10
	config, params := agreement(false, 15)
	config.Level = 9 // level 1 hits the edge too, but seldom
	r, w, out := deflatePair(t, wscore.Server, Config{Deflate: config}, params)
	edge := 0 // payloads whose compressed form nearly fills the class
	for seed := range uint64(300) {
		run := int(seed) % 80
		payload := noise(seed, class-run) + strings.Repeat("x", run)
		_, err := w.Send(r.pool.Binary([]byte(payload)))
		must(t, err)
		_, err = w.Flush()
		must(t, err)
		f := framesOf(t, out.writes[seed], rawpeer.Client)[0]
		got := string(f.Payload)
		if f.RSV != 0 {
			got = inflate(t, got, "")
		}
		if got != payload {
			t.Fatalf("seed %d: %d bytes on the wire do not inflate to the message", seed, len(f.Payload))
		}
		if f.RSV != 0 && len(f.Payload) > class-8 {
			edge++
		}
	}
	if edge == 0 {
		t.Error("no payload came near the edge")
	}
}

func TestCompressedMessagesOfOneHalfAreReadByTheOther(t *testing.T) {
	for _, takeover := range []bool{false, true} {
		for _, bits := range []int{9, 15} {
			for _, chunk := range []int{1, 1000, 1 << 20} {
				config, params := agreement(takeover, bits)
				_, w, out := deflatePair(t, wscore.Client, Config{Deflate: config}, params)
				r, _, _ := deflatePair(t, wscore.Server, Config{Deflate: config}, params)
				var want []string
				for size := 0; size < 100_000; size = size*3 + 1 {
					for _, payload := range []string{prose(size), pattern7(size)} {
						wake, err := w.SendText(payload)
						must(t, err)
						want = append(want, "text:"+payload)
						if wake {
							_, err = w.Flush()
							must(t, err)
						}
					}
				}
				equal[error](t, "run", r.run(chopped(out.all(), chunk)), ErrWouldBlock)
				equal(t, "found what was sent", slices.Equal(r.found, want), true)
			}
		}
	}
}

func TestAnySplitOfCompressedMessagesGivesTheSame(t *testing.T) {
	split := packed(t, textFrame(prose(3000)))
	first, second, third := split, more(""), last("")
	first.Fin, first.Payload = false, split.Payload[:10]
	second.Payload, third.Payload = split.Payload[10:50], split.Payload[50:]
	wire := clientFrames(packed(t, textFrame("hello")), packed(t, binaryFrame("")), textFrame("plain"), first, pingFrame("p"), second, third, textFrame("end"))
	want := []string{"text:hello", "binary:", "text:plain", "ping:p", "text:" + prose(3000), "text:end"}
	config, params := agreement(false, 15)
	for cut := range wire {
		r, _, _ := deflatePair(t, wscore.Server, Config{Deflate: config}, params)
		equal[error](t, "run", r.run(&script{pieces: []string{wire[:cut], wire[cut:]}}), ErrWouldBlock)
		if !slices.Equal(r.found, want) {
			t.Fatalf("cut at %d: found %.200q", cut, r.found)
		}
		equal(t, "InUse", r.pool.InUse(), 0)
	}
}

// A message that was dropped must not be what a later one refers to.
func TestDroppedMessagesDoNotSpoilTakeover(t *testing.T) {
	config, params := agreement(true, 15)
	bounds := MailboxConfig{MaxFrames: 2, Policy: DropOldest}
	_, w, out := deflatePair(t, wscore.Server, Config{Deflate: config, Mailbox: bounds}, params)
	var sent string
	for i := range 3 {
		for j := range 5 {
			_, err := w.SendText(strings.Repeat(strconv.Itoa(i*10+j), 100))
			must(t, err)
		}
		_, err := w.Flush()
		must(t, err)
	}
	for i, f := range framesOf(t, out.all(), rawpeer.Client) {
		payload := inflate(t, string(f.Payload), sent)
		equal(t, "message", payload, strings.Repeat(strconv.Itoa(i/2*10+3+i%2), 100))
		sent += payload
	}
}

func TestSharedMessageIsCompressedForEachAndNotModified(t *testing.T) {
	deflate, params := agreement(true, 15)
	config, _ := newConfig(t, Config{Deflate: deflate})
	message := config.Pool.Text(prose(1000))
	message.Prepare()
	before := string(message.memory)
	for range 2 {
		r, w, err := New(wscore.Server, config, params)
		must(t, err)
		out := &wire{}
		w.Bind(out)
		sent := ""
		for range 2 {
			_, err = w.Send(message.Retain())
			must(t, err)
			_, err = w.Flush()
			must(t, err)
			f := framesOf(t, out.writes[len(out.writes)-1], rawpeer.Client)[0]
			equal(t, "message", inflate(t, string(f.Payload), sent), prose(1000))
			equal(t, "refers to what came before", len(f.Payload) < 50, sent != "")
			sent += prose(1000)
		}
		r.Discard()
		w.Shut()
	}
	equal(t, "memory is as before", string(message.memory) == before, true)
	message.Release()
}

// What observers hear of is what was on the wire, in both directions.
func TestObserverHearsOfCompressedLengths(t *testing.T) {
	config, params := agreement(false, 15)
	r, w, out := deflatePair(t, wscore.Server, Config{Deflate: config}, params)
	_, err := w.SendText(prose(10_000))
	must(t, err)
	_, err = w.Flush()
	must(t, err)
	f := framesOf(t, out.all(), rawpeer.Client)[0]
	equal(t, "frame written", r.ledger.written[0], frameNote{wscore.OpText, len(f.Payload)})
	equal[error](t, "run", r.run(play(clientFrames(f))), ErrWouldBlock)
	equal(t, "frame read", r.ledger.read[0], frameNote{wscore.OpText, len(f.Payload)})
}

// Agreeing.

func TestWithoutAgreementNothingIsCompressed(t *testing.T) {
	deflate, params := agreement(true, 15)
	for name, c := range map[string]struct {
		config *wscore.DeflateConfig
		agreed wscore.DeflateParams
	}{"not agreed": {deflate, wscore.DeflateParams{}}, "not configured": {nil, params}} {
		r, w, out := deflatePair(t, wscore.Server, Config{Deflate: c.config}, c.agreed)
		equal(t, "InUse when "+name, r.pool.InUse(), 0)
		_, err := w.SendText(prose(1000))
		must(t, err)
		_, err = w.Flush()
		must(t, err)
		equal(t, "on the wire when "+name, out.all(), serverFrames(textFrame(prose(1000))))
		err = r.run(play(clientFrames(packed(t, textFrame("x")))))
		equal[error](t, "violation when "+name, err, wscore.ErrReservedBits)
	}
}

func TestUpgradeAnswersTheFirstOfferItCanAgreeTo(t *testing.T) {
	config, err := wscore.DeflateConfig{}.WithDefaults()
	must(t, err)
	for _, c := range []struct {
		offers []string
		config *wscore.DeflateConfig
		agreed bool
		bits   int
	}{
		{nil, &config, false, 0},
		{[]string{"permessage-deflate"}, nil, false, 0},
		{[]string{"permessage-deflate"}, &config, true, 15},
		{[]string{"x-other", "permessage-deflate; server_max_window_bits=77, permessage-deflate; server_max_window_bits=10"}, &config, true, 10},
		{[]string{"permessage-deflate; nonsense"}, &config, false, 0},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Sec-Websocket-Extensions"] = c.offers
		agreed := (&Upgrade{Request: r}).Deflate(c.config)
		equal(t, "agreed", agreed.Agreed, c.agreed)
		equal(t, "window", agreed.SendWindowBits, c.bits)
	}
}

func TestUpgradeSendsWhatIsAgreed(t *testing.T) {
	config, err := wscore.DeflateConfig{}.WithDefaults()
	must(t, err)
	results := make(chan upgraded, 1)
	addr := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var got upgraded
		u, err := NewUpgrade(r, nil)
		if err == nil {
			got.conn, got.early, err = u.Accept(w, wscore.Answer{Deflate: u.Deflate(&config)}, patience)
		}
		got.err = err
		results <- got
	}), nil)
	_, response := exchange(t, addr, head(http.Header{"Sec-WebSocket-Extensions": {"permessage-deflate; client_max_window_bits"}}))
	got := receive(t, "the connection", results)
	must(t, got.err, got.conn.Close())
	equal(t, "extensions", response.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
}
