package wscore

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// requestText puts a request together.
func requestText(line string, fields [][2]string) string {
	var b strings.Builder
	b.WriteString(line + "\r\n")
	for _, field := range fields {
		b.WriteString(field[0] + ": " + field[1] + "\r\n")
	}
	return b.String() + "\r\n"
}

var correctRequest = requestText("GET /chat HTTP/1.1", requestFields())

// handshakeBuffers have a window for heads of a common size.
func handshakeBuffers() Buffers {
	return Buffers{Read: make([]byte, 4096), Write: make([]byte, 512), Message: make([]byte, 1024)}
}

// answerOn reads the HTTP response on the wire with net/http, as a second
// opinion. What follows it is returned too.
func answerOn(t *testing.T, wire []byte) (response *http.Response, body string, rest []byte) {
	t.Helper()
	reader := bufio.NewReader(bytes.NewReader(wire))
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatalf("%q is no HTTP response: %v", wire, err)
	}
	if response.StatusCode != 101 {
		all, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatalf("body of %q: %v", wire, err)
		}
		body = string(all)
	}
	rest, _ = io.ReadAll(reader)
	return response, body, rest
}

const correctAnswer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: " + rfcAccept + "\r\n\r\n"

func TestAcceptAnswersEveryRequestOnTheWire(t *testing.T) {
	type wireCase struct {
		name, head string
		options    AcceptOptions
		want       *HandshakeError
		status     int
	}
	var cases []wireCase
	for _, test := range requestCases {
		cases = append(cases, wireCase{test.name, requestText(test.line, test.fields), AcceptOptions{}, test.want, test.status})
	}
	get := func(target string) string { return requestText("GET "+target+" HTTP/1.1", requestFields()) }
	cases = append(cases,
		wireCase{"malformed head", "GET / HTTP/1.1\nHost: x\n\n", AcceptOptions{}, ErrHeadSyntax, 400},
		wireCase{"folded line", "GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", AcceptOptions{}, ErrHeadSyntax, 400},
		wireCase{"head over the read buffer", get("/" + strings.Repeat("x", 4096)), AcceptOptions{}, ErrHeadTooLarge, 431},
		wireCase{"fields over the limit", get("/"), AcceptOptions{MaxHeaderFields: 4}, ErrTooManyHeaderFields, 431},
		wireCase{"fields at the limit", get("/"), AcceptOptions{MaxHeaderFields: 5}, nil, 101},
		wireCase{"fields over the default limit", requestText("GET / HTTP/1.1", append(requestFields(), slices.Repeat([][2]string{{"A", "b"}}, 124)...)), AcceptOptions{}, ErrTooManyHeaderFields, 431},
		wireCase{"target without a slash", get("chat"), AcceptOptions{}, ErrTargetForm, 400},
		wireCase{"target of a proxy", get("server.example.com:80"), AcceptOptions{}, ErrTargetForm, 400},
		wireCase{"no target", "GET  HTTP/1.1\r\n" + correctRequest[strings.Index(correctRequest, "Host"):], AcceptOptions{}, ErrTargetForm, 400},
		wireCase{"target beyond ASCII", get("/caf\xe9"), AcceptOptions{}, ErrTargetForm, 400},
		wireCase{"target with a tab", get("/a\tb"), AcceptOptions{}, ErrTargetForm, 400},
		wireCase{"four words in the first line", get("/ x"), AcceptOptions{}, ErrHTTPVersion, 400},
		wireCase{"no words in the first line", "\r\n" + correctRequest, AcceptOptions{}, ErrHeadSyntax, 400},
		wireCase{"foreign origin", requestText("GET / HTTP/1.1", with(requestFields(), "Origin", "https://evil.example")), AcceptOptions{}, ErrOrigin, 403},
		wireCase{"sandboxed origin", requestText("GET / HTTP/1.1", with(requestFields(), "Origin", "null")), AcceptOptions{}, ErrOrigin, 403},
		wireCase{"foreign origin that the caller lets in", requestText("GET / HTTP/1.1", with(requestFields(), "Origin", "https://friend.example")),
			AcceptOptions{CheckOrigin: func(r *Request) bool { return string(r.Get("Origin")) == "https://friend.example" }}, nil, 101},
		wireCase{"own origin that the caller shuts out", requestText("GET / HTTP/1.1", with(requestFields(), "Origin", "https://server.example.com")),
			AcceptOptions{CheckOrigin: func(*Request) bool { return false }}, ErrOrigin, 403},
	)
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			stream := &tape{in: []byte(test.head), chunk: 7}
			c, err := Accept(stream, handshakeBuffers(), test.options)
			if test.want == nil {
				if err != nil || c == nil || stream.out.String() != correctAnswer {
					t.Errorf("%v, answered %q", err, stream.out.String())
				}
				return
			}
			if !errors.Is(err, test.want) || c != nil {
				t.Errorf("got %v, want %v", err, test.want)
			}
			response, body, rest := answerOn(t, stream.out.Bytes())
			if response.StatusCode != test.status || body != test.want.Text+"\n" || len(rest) != 0 || stream.writes != 1 {
				t.Errorf("answered %q in %d writes", stream.out.String(), stream.writes)
			}
			if !response.Close || response.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("header %v", response.Header)
			}
			switch test.status {
			case 405: // RFC 9110 section 15.5.6
				if response.Header.Get("Allow") != "GET" {
					t.Errorf("header %v", response.Header)
				}
			case 426: // RFC 6455 section 4.4, RFC 9110 sections 15.5.22 and 7.8
				if response.Header.Get("Upgrade") != "websocket" || response.Header.Get("Sec-WebSocket-Version") != "13" ||
					!strings.Contains(stream.out.String(), "\r\nConnection: Upgrade\r\n") { // net/http takes that field away
					t.Errorf("answered %q", stream.out.String())
				}
			}
		})
	}
}

