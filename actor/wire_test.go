package actor_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

func TestEchoOverTheWire(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{})
	peer := h.dial(t)
	for _, size := range []int{0, 1, 125, 126, 127, 4095, 4096, 65535, 65536, 1 << 20} {
		payload := bytes.Repeat([]byte{0xA5, 1}, size/2+1)[:size]
		must(t, peer.Binary(payload), peer.ExpectBinary(payload))
	}
	must(t, peer.Text("Grüße, 世界"), peer.ExpectText("Grüße, 世界"))
	must(t, peer.Close(1000, "bye"), peer.ExpectClose(1000), peer.ExpectEOF())
	closed := h.observer.waitClosed(t, 1)[0]
	want := actor.Closed{Code: 1000, Reason: "bye", Initiator: actor.Remote, Cause: actor.CausePeer}
	if closed != want {
		t.Errorf("closed with %+v, want %+v", closed, want)
	}
}

func TestPipelinedMessagesAreAnsweredInOrder(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{})
	peer := h.dial(t)
	const count = 200
	var wire []byte
	for i := range count {
		wire = rawpeer.AppendFrame(wire, peer.NewFrame(true, rawpeer.OpText, []byte(strings.Repeat("x", i))))
	}
	must(t, peer.WriteRaw(wire))
	for i := range count {
		must(t, peer.ExpectText(strings.Repeat("x", i)))
	}
}

func TestFragmentsWithControlFramesBetween(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{})
	peer := h.dial(t)
	must(t, peer.WriteFrames(
		peer.NewFrame(false, rawpeer.OpText, []byte("one ")),
		peer.NewFrame(true, rawpeer.OpPing, []byte("beat")),
		peer.NewFrame(false, rawpeer.OpContinuation, nil),
		peer.NewFrame(true, rawpeer.OpContinuation, []byte("two")),
	))
	must(t, peer.ExpectPong([]byte("beat")), peer.ExpectText("one two"))
}

func TestBytesInAnyPieces(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{})
	peer := h.dial(t)
	text := strings.Repeat("ä", 150)
	must(t, peer.WriteChopped(rawpeer.AppendFrame(nil, peer.NewFrame(true, rawpeer.OpText, []byte(text))), 1), peer.ExpectText(text))
	must(t, peer.WriteChopped(rawpeer.AppendFrame(nil, peer.NewFrame(true, rawpeer.OpPing, []byte("p"))), 1), peer.ExpectPong([]byte("p")))
}

func TestViolationsAreAnsweredWithTheCloseCodeDue(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{MaxMessageBytes: 1000}})
	for _, c := range []struct {
		name  string
		send  func(p *rawpeer.Peer) error
		code  uint16
		cause actor.Cause
	}{
		{"unmasked frame", func(p *rawpeer.Peer) error {
			return p.WriteFrame(rawpeer.Frame{Fin: true, Opcode: rawpeer.OpText, Payload: []byte("x")})
		}, 1002, actor.CauseProtocol},
		{"reserved bit", func(p *rawpeer.Peer) error {
			f := p.NewFrame(true, rawpeer.OpText, nil)
			f.RSV = 4
			return p.WriteFrame(f)
		}, 1002, actor.CauseProtocol},
		{"reserved opcode", func(p *rawpeer.Peer) error { return p.WriteFrame(p.NewFrame(true, 3, nil)) }, 1002, actor.CauseProtocol},
		{"continuation of nothing", func(p *rawpeer.Peer) error {
			return p.WriteFrame(p.NewFrame(true, rawpeer.OpContinuation, nil))
		}, 1002, actor.CauseProtocol},
		{"text that is not UTF-8", func(p *rawpeer.Peer) error {
			return p.WriteFrame(p.NewFrame(true, rawpeer.OpText, []byte{0xFF}))
		}, 1007, actor.CauseProtocol},
		{"message over the limit", func(p *rawpeer.Peer) error { return p.Binary(make([]byte, 1001)) }, 1009, actor.CauseLimit},
		{"fragments over the limit", func(p *rawpeer.Peer) error {
			return p.WriteFrames(p.NewFrame(false, rawpeer.OpBinary, make([]byte, 600)), p.NewFrame(true, rawpeer.OpContinuation, make([]byte, 600)))
		}, 1009, actor.CauseLimit},
		{"empty fragments without end", func(p *rawpeer.Peer) error {
			wire := rawpeer.AppendFrame(nil, p.NewFrame(false, rawpeer.OpText, nil))
			for range 100 {
				wire = rawpeer.AppendFrame(wire, p.NewFrame(false, rawpeer.OpContinuation, nil))
			}
			return p.WriteRaw(wire)
		}, 1008, actor.CauseLimit},
		{"close code that may not be sent", func(p *rawpeer.Peer) error {
			return p.WriteFrame(p.NewFrame(true, rawpeer.OpClose, []byte{1005 >> 8, 1005 & 0xFF}))
		}, 1002, actor.CauseProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			peer := h.dial(t)
			before := len(h.observer.waitClosed(t, 0))
			must(t, peer.Text("first"), c.send(peer))
			must(t, peer.ExpectText("first"), peer.ExpectClose(c.code), peer.ExpectEOF(), peer.Shut())
			closed := h.observer.waitClosed(t, before+1)[before]
			if uint16(closed.Code) != c.code || closed.Cause != c.cause || closed.Initiator != actor.Local {
				t.Errorf("closed with %+v, want code %d, cause %v, initiator local", closed, c.code, c.cause)
			}
		})
	}
}

