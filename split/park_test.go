package split

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

// parkTest is a server's reader on a parked transport, and the handler too.
type parkTest struct {
	Transport
	t       *testing.T
	reader  *Reader
	pool    *Pool
	found   chan string // messages
	blocked chan int    // buffers in use each time a read found nothing
	drained chan rest   // how things stood each time everything was dealt with
	ended   chan error  // what ended the stream
	fills   atomic.Int32
	arrived atomic.Int64
	// after, when set, says what to do after a message; Park means to go on.
	after func(message string) Verdict
}

// rest is how a reader stands when it has dealt with everything.
type rest struct {
	arrived int // bytes since the start
	inUse   int // buffers
}

// park attaches a handler to conn. The transport is closed with the test, and
// its goroutine has to end then.
func park(t *testing.T, conn net.Conn, early string, after func(string) Verdict) *parkTest {
	t.Helper()
	config, _ := newConfig(t, Config{})
	r, _, err := New(wscore.Server, config, wscore.DeflateParams{})
	must(t, err)
	h := &parkTest{
		t: t, reader: r, pool: config.Pool, after: after, found: make(chan string, 100),
		blocked: make(chan int, 100_000), drained: make(chan rest, 100_000), ended: make(chan error, 10),
	}
	h.Transport, err = attach(conn, []byte(early), h)
	must(t, err)
	return h
}

// attach parks the connection. Where there is another readiness, its streams
// are told apart by their type.
var attach = func(conn net.Conn, early []byte, h Handler) (Transport, error) {
	return Parked{}.Attach(conn, early, h)
}

// Fill reads into the half.
func (h *parkTest) Fill(source io.Reader) error {
	h.fills.Add(1)
	err := h.reader.Fill(readerFunc(func(p []byte) (int, error) {
		n, err := source.Read(p)
		h.arrived.Add(int64(n))
		return n, err
	}))
	if err == ErrWouldBlock {
		h.blocked <- h.pool.InUse()
	}
	return err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Drain hands the messages to the test.
func (h *parkTest) Drain(err error) Verdict {
	if err != nil {
		_ = h.reader.End(err)
		h.ended <- err
		return Stop
	}
	for {
		event, err := h.reader.Next()
		if err != nil {
			h.t.Errorf("violation: %v", err)
			return Stop
		}
		if event.Kind == NeedMore {
			h.reader.Rest()
			h.drained <- rest{int(h.arrived.Load()), h.pool.InUse()}
			if h.reader.Unfinished() {
				return ReadMore
			}
			return Park
		}
		if event.Kind != Message {
			continue
		}
		message := string(event.Buffer.Payload())
		event.Buffer.Release()
		verdict := Park
		if h.after != nil {
			verdict = h.after(message)
		}
		if verdict == Stop {
			h.reader.Discard()
		}
		h.found <- message
		if verdict != Park {
			return verdict
		}
	}
}

// finds waits for exactly these messages.
func (h *parkTest) finds(messages ...string) {
	h.t.Helper()
	for _, want := range messages {
		if got := receive(h.t, "a message", h.found); got != want {
			h.t.Fatalf("found %.100q, want %.100q", got, want)
		}
	}
}

// ends waits for the end of the stream.
func (h *parkTest) ends(want error) {
	h.t.Helper()
	if err := receive(h.t, "the end", h.ended); !errors.Is(err, want) {
		h.t.Errorf("ended with %v, want %v", err, want)
	}
	if len(h.ended) != 0 {
		h.t.Error("ended twice")
	}
}

// stream makes the two ends of a connection.
type stream func(t *testing.T) (server, client net.Conn)

// streams are the kinds that wait in different ways.
var streams = map[string]stream{
	"tcp":  func(t *testing.T) (net.Conn, net.Conn) { return loopback(t, "tcp", "127.0.0.1:0") },
	"unix": func(t *testing.T) (net.Conn, net.Conn) { return loopback(t, "unix", filepath.Join(t.TempDir(), "s")) },
	"tls":  overTLS,
	"pipe": func(*testing.T) (net.Conn, net.Conn) { return net.Pipe() },
}

func loopback(t *testing.T, network, address string) (server, client net.Conn) {
	t.Helper()
	listener, err := net.Listen(network, address)
	must(t, err)
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, _ := listener.Accept()
		accepted <- conn
	}()
	client, err = net.Dial(network, listener.Addr().String())
	must(t, err)
	if server = receive(t, "a connection", accepted); server == nil {
		t.Fatal("not accepted")
	}
	return server, client
}