func TestAcceptHookSeesTheRequestAndShapesTheAnswer(t *testing.T) {
	fields := append(requestFields(), [2]string{"Sec-WebSocket-Protocol", "superchat"}, [2]string{"sec-websocket-protocol", "chat , other"},
		[2]string{"Cookie", "session=1"})
	stream := &tape{in: []byte(requestText("GET /chat?room=1 HTTP/1.1", fields)), chunk: 1}
	called := 0
	c, err := Accept(stream, handshakeBuffers(), AcceptOptions{OnRequest: func(r *Request, a *Answer) error {
		called++
		if string(r.Method()) != "GET" || string(r.Target()) != "/chat?room=1" || string(r.Get("cookie")) != "session=1" || r.Len() != 8 {
			t.Errorf("saw %s %s with %d fields", r.Method(), r.Target(), r.Len())
		}
		a.Subprotocol = "chat"
		a.Headers = []HeaderField{{"Set-Cookie", "seen=1\t; Path=/"}, {"X-Served-By", "caf\xe9"}}
		return nil
	}})
	if err != nil || called != 1 || c.State() != Open {
		t.Fatalf("%v, hook called %d times", err, called)
	}
	response, _, rest := answerOn(t, stream.out.Bytes())
	if response.StatusCode != 101 || len(rest) != 0 || response.Header.Get("Sec-WebSocket-Protocol") != "chat" ||
		response.Header.Get("Sec-WebSocket-Accept") != rfcAccept ||
		response.Header.Get("Set-Cookie") != "seen=1\t; Path=/" || response.Header.Get("X-Served-By") != "caf\xe9" {
		t.Errorf("answered %q", stream.out.String())
	}
}

