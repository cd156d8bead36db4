package actortest_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// onMessage is a session that does something with each message.
type onMessage struct {
	conn *actor.Conn
	f    func(conn *actor.Conn, m *actor.Message)
}

func (s *onMessage) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
	case *actor.Message:
		s.f(s.conn, m)
	}
}

func sessions(f func(*actor.Conn, *actor.Message)) actor.NewSession {
	return func(*actor.Handshake) (actor.Receiver, error) { return &onMessage{f: f}, nil }
}

// byWord does what the message's first word says.
func byWord(conn *actor.Conn, m *actor.Message) {
	word, rest, _ := strings.Cut(m.Text(), " ")
	switch word {
	case "echo":
		_ = conn.SendText(rest)
	case "binary":
		_ = conn.SendBinary([]byte(rest))
	case "close":
		_ = conn.Close(4001, rest)
	case "flood":
		for range 100 {
			_ = conn.SendBinary(make([]byte, 8<<10))
		}
	}
}

func TestPeerSaysAndHears(t *testing.T) {
	server := actortest.NewServer(t, sessions(byWord), actor.ServerConfig{})
	for _, test := range []struct {
		name   string
		script func(*testing.T, *actortest.Peer)
	}{
		{"fragments, with a ping between them", func(t *testing.T, p *actortest.Peer) {
			p.SendFrame(wscore.Header{Opcode: wscore.OpText, Masked: true, Key: 0x01020304}, []byte("echo h"))
			p.Ping("are you there")
			p.ExpectPong("are you there")
			p.SendFrame(wscore.Header{Fin: true, Opcode: wscore.OpContinuation, Masked: true}, []byte("i"))
			p.ExpectText("hi")
			p.SendFragments(wscore.OpText, []byte("echo "), []byte("three "), []byte("pieces"))
			p.ExpectText("three pieces")
		}},
		{"binary", func(t *testing.T, p *actortest.Peer) {
			p.SendBinary([]byte("binary abc"))
			p.ExpectBinary([]byte("abc"))
			p.SendText("echo taken")
			if m := p.Next(); !m.IsText() || string(m.Payload) != "taken" {
				t.Errorf("next is %v %q", m.Opcode, m.Payload)
			}
		}},
		{"a pong that overtakes leaves the message where it is", func(t *testing.T, p *actortest.Peer) {
			p.SendText("echo first")
			p.Ping("second")
			p.ExpectPong("second")
			p.ExpectText("first")
		}},
		{"a close by the session", func(t *testing.T, p *actortest.Peer) {
			p.SendText("close enough")
			if reason := p.ExpectClose(4001); reason != "enough" {
				t.Errorf("reason %q", reason)
			}
			p.Close(1000, "") // was answered already
		}},
		{"text that is none", func(t *testing.T, p *actortest.Peer) {
			p.SendFrame(wscore.Header{Fin: true, Opcode: wscore.OpText, Masked: true}, []byte{0xFF})
			p.ExpectClose(1007)
		}},
		{"a header that no frame may have", func(t *testing.T, p *actortest.Peer) {
			p.SendRaw([]byte{0x83, 0x80})
			p.ExpectClose(1002)
		}},
		{"half a frame and then nothing more", func(t *testing.T, p *actortest.Peer) {
			p.SendRaw([]byte{0x81})
			p.CloseWrite()
			p.ExpectClose(wscore.CloseAbnormal)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.script(t, actortest.Connect(t, server, actortest.Options{}))
		})
	}
}

