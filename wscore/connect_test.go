package wscore

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// fakeServer is a stream that answers a client's request, once it is whole,
// with what respond makes of it.
type fakeServer struct {
	tape
	t       *testing.T
	request *http.Request
	respond func(key string) string
}

func (s *fakeServer) Read(p []byte) (int, error) {
	if s.request == nil {
		request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(s.out.Bytes())))
		if err != nil {
			s.t.Errorf("%q is no HTTP request: %v", s.out.String(), err)
			return 0, io.EOF
		}
		s.request = request
		s.in = []byte(s.respond(request.Header.Get("Sec-WebSocket-Key")))
	}
	return s.tape.Read(p)
}

// acceptByDefinition is RFC 6455 section 4.2.2, 5.4 written out.
func acceptByDefinition(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// responseText puts a response together; the example's accept value stands for
// the one that fits the key.
func responseText(status string, fields [][2]string, key string) string {
	text := requestText("HTTP/1.1 "+status, fields)
	return strings.ReplaceAll(text, rfcAccept, acceptByDefinition(key))
}

func newFakeServer(t *testing.T, status string, fields [][2]string) *fakeServer {
	return &fakeServer{t: t, respond: func(key string) string { return responseText(status, fields, key) }}
}

func TestConnectJudgesEveryResponse(t *testing.T) {
	for _, test := range responseCases {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeServer(t, test.status, test.fields)
			server.chunk = 11
			c, _, err := Connect(server, handshakeBuffers(), ConnectOptions{Host: "server.example.com", Subprotocols: []string{"chat", "superchat"}})
			if test.want == nil {
				if err != nil || c.State() != Open {
					t.Error(err)
				}
				return
			}
			var refusal *HandshakeError
			if !errors.Is(err, test.want) || !errors.As(err, &refusal) || refusal.Status != test.code || c != nil {
				t.Errorf("%v, want %v with status %d", err, test.want, test.code)
			}
			if server.writes != 1 {
				t.Errorf("wrote %q after the request", server.out.String())
			}
		})
	}
}

func TestConnectSendsTheRequestThatWasAskedFor(t *testing.T) {
	keys := map[string]bool{}
	for _, test := range []struct {
		name    string
		options ConnectOptions
		path    string
		header  http.Header
	}{
		{"the least", ConnectOptions{Host: "server.example.com"}, "/", http.Header{}},
		{"everything", ConnectOptions{Host: "[::1]:8080", Path: "/chat?room=1", Subprotocols: []string{"chat", "v1.json", "host"},
			Headers: []HeaderField{{"Origin", "https://a.example"}, {"Cookie", "a=1; b=2"}}}, "/chat?room=1",
			http.Header{"Sec-Websocket-Protocol": {"chat, v1.json, host"}, "Origin": {"https://a.example"}, "Cookie": {"a=1; b=2"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := newFakeServer(t, "101 x", responseFields())
			if _, _, err := Connect(server, handshakeBuffers(), test.options); err != nil {
				t.Fatal(err)
			}
			r := server.request
			if r.Method != "GET" || r.RequestURI != test.path || r.Proto != "HTTP/1.1" || r.Host != test.options.Host {
				t.Errorf("sent %q", server.out.String())
			}
			key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
			if len(key) != 16 || err != nil || keys[string(key)] {
				t.Errorf("key % x, %v", key, err)
			}
			keys[string(key)] = true
			for name, value := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13"} {
				if len(r.Header[name]) != 1 || r.Header.Get(name) != value {
					t.Errorf("%s: %q", name, r.Header[name])
				}
			}
			for _, name := range []string{"Upgrade", "Connection", "Sec-Websocket-Version", "Sec-Websocket-Key"} {
				r.Header.Del(name)
			}
			for name := range test.header {
				if r.Header.Get(name) != test.header.Get(name) {
					t.Errorf("%s: %q", name, r.Header[name])
				}
			}
			if len(r.Header) != len(test.header) || server.writes != 1 {
				t.Errorf("further fields %v in %d writes", r.Header, server.writes)
			}
		})
	}
}