func TestStreamThatEndsWithoutACloseFrameIs1006(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{})
	peer := h.dial(t)
	must(t, peer.Text("x"), peer.ExpectText("x"), peer.Shut())
	closed := h.observer.waitClosed(t, 1)[0]
	if closed.Code != wscore.CloseAbnormal || closed.Initiator != actor.Remote || closed.Cause != actor.CausePeer || closed.Err == nil {
		t.Errorf("closed with %+v", closed)
	}
}

func TestRepliesToEarlierMessagesLeaveBeforeTheCloseFrame(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{})
	peer := h.dial(t)
	must(t, peer.WriteFrames(
		peer.NewFrame(true, rawpeer.OpText, []byte("a")),
		peer.NewFrame(true, rawpeer.OpText, []byte("b")),
		peer.NewFrame(true, rawpeer.OpClose, rawpeer.ClosePayload(4000, "done")),
		peer.NewFrame(true, rawpeer.OpText, []byte("after close, to be ignored")),
	))
	must(t, peer.ExpectText("a"), peer.ExpectText("b"), peer.ExpectClose(4000), peer.ExpectEOF())
}

func TestHandshakesThatAreNoneAreRefusedWithTheStatusDue(t *testing.T) {
	h := serve(t, func(hs *actor.Handshake) (actor.Receiver, error) {
		switch hs.Request().URL.Path {
		case "/denied":
			return nil, actor.Reject(http.StatusUnauthorized, "token")
		case "/panic":
			panic("producer")
		case "/header":
			hs.AddHeader("X-Bad", "a\r\nb")
		}
		return &receive{f: echo}, nil
	}, actor.ServerConfig{})
	for _, c := range []struct {
		name, path, drop string
		set              http.Header
		method           string
		status           int
		reason, body     string
	}{
		{name: "plain request", drop: "Upgrade", status: 426, reason: "upgrade", body: "WebSocket"},
		{name: "without Connection", drop: "Connection", status: 400, reason: "connection", body: "Connection"},
		{name: "without key", drop: "Sec-Websocket-Key", status: 400, reason: "key", body: "Sec-WebSocket-Key"},
		{name: "short key", set: http.Header{"Sec-Websocket-Key": {"c2hvcnQ="}}, status: 400, reason: "key", body: "16 bytes"},
		{name: "old version", set: http.Header{"Sec-Websocket-Version": {"8"}}, status: 426, reason: "version", body: "13"},
		{name: "post", method: http.MethodPost, status: 405, reason: "method", body: "GET"},
		{name: "foreign origin", set: http.Header{"Origin": {"https://evil.example"}}, status: 403, reason: "origin", body: "origin"},
		{name: "refused by the application", path: "/denied", status: 401, reason: "rejected", body: "token"},
		{name: "panic in the producer", path: "/panic", status: 500, reason: "panic", body: "internal error"},
		{name: "header injection", path: "/header", status: 500, reason: "header_field", body: "header field"},
	} {
		t.Run(c.name, func(t *testing.T) {
			method := c.method
			if method == "" {
				method = http.MethodGet
			}
			request, err := http.NewRequest(method, "http://"+h.addr+c.path, nil)
			must(t, err)
			request.Header = http.Header{"Upgrade": {"websocket"}, "Connection": {"keep-alive, Upgrade"},
				"Sec-Websocket-Key": {rawpeer.NewHandshakeKey()}, "Sec-Websocket-Version": {"13"}}
			for name, values := range c.set {
				request.Header[name] = values
			}
			delete(request.Header, c.drop)
			var before int
			h.observer.wait(t, "nothing", func(r *recorder) bool { before = len(r.refused); return true })
			response, err := http.DefaultTransport.RoundTrip(request)
			must(t, err)
			defer func() { _ = response.Body.Close() }()
			var body bytes.Buffer
			_, err = body.ReadFrom(response.Body)
			must(t, err)
			if response.StatusCode != c.status || !strings.Contains(body.String(), c.body) {
				t.Errorf("got %d %q, want %d with %q", response.StatusCode, body.String(), c.status, c.body)
			}
			if c.reason == "version" && response.Header.Get("Sec-WebSocket-Version") != "13" {
				t.Error("the version that is spoken is not named")
			}
			h.observer.wait(t, "the refusal's metric", func(r *recorder) bool {
				return len(r.refused) == before+1 && r.refused[before] == c.reason
			})
		})
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestAllowedOriginsMayConnect(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{AllowOrigins: []string{"*.example.com"}})
	peer, _, err := rawpeer.DialClient(h.addr, "/", http.Header{"Origin": {"https://chat.example.com"}})
	must(t, err)
	defer func() { _ = peer.Shut() }()
	must(t, peer.Text("x"), peer.ExpectText("x"))
	_, response, err := rawpeer.DialClient(h.addr, "/", http.Header{"Origin": {"https://example.net"}})
	if err == nil || response == nil || response.Status != http.StatusForbidden {
		t.Errorf("foreign origin: %v, %+v", err, response)
	}
}

func TestEarlyBytesBehindTheHandshakeAreKept(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{})
	peer := h.dial(t) // for its frame encoding only
	conn := dialTCP(t, h.addr)
	head := rawpeer.RequestHead(h.addr, "/", rawpeer.NewHandshakeKey(), nil)
	head = rawpeer.AppendFrame(head, peer.NewFrame(true, rawpeer.OpText, []byte("early")))
	early, response, err := rawpeer.ExchangeHead(conn, head)
	must(t, err)
	if response.Status != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", response.Status)
	}
	must(t, early.ExpectText("early"), early.Text("late"), early.ExpectText("late"))
}