func TestHandshake(t *testing.T) {
	server := actortest.NewServer(t, func(h *actor.Handshake) (actor.Receiver, error) {
		if h.Request().Header.Get("Authorization") != "Bearer secret" {
			return nil, actor.Reject(http.StatusUnauthorized, "token")
		}
		h.SelectSubprotocol("b", "a")
		return &onMessage{f: byWord}, nil
	}, actor.ServerConfig{ConnConfig: actor.ConnConfig{Deflate: &wscore.DeflateConfig{}}})
	mux := http.NewServeMux()
	mux.Handle("/ws", server)

	deflate := wscore.DeflateConfig{}
	options := actortest.Options{Path: "/ws?room=1", Subprotocols: []string{"a", "b"}, Headers: []actortest.HeaderField{{Name: "Authorization", Value: "Bearer secret"}}}
	options.Deflate = &deflate
	peer := actortest.Connect(t, mux, options)
	if peer.Subprotocol() != "b" {
		t.Errorf("subprotocol %q", peer.Subprotocol())
	}
	long := strings.Repeat("compressible ", 1000)
	peer.SendText("echo " + long)
	peer.ExpectText(long)

	for path, want := range map[string]int{"/ws": 401, "/elsewhere": 404} {
		if status := actortest.ConnectRefused(t, mux, actortest.Options{Path: path}); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
}

func TestNewPeerOverAListener(t *testing.T) {
	server := actortest.NewServer(t, sessions(byWord), actor.ServerConfig{})
	listener := actortest.NewListener()
	web := &http.Server{Handler: server, ReadHeaderTimeout: time.Second}
	served := make(chan error)
	go func() { served <- web.Serve(listener) }()
	defer func() {
		_ = web.Close()
		<-served
	}()
	for i := range 3 {
		stream, err := listener.Dial()
		if err != nil {
			t.Fatal(err)
		}
		peer, err := actortest.NewPeer(t, stream, actortest.Options{})
		if err != nil {
			t.Fatal(err)
		}
		peer.SendText(fmt.Sprint("echo ", i))
		peer.ExpectText(fmt.Sprint(i))
	}
}

// causes keeps why connections ended.
type causes struct {
	actor.NopObserver
	mu  sync.Mutex
	all []actor.Cause
}

func (c *causes) ConnectionClosed(closed actor.Closed, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, closed.Cause)
}

func TestPeersThatMisbehave(t *testing.T) {
	for _, test := range []struct {
		name   string
		script func(*testing.T, *actortest.Peer)
		cause  actor.Cause
	}{
		{"one that answers pings stays", func(t *testing.T, p *actortest.Peer) {
			p.ExpectNothing(time.Hour)
			p.Close(1000, "")
			p.ExpectClose(1000)
		}, actor.CausePeer},
		{"one that only takes what comes is found by the heartbeat", func(t *testing.T, p *actortest.Peer) {
			p.Mute()
			p.Timeout = time.Hour
			p.Pong(p.ExpectPing())
			p.ExpectPing()
			p.ExpectClose(1011)
		}, actor.CauseHeartbeat},
		{"one that answers no close frame is cut off", func(t *testing.T, p *actortest.Peer) {
			p.Mute()
			p.SendText("close now")
			began := time.Now()
			p.ExpectClose(4001)
			p.ExpectNothing(5*time.Second - time.Millisecond)
			p.ExpectEnd()
			if waited := time.Since(began); waited != 5*time.Second {
				t.Errorf("cut off after %v", waited)
			}
		}, actor.CauseUser},
		{"one that reads nothing is a slow consumer", func(t *testing.T, p *actortest.Peer) {
			p.StopReading()
			p.SendText("flood")
			time.Sleep(time.Minute)
		}, actor.CauseSlowConsumer},
		{"one that reads again in time gets everything", func(t *testing.T, p *actortest.Peer) {
			p.StopReading()
			for i := range 3 {
				p.SendText(fmt.Sprint("echo ", i))
			}
			p.ExpectNothing(5 * time.Second)
			p.StartReading()
			for i := range 3 {
				p.ExpectText(fmt.Sprint(i))
			}
			p.Disconnect()
		}, actor.CausePeer},
		{"one that disconnects is lost", func(t *testing.T, p *actortest.Peer) { p.Disconnect() }, actor.CausePeer},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ended := &causes{}
				config := actor.ServerConfig{ConnConfig: actor.ConnConfig{Observer: ended, Mailbox: split.MailboxConfig{MaxFrames: 32}}}
				peer := actortest.Connect(t, actortest.NewServer(t, sessions(byWord), config), actortest.Options{})
				test.script(t, peer)
				time.Sleep(time.Minute)
				ended.mu.Lock()
				defer ended.mu.Unlock()
				if len(ended.all) != 1 || ended.all[0] != test.cause {
					t.Errorf("ended by %v, want %v", ended.all, test.cause)
				}
			})
		})
	}
}