func TestAcceptHookRefuses(t *testing.T) {
	errOwn := errors.New("no such room")
	upstream := *ErrNotUpgraded
	upstream.Status = 200
	for _, test := range []struct {
		name   string
		err    error
		status int
		body   string
	}{
		{"with a status", Reject(401, "who are you"), 401, "who are you\n"},
		{"with a status that has no name here", Reject(418, "short and stout"), 418, "short and stout\n"},
		{"with a status, wrapped", fmt.Errorf("looking up the session: %w", Reject(503, "later")), 503, "later\n"},
		{"with an error of its own", errOwn, 403, "refused by the application\n"},
		{"with lines in the text", Reject(403, "one\r\n\r\ntwo"), 403, "one\r\n\r\ntwo\n"},
		{"with an error that has no status", ErrUnrequestedExtension, 403, "refused by the application\n"},
		{"with another server's answer", &upstream, 403, "refused by the application\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stream := &tape{in: []byte(correctRequest)}
			c, err := Accept(stream, handshakeBuffers(), AcceptOptions{OnRequest: func(*Request, *Answer) error { return test.err }})
			if !errors.Is(err, test.err) || c != nil {
				t.Errorf("Accept gave %v", err)
			}
			response, body, rest := answerOn(t, stream.out.Bytes())
			if response.StatusCode != test.status || body != test.body || len(rest) != 0 {
				t.Errorf("answered %q", stream.out.String())
			}
		})
	}
}

// What the application adds can neither break the head nor speak for the
// handshake: the client gets a 500 that holds nothing of it.
func TestAcceptRefusesAnswersThatBreakTheHead(t *testing.T) {
	offered := requestText("GET / HTTP/1.1", with(requestFields(), "Sec-WebSocket-Protocol", "chat"))
	for _, test := range []struct {
		name   string
		answer Answer
		want   error
	}{
		{"CR LF in a value", Answer{Headers: []HeaderField{{"X-A", "b\r\nX-Evil: 1"}}}, ErrHeaderField},
		{"LF in a value", Answer{Headers: []HeaderField{{"X-Evil", "b\nc"}}}, ErrHeaderField},
		{"CR in a value", Answer{Headers: []HeaderField{{"X-Evil", "b\rc"}}}, ErrHeaderField},
		{"NUL in a value", Answer{Headers: []HeaderField{{"X-Evil", "b\x00"}}}, ErrHeaderField},
		{"DEL in a value", Answer{Headers: []HeaderField{{"X-Evil", "b\x7f"}}}, ErrHeaderField},
		{"CR LF in a name", Answer{Headers: []HeaderField{{"X-Evil\r\nX-B", "c"}}}, ErrHeaderField},
		{"colon in a name", Answer{Headers: []HeaderField{{"X-Evil:", "c"}}}, ErrHeaderField},
		{"no name", Answer{Headers: []HeaderField{{"", "X-Evil"}}}, ErrHeaderField},
		{"second accept", Answer{Headers: []HeaderField{{"sec-websocket-accept", "X-Evil"}}}, ErrHeaderField},
		{"an extension nobody speaks", Answer{Headers: []HeaderField{{"Sec-WebSocket-Extensions", "X-Evil"}}}, ErrHeaderField},
		{"a body", Answer{Headers: []HeaderField{{"Content-Length", "6"}}}, ErrHeaderField},
		{"bad field behind a good one", Answer{Headers: []HeaderField{{"X-A", "b"}, {"Connection", "X-Evil"}}}, ErrHeaderField},
		{"subprotocol that was not offered", Answer{Subprotocol: "X-Evil"}, ErrSubprotocol},
		{"subprotocol in another case", Answer{Subprotocol: "Chat"}, ErrSubprotocol},
		{"CR LF in a subprotocol", Answer{Subprotocol: "chat\r\nX-Evil: 1"}, ErrSubprotocol},
	} {
		t.Run(test.name, func(t *testing.T) {
			stream := &tape{in: []byte(offered)}
			_, err := Accept(stream, handshakeBuffers(), AcceptOptions{OnRequest: func(_ *Request, a *Answer) error {
				*a = test.answer
				return nil
			}})
			response, _, rest := answerOn(t, stream.out.Bytes())
			if !errors.Is(err, test.want) || response.StatusCode != 500 || len(rest) != 0 || strings.Contains(stream.out.String(), "X-Evil") {
				t.Errorf("%v, answered %q", err, stream.out.String())
			}
		})
	}
}