func TestSubprotocolIsChosenByServerPreference(t *testing.T) {
	chosen := make(chan string, 1)
	h := serve(t, func(hs *actor.Handshake) (actor.Receiver, error) {
		chosen <- hs.SelectSubprotocol("v2", "v1")
		return &receive{f: echo}, nil
	}, actor.ServerConfig{})
	peer, response, err := rawpeer.DialClient(h.addr, "/", http.Header{"Sec-WebSocket-Protocol": {"v0, v1, v2"}})
	must(t, err)
	defer func() { _ = peer.Shut() }()
	if got := <-chosen; got != "v2" || response.Header.Get("Sec-WebSocket-Protocol") != "v2" {
		t.Errorf("chose %q, answered %q", got, response.Header.Get("Sec-WebSocket-Protocol"))
	}
}

func TestConnectionsOverTheLimitAreRefusedBeforeTheUpgrade(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{MaxConnections: 1})
	first := h.dial(t)
	_, response, err := rawpeer.DialClient(h.addr, "/", nil)
	if err == nil || response == nil || response.Status != http.StatusServiceUnavailable {
		t.Fatalf("second connection: %v, %+v", err, response)
	}
	must(t, first.Close(1000, ""), first.ExpectClose(1000))
	h.observer.waitClosed(t, 1)
	// The place is free once the session has ended too.
	for deadline := time.Now().Add(10 * time.Second); ; {
		second, _, err := rawpeer.DialClient(h.addr, "/", nil)
		if err == nil {
			must(t, second.Shut())
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestPingRoundTripIsMeasured(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{PingInterval: 100 * time.Millisecond, PingMisses: 100}}) // a busy machine is not a dead peer
	began := time.Now()
	peer := h.dial(t)
	must(t, peer.Text("x"), peer.ExpectText("x"))
	go func() {
		for {
			event, err := peer.ReadEvent()
			if err != nil {
				return
			}
			if event.Opcode == rawpeer.OpPing && peer.Pong(event.Payload) != nil {
				return
			}
		}
	}()
	h.observer.wait(t, "round trips", func(r *recorder) bool {
		return len(r.roundTrips) >= 2 && r.roundTrips[0] > 0 && r.roundTrips[0] < time.Since(began)
	})
}