// A client under test meets a server that the test plays.
func TestAcceptPlaysTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, err := actor.NewEngine()
		if err != nil {
			t.Fatal(err)
		}
		listener := actortest.NewListener()
		dialer, err := actor.NewDialer(engine, func(*actor.Established) (actor.Receiver, error) { return &onMessage{f: byWord}, nil },
			actor.DialerConfig{Dial: split.DialConfig{URL: "ws://server.example/", DialContext: listener.DialContext}})
		if err != nil {
			t.Fatal(err)
		}
		actortest.ShutdownAtEnd(t, dialer)

		busy := wscore.AcceptOptions{OnRequest: func(*wscore.Request, *wscore.Answer) error { return actor.Reject(503, "busy") }}
		if _, err := actortest.Accept(t, listener, busy); err == nil {
			t.Error("a handshake that was refused has succeeded")
		}
		for range 2 { // it connects again after a restart
			peer, err := actortest.Accept(t, listener, wscore.AcceptOptions{})
			if err != nil {
				t.Fatal(err)
			}
			peer.SendText("echo hello")
			peer.ExpectText("hello")
			peer.Close(1012, "restart")
			peer.ExpectClose(1012)
			peer.Disconnect()
		}
		if err := dialer.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := actortest.Accept(t, listener, wscore.AcceptOptions{}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("nobody dials: %v", err)
		}
	})
}

// A test's failure says what came instead, and what had come before.
func TestFailuresShowWhatCame(t *testing.T) {
	server := actortest.NewServer(t, sessions(byWord), actor.ServerConfig{})
	for _, test := range []struct {
		name   string
		script func(*actortest.Peer)
		want   []string
	}{
		{"another text", func(p *actortest.Peer) {
			p.SendText("echo first")
			p.ExpectText("first")
			p.SendText("echo other")
			p.ExpectText("wanted")
		}, []string{`want text "wanted" of 6 bytes, got text "other" of 5 bytes`, `arrived last: text "first" of 5 bytes, text "other" of 5 bytes`}},
		{"binary in place of text", func(p *actortest.Peer) { p.SendText("binary \x01\x02"); p.ExpectText("\x01\x02") },
			[]string{`want text "\x01\x02" of 2 bytes, got binary 0102 of 2 bytes`}},
		{"a close in place of a message", func(p *actortest.Peer) { p.SendText("close no"); p.Next() },
			[]string{`want a message, got close 4001 "no"`, `close 4001 "no" (answered)`}},
		{"a message in place of a close", func(p *actortest.Peer) { p.SendText("echo no"); p.ExpectClose(1000) },
			[]string{`want close 1000 normal closure, got text "no" of 2 bytes`}},
		{"another close code", func(p *actortest.Peer) { p.SendText("close no"); p.ExpectClose(1000) },
			[]string{`want close 1000 normal closure, got close 4001 "no"`}},
		{"nothing in place of a pong", func(p *actortest.Peer) { p.Timeout = time.Millisecond; p.ExpectPong("x") },
			[]string{`want pong "x" of 1 bytes, but nothing came within 1ms`, "nothing has arrived on this connection"}},
		{"another pong", func(p *actortest.Peer) { p.Ping("a"); p.ExpectPong("b") }, []string{`want pong "b" of 1 bytes, got pong "a" of 1 bytes`}},
		{"no ping", func(p *actortest.Peer) { p.Mute(); p.Timeout = time.Nanosecond; p.ExpectPing() }, []string{"want a ping, but nothing came within 1ns"}},
		{"something in place of nothing", func(p *actortest.Peer) { p.SendText("echo no"); p.ExpectNothing(time.Minute) },
			[]string{`want nothing, got text "no" of 2 bytes`}},
		{"the end in place of nothing", func(p *actortest.Peer) { p.Disconnect(); p.ExpectNothing(time.Minute) },
			[]string{"want nothing, but the connection was lost: "}},
		{"a message after the close", func(p *actortest.Peer) { p.SendText("close now"); p.ExpectClose(4001); p.SendText("x") },
			[]string{"sending text: websocket: ", `arrived last: close 4001 "now" (answered)`}},
		{"text that may not be sent", func(p *actortest.Peer) { p.SendText("\xFF") }, []string{"sending text: websocket: text to send is not UTF-8"}},
		{"a long message is cut", func(p *actortest.Peer) { p.SendText("echo " + strings.Repeat("x", 100)); p.ExpectText("x") },
			[]string{strings.Repeat("x", 64) + `"... of 100 bytes`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			failed := &failing{TB: t}
			peer := actortest.Connect(failed, server, actortest.Options{})
			failed.run(func() { test.script(peer) })
			for _, want := range test.want {
				if !strings.Contains(failed.text, want) {
					t.Errorf("failed with\n%s\nwhich lacks\n%s", failed.text, want)
				}
			}
		})
	}
}