// Nothing is sent when the caller's own request could not be.
func TestConnectRefusesRequestsThatBreakTheHead(t *testing.T) {
	for _, test := range []struct {
		name    string
		options ConnectOptions
		want    error
	}{
		{"no host", ConnectOptions{}, ErrTarget},
		{"CR LF in the host", ConnectOptions{Host: "a\r\nX-Evil: 1"}, ErrTarget},
		{"space in the host", ConnectOptions{Host: "a b"}, ErrTarget},
		{"host beyond ASCII", ConnectOptions{Host: "café.example"}, ErrTarget},
		{"path without a slash", ConnectOptions{Host: "a", Path: "chat"}, ErrTarget},
		{"CR LF in the path", ConnectOptions{Host: "a", Path: "/\r\nX-Evil: 1"}, ErrTarget},
		{"space in the path", ConnectOptions{Host: "a", Path: "/a b"}, ErrTarget},
		{"path beyond ASCII", ConnectOptions{Host: "a", Path: "/café"}, ErrTarget},
		{"fragment in the path", ConnectOptions{Host: "a", Path: "/a#b"}, ErrTarget}, // RFC 6455 section 3
		{"CR LF in a value", ConnectOptions{Host: "a", Headers: []HeaderField{{"X-A", "b\r\nX-Evil: 1"}}}, ErrHeaderField},
		{"CR LF in a name", ConnectOptions{Host: "a", Headers: []HeaderField{{"X-Evil: 1\r\nX-A", "b"}}}, ErrHeaderField},
		{"second Host", ConnectOptions{Host: "a", Headers: []HeaderField{{"HOST", "b"}}}, ErrHeaderField},
		{"second key", ConnectOptions{Host: "a", Headers: []HeaderField{{"Sec-WebSocket-Key", rfcKeyField}}}, ErrHeaderField},
		{"a body", ConnectOptions{Host: "a", Headers: []HeaderField{{"Transfer-Encoding", "chunked"}}}, ErrHeaderField},
		{"an extension nobody speaks", ConnectOptions{Host: "a", Headers: []HeaderField{{"Sec-WebSocket-Extensions", "x"}}}, ErrHeaderField},
		{"empty subprotocol", ConnectOptions{Host: "a", Subprotocols: []string{""}}, ErrSubprotocol},
		{"two subprotocols in one", ConnectOptions{Host: "a", Subprotocols: []string{"a,b"}}, ErrSubprotocol},
		{"CR LF in a subprotocol", ConnectOptions{Host: "a", Subprotocols: []string{"a\r\nX-Evil: 1"}}, ErrSubprotocol},
		{"the same subprotocol twice", ConnectOptions{Host: "a", Subprotocols: []string{"a", "b", "a"}}, ErrSubprotocol}, // RFC 6455 section 4.1
	} {
		t.Run(test.name, func(t *testing.T) {
			stream := &tape{}
			if _, _, err := Connect(stream, handshakeBuffers(), test.options); !errors.Is(err, test.want) || stream.out.Len() != 0 {
				t.Errorf("%v, wrote %q", err, stream.out.String())
			}
		})
	}
}

func TestConnectReturnsTheSubprotocolAndShowsTheResponse(t *testing.T) {
	server := newFakeServer(t, "101 x", append(responseFields(), [2]string{"Sec-WebSocket-Protocol", "chat"}, [2]string{"X-Node", "7"}))
	called := 0
	_, subprotocol, err := Connect(server, handshakeBuffers(), ConnectOptions{Host: "a", Subprotocols: []string{"chat"}, OnResponse: func(r *Response) error {
		called++
		if r.Status() != 101 || string(r.Get("x-node")) != "7" || r.Len() != 5 {
			t.Errorf("saw %d with %d fields", r.Status(), r.Len())
		}
		return nil
	}})
	if err != nil || subprotocol != "chat" || called != 1 {
		t.Errorf("subprotocol %q, %v, hook called %d times", subprotocol, err, called)
	}
}

func TestConnectHookRefuses(t *testing.T) {
	errOwn := errors.New("wrong node")
	c, _, err := Connect(newFakeServer(t, "101 x", responseFields()), handshakeBuffers(),
		ConnectOptions{Host: "a", OnResponse: func(*Response) error { return errOwn }})
	if err != errOwn || c != nil {
		t.Errorf("Connect gave %v", err)
	}
}