func overTLS(t *testing.T) (server, client net.Conn) {
	t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	trusted := x509.NewCertPool()
	trusted.AddCert(web.Certificate())
	certificates := web.TLS.Certificates
	web.Close()
	plainServer, plainClient := loopback(t, "tcp", "127.0.0.1:0")
	s := tls.Server(plainServer, &tls.Config{Certificates: certificates})
	c := tls.Client(plainClient, &tls.Config{RootCAs: trusted, ServerName: "example.com"})
	shaken := make(chan error, 1)
	go func() { shaken <- s.Handshake() }()
	must(t, c.Handshake(), receive(t, "the handshake", shaken))
	return s, c
}

// onEveryStream runs a test on each kind of stream. What the test returns is
// closed at its end, and no goroutine may be left then.
func onEveryStream(t *testing.T, f func(t *testing.T, server, client net.Conn)) {
	for name, open := range streams {
		t.Run(name, func(t *testing.T) {
			server, client := open(t)
			defer goleak.VerifyNone(t)
			defer server.Close()
			defer client.Close()
			f(t, server, client)
		})
	}
}

func TestMessagesAreFoundAsTheyCome(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		h := park(t, server, "", nil)
		defer h.Close()
		h.Start()
		peer := rawpeer.New(client, rawpeer.Client)
		for range 3 {
			must(t, peer.Text("one"))
			h.finds("one")
		}
		must(t, peer.WriteRaw([]byte(clientFrames(textFrame("two"), textFrame(pattern7(70_000)), textFrame("three")))))
		h.finds("two", pattern7(70_000), "three")
		must(t, peer.WriteChopped([]byte(clientFrames(textFrame("in"), textFrame("single bytes"))), 1))
		h.finds("in", "single bytes")
	})
}

// The byte that ends a message must not be taken for the first of the next.
func TestMessageWhoseLastByteArrivesAloneIsDeliveredAtOnce(t *testing.T) {
	for _, size := range []int{0, 1, 200, 10_000, 70_000} {
		onEveryStream(t, func(t *testing.T, server, client net.Conn) {
			h := park(t, server, "", nil)
			defer h.Close()
			h.Start()
			peer := rawpeer.New(client, rawpeer.Client)
			wire := []byte(clientFrames(textFrame(pattern7(size))))
			for i := range 2 {
				must(t, peer.WriteRaw(wire[:len(wire)-1]))
				for receive(t, "the reader", h.drained).arrived < (i+1)*len(wire)-1 {
				}
				must(t, peer.WriteRaw(wire[len(wire)-1:]))
				h.finds(pattern7(size))
			}
		})
	}
}

func TestEarlyBytesComeFirst(t *testing.T) {
	early := clientFrames(textFrame("one"), textFrame(pattern7(10_000)), textFrame("two"), textFrame("cut in two"))
	for _, cut := range []int{1, 2, 100, 6000, len(early) - 14, len(early) - 1, len(early)} {
		onEveryStream(t, func(t *testing.T, server, client net.Conn) {
			h := park(t, server, early[:cut], nil)
			defer h.Close()
			h.Start()
			peer := rawpeer.New(client, rawpeer.Client)
			must(t, peer.WriteRaw([]byte(early[cut:])), peer.Text("late"))
			h.finds("one", pattern7(10_000), "two", "cut in two", "late")
		})
	}
}

func TestEarlyBytesAreDeliveredWithoutAnyRead(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		h := park(t, server, clientFrames(textFrame("early")), nil)
		defer h.Close()
		h.Start()
		h.finds("early")
	})
}

func TestNothingIsReadBeforeStart(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, _ net.Conn) {
		h := park(t, server, clientFrames(textFrame("early")), nil)
		must(t, h.Close())
		equal(t, "fills", h.fills.Load(), 0)
	})
}

// Pausing.

func TestPauseKeepsWhatWasReadUntilResume(t *testing.T) {
	wire := clientFrames(textFrame("one"), textFrame("two"), textFrame("three"))
	for name, early := range map[string]string{"": "", "early": wire} {
		t.Run(name, func(t *testing.T) {
			onEveryStream(t, func(t *testing.T, server, client net.Conn) {
				h := park(t, server, early, func(message string) Verdict {
					if message == "four" {
						return Park
					}
					return Pause
				})
				defer h.Close()
				h.Start()
				peer := rawpeer.New(client, rawpeer.Client)
				must(t, peer.WriteRaw([]byte(wire[len(early):])))
				for _, message := range []string{"one", "two", "three"} {
					h.finds(message)
					equal(t, "messages found while paused", len(h.found), 0)
					h.Resume()
				}
				must(t, peer.Text("four"))
				h.finds("four")
			})
		})
	}
}

func TestResumeMayComeBeforeThePause(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		var h *parkTest
		h = park(t, server, "", func(string) Verdict {
			h.Resume()
			h.Resume() // twice is no more than once
			return Pause
		})
		defer h.Close()
		h.Start()
		must(t, rawpeer.New(client, rawpeer.Client).WriteRaw([]byte(clientFrames(textFrame("one"), textFrame("two")))))
		h.finds("one", "two")
	})
}