func TestHandshakesThatGoWrongFailTheTest(t *testing.T) {
	server := actortest.NewServer(t, sessions(byWord), actor.ServerConfig{})
	for _, test := range []struct {
		name string
		call func(actortest.TB)
		want string
	}{
		{"refused", func(t actortest.TB) { actortest.Connect(t, http.NotFoundHandler(), actortest.Options{}) }, "did not switch protocols"},
		{"accepted", func(t actortest.TB) { actortest.ConnectRefused(t, server, actortest.Options{}) }, "was accepted"},
		{"not begun", func(t actortest.TB) { actortest.ConnectRefused(t, server, actortest.Options{Path: "no slash"}) }, "handshake: "},
		{"server's config", func(t actortest.TB) { actortest.NewServer(t, nil, actor.ServerConfig{}) }, "newSession"},
	} {
		t.Run(test.name, func(t *testing.T) {
			failed := &failing{TB: t}
			failed.run(func() { test.call(failed) })
			if !strings.Contains(failed.text, test.want) {
				t.Errorf("failed with %q", failed.text)
			}
		})
	}
}

// A session that keeps a buffer and one that panics show in the test.
func TestWhatSessionsDoWrongShows(t *testing.T) {
	for _, test := range []struct {
		name    string
		session func(*actor.Conn, *actor.Message)
		want    string
	}{
		{"a buffer that is kept", func(conn *actor.Conn, m *actor.Message) { m.Take(); _ = conn.SendText("done") }, "1 message buffers are out"},
		{"a panic", func(conn *actor.Conn, m *actor.Message) { panic("no such thing") }, "no such thing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			failed := &failing{TB: t}
			peer := actortest.Connect(t, actortest.NewServer(failed, sessions(test.session), actor.ServerConfig{}), actortest.Options{})
			peer.SendText("go")
			if test.name == "a panic" {
				peer.ExpectClose(1011)
			} else {
				peer.ExpectText("done")
			}
			peer.Disconnect()
			failed.end()
			if !strings.Contains(failed.text+failed.logged(), test.want) {
				t.Errorf("failed with %q, logged %q", failed.text, failed.logged())
			}
		})
	}
}

func TestSessionThatIsStuckShows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		failed := &failing{TB: t}
		server := actortest.NewServer(failed, sessions(func(*actor.Conn, *actor.Message) { <-stuck }), actor.ServerConfig{})
		actortest.Connect(t, server, actortest.Options{}).SendText("go")
		synctest.Wait()
		failed.end()
		if !strings.Contains(failed.text, "stuck in Receive") {
			t.Errorf("failed with %q", failed.text)
		}
		close(stuck)
	})
}

// failing is a test whose failures are kept.
type failing struct {
	testing.TB
	text    string
	cleanup []func()
	mu      sync.Mutex
	log     []string
}

func (f *failing) Cleanup(g func()) { f.cleanup = append(f.cleanup, g) }
func (f *failing) Logf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, fmt.Sprintf(format, args...))
}
func (f *failing) Errorf(format string, args ...any) { f.text += fmt.Sprintf(format, args...) }

var errFatal = errors.New("fatal")

func (f *failing) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	panic(errFatal)
}

func (f *failing) logged() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.log, "\n")
}

// run calls g until it ends or fails, and then cleans up.
func (f *failing) run(g func()) {
	defer f.end()
	defer func() {
		if v := recover(); v != nil && v != errFatal {
			panic(v)
		}
	}()
	g()
	f.Errorf("did not fail")
}

func (f *failing) end() {
	for len(f.cleanup) > 0 {
		last := len(f.cleanup) - 1
		g := f.cleanup[last]
		f.cleanup = f.cleanup[:last]
		g()
	}
}