func TestConnectKeepsEarlyBytes(t *testing.T) {
	for _, chunk := range []int{0, 1} {
		server := &fakeServer{t: t, respond: func(key string) string {
			return responseText("101 x", responseFields(), key) + string(frame(Server, finText, "early"))
		}}
		server.chunk = chunk
		c, _, err := Connect(server, handshakeBuffers(), ConnectOptions{Host: "a"})
		if err != nil {
			t.Fatal(err)
		}
		if m, err := c.Next(); err != nil || string(m.Payload) != "early" {
			t.Errorf("pieces of %d: %q, %v", chunk, m.Payload, err)
		}
	}
}

func TestConnectReportsWhatTheStreamDoes(t *testing.T) {
	errBroken := errors.New("broken")
	full := func(key string) string { return responseText("101 x", responseFields(), key) }
	for _, test := range []struct {
		name    string
		server  *fakeServer
		respond func(key string) string
		options ConnectOptions
		want    error
	}{
		{"write error", &fakeServer{tape: tape{writeErr: errBroken}}, full, ConnectOptions{}, errBroken},
		{"read error", &fakeServer{tape: tape{end: errBroken}}, func(string) string { return "HTTP/1.1 101" }, ConnectOptions{}, errBroken},
		{"end inside the head", &fakeServer{}, func(string) string { return "HTTP/1.1 101" }, ConnectOptions{}, ErrHandshakeEnded},
		{"malformed head", &fakeServer{}, func(string) string { return "HTTP/1.1 101 x\n\n" }, ConnectOptions{}, ErrHeadSyntax},
		{"head over the read buffer", &fakeServer{}, func(string) string { return "HTTP/1.1 101 " + strings.Repeat("x", 4096) }, ConnectOptions{}, ErrHeadTooLarge},
		{"fields over the limit", &fakeServer{}, full, ConnectOptions{MaxHeaderFields: 2}, ErrTooManyHeaderFields},
		{"reads that bring nothing, for ever", &fakeServer{tape: tape{pauses: 100_000}}, full, ConnectOptions{}, io.ErrNoProgress},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.server.t, test.server.respond, test.options.Host = t, test.respond, "a"
			if c, _, err := Connect(test.server, handshakeBuffers(), test.options); !errors.Is(err, test.want) || c != nil {
				t.Errorf("Connect gave %v", err)
			}
		})
	}
}

// A setting out of range is reported before anything is sent.
func TestConnectChecksItsSettingsFirst(t *testing.T) {
	for _, test := range []struct {
		field   string
		buffers Buffers
		options ConnectOptions
	}{
		{"Buffers.Write", Buffers{Read: make([]byte, MinBuffer)}, ConnectOptions{Host: "a"}},
		{"MaxFragments", handshakeBuffers(), ConnectOptions{Host: "a", Options: Options{Limits: Limits{MaxFragments: -1}}}},
		{"MaxHeaderFields", handshakeBuffers(), ConnectOptions{Host: "a", MaxHeaderFields: MaxHeaderFields + 1}},
	} {
		stream := &tape{}
		_, _, err := Connect(stream, test.buffers, test.options)
		var config *ConfigError
		if !errors.As(err, &config) || config.Field != test.field || stream.out.Len() != 0 {
			t.Errorf("%s: %v, wrote %q", test.field, err, stream.out.String())
		}
	}
}

func TestConnectAndAcceptUnderstandEachOther(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	served := make(chan error, 1)
	go func() {
		c, err := Accept(server, handshakeBuffers(), AcceptOptions{OnRequest: func(_ *Request, a *Answer) error {
			a.Subprotocol = "chat"
			return nil
		}})
		if err == nil {
			err = c.Send(Text([]byte("welcome")))
		}
		served <- err
	}()
	c, subprotocol, err := Connect(client, handshakeBuffers(), ConnectOptions{Host: "a.example", Path: "/x", Subprotocols: []string{"other", "chat"},
		Headers: []HeaderField{{"Origin", "https://a.example"}}})
	if err != nil || subprotocol != "chat" {
		t.Fatalf("Connect gave %q, %v", subprotocol, err)
	}
	if m, err := c.Next(); err != nil || string(m.Payload) != "welcome" {
		t.Errorf("%q, %v", m.Payload, err)
	}
	if err := <-served; err != nil {
		t.Errorf("the server: %v", err)
	}
}