func TestAcceptKeepsEarlyBytes(t *testing.T) {
	for _, chunk := range []int{0, 1, len(correctRequest) + 3} {
		stream := &tape{in: append([]byte(correctRequest), frame(Client, finText, "early")...), chunk: chunk}
		c, err := Accept(stream, handshakeBuffers(), AcceptOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if m, err := c.Next(); err != nil || string(m.Payload) != "early" {
			t.Errorf("pieces of %d: %q, %v", chunk, m.Payload, err)
		}
	}
}

func TestAcceptReportsWhatTheStreamDoes(t *testing.T) {
	errBroken := errors.New("broken")
	for _, test := range []struct {
		name    string
		stream  *tape
		want    error
		written int
	}{
		{"end before anything", &tape{}, ErrHandshakeEnded, 0},
		{"end inside the head", &tape{in: []byte(correctRequest[:50])}, ErrHandshakeEnded, 0},
		{"read error", &tape{in: []byte(correctRequest[:50]), end: errBroken}, errBroken, 0},
		{"write error of the answer", &tape{in: []byte(correctRequest), writeErr: errBroken}, errBroken, 0},
		{"write error of a refusal", &tape{in: []byte("POST / HTTP/1.1\r\n\r\n"), writeErr: errBroken}, errBroken, 0},
		{"reads that bring nothing, now and then", &tape{in: []byte(correctRequest), chunk: 20, pauses: 50}, nil, len(correctAnswer)},
		{"reads that bring nothing, for ever", &tape{in: []byte(correctRequest), pauses: 100_000}, io.ErrNoProgress, 0},
		{"end together with the last bytes", &tape{in: []byte(correctRequest), together: true}, nil, len(correctAnswer)},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := Accept(test.stream, handshakeBuffers(), AcceptOptions{})
			if !errors.Is(err, test.want) || (c == nil) != (test.want != nil) || test.stream.out.Len() != test.written {
				t.Errorf("%v, wrote %q", err, test.stream.out.String())
			}
		})
	}
}

// A setting out of range is reported before anything is read or written.
func TestAcceptChecksItsSettingsFirst(t *testing.T) {
	for _, test := range []struct {
		field   string
		buffers Buffers
		options AcceptOptions
	}{
		{"Buffers.Read", Buffers{}, AcceptOptions{}},
		{"MaxMessage", handshakeBuffers(), AcceptOptions{Options: Options{Limits: Limits{MaxMessage: -1}}}},
		{"MaxHeaderFields", handshakeBuffers(), AcceptOptions{MaxHeaderFields: -1}},
		{"MaxHeaderFields", handshakeBuffers(), AcceptOptions{MaxHeaderFields: MaxHeaderFields + 1}},
	} {
		stream := &tape{in: []byte(correctRequest)}
		_, err := Accept(stream, test.buffers, test.options)
		var config *ConfigError
		if !errors.As(err, &config) || config.Field != test.field || stream.out.Len() != 0 || len(stream.in) != len(correctRequest) {
			t.Errorf("%s: %v, wrote %q", test.field, err, stream.out.String())
		}
	}
}

func TestRefusalsNameTheirStatus(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 405, 426, 429, 431, 500, 503} {
		wire := AppendRefusal(nil, &HandshakeError{Status: status, Text: "why"})
		response, body, _ := answerOn(t, wire)
		if want := strconv.Itoa(status) + " " + http.StatusText(status); response.Status != want || body != "why\n" {
			t.Errorf("status line %q, want %q", response.Status, want)
		}
	}
}
