package wscore

import (
	"errors"
	"testing"
)

// responseFields are a correct answer's to a request with rfcKeyField.
func responseFields() [][2]string {
	return [][2]string{
		{"Upgrade", "websocket"},
		{"Connection", "Upgrade"},
		{"Sec-WebSocket-Accept", rfcAccept},
	}
}

// responseCases are what a client must accept and refuse after offering the
// subprotocols chat and superchat and no extension (RFC 6455 section 4.1).
var responseCases = []struct {
	name   string
	status string
	fields [][2]string
	want   *HandshakeError
	code   int // Status of the error
}{
	{"the least there must be", "101 Switching Protocols", responseFields(), nil, 0},
	{"no reason phrase", "101", responseFields(), nil, 0},
	{"keep-alive beside Upgrade", "101 x", with(responseFields(), "Connection", "keep-alive, Upgrade"), nil, 0},
	{"Connection in two fields", "101 x", with(responseFields(), "Connection", "keep-alive", "upgrade"), nil, 0},
	{"Connection in two fields the other way", "101 x", with(responseFields(), "Connection", "upgrade", "keep-alive"), nil, 0},
	{"any case", "101 x", with(responseFields(), "UPGRADE", "WebSocket"), nil, 0},
	{"an offered subprotocol", "101 x", with(responseFields(), "Sec-WebSocket-Protocol", "superchat"), nil, 0},
	{"extensions without a name", "101 x", with(responseFields(), "Sec-WebSocket-Extensions", ", ,"), nil, 0},
	{"200", "200 OK", responseFields(), ErrNotUpgraded, 200},
	{"redirect", "301 Moved Permanently", with(nil, "Location", "http://elsewhere.example"), ErrNotUpgraded, 301},
	{"401", "401 Unauthorized", nil, ErrNotUpgraded, 401},
	{"reason phrase beyond ASCII", "403 Zugriff verw\xe9hrt\tjetzt", nil, ErrNotUpgraded, 403},
	{"status that is no number", "1x1 x", responseFields(), ErrNotUpgraded, 0},
	{"status of two digits", "10 x", responseFields(), ErrNotUpgraded, 0},
	{"no Upgrade", "101 x", with(responseFields(), "Upgrade"), ErrResponseUpgrade, 0},
	{"another Upgrade", "101 x", with(responseFields(), "Upgrade", "h2c"), ErrResponseUpgrade, 0},
	{"Upgrade to two things", "101 x", with(responseFields(), "Upgrade", "websocket, h2c"), ErrResponseUpgrade, 0},
	{"Upgrade to two things in two fields", "101 x", with(responseFields(), "Upgrade", "h2c", "websocket"), ErrResponseUpgrade, 0},
	{"no Connection", "101 x", with(responseFields(), "Connection"), ErrResponseConnection, 0},
	{"Connection without Upgrade", "101 x", with(responseFields(), "Connection", "close"), ErrResponseConnection, 0},
	{"no accept", "101 x", with(responseFields(), "Sec-WebSocket-Accept"), ErrResponseAccept, 0},
	{"accept for another key", "101 x", with(responseFields(), "Sec-WebSocket-Accept", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="), ErrResponseAccept, 0},
	{"accept in another case", "101 x", with(responseFields(), "Sec-WebSocket-Accept", "S3pPLMBiTxaQ9kYGzzhZRbK+xOo="), ErrResponseAccept, 0},
	{"two accepts", "101 x", with(responseFields(), "Sec-WebSocket-Accept", rfcAccept, rfcAccept), ErrResponseAccept, 0},
	{"unrequested subprotocol", "101 x", with(responseFields(), "Sec-WebSocket-Protocol", "other"), ErrUnrequestedProtocol, 0},
	{"two subprotocols in one field", "101 x", with(responseFields(), "Sec-WebSocket-Protocol", "chat, superchat"), ErrUnrequestedProtocol, 0},
	{"two subprotocol fields", "101 x", with(responseFields(), "Sec-WebSocket-Protocol", "chat", "chat"), ErrUnrequestedProtocol, 0},
	{"subprotocol in another case", "101 x", with(responseFields(), "Sec-WebSocket-Protocol", "Chat"), ErrUnrequestedProtocol, 0},
	{"empty subprotocol", "101 x", with(responseFields(), "Sec-WebSocket-Protocol", ""), ErrUnrequestedProtocol, 0},
	{"unrequested extension", "101 x", with(responseFields(), "Sec-WebSocket-Extensions", "permessage-deflate"), ErrUnrequestedExtension, 0},
	{"malformed extension", "101 x", with(responseFields(), "Sec-WebSocket-Extensions", `"\`), ErrUnrequestedExtension, 0},
}

func TestResponseCheckRefusesByTheRule(t *testing.T) {
	for _, test := range responseCases {
		t.Run(test.name, func(t *testing.T) {
			// The status line goes through the parser, as in Connect.
			p := &headParser{maxFields: MaxHeaderFields}
			size, err := p.parse([]byte("HTTP/1.1 " + test.status + "\r\n\r\n"))
			if size == 0 || err != nil {
				t.Fatalf("status line: %v", err)
			}
			check := NewResponseCheck([keySize]byte([]byte(rfcKeyField)), []string{"chat", "superchat"})
			check.Status(p.status())
			for _, field := range test.fields {
				check.Field([]byte(field[0]), []byte(field[1]))
			}
			err = check.Verify()
			if test.want == nil {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var refusal *HandshakeError
			if !errors.Is(err, test.want) || !errors.As(err, &refusal) || refusal.Status != test.code || refusal.Side != Remote {
				t.Errorf("%v, want %v with status %d", err, test.want, test.code)
			}
		})
	}
	if ErrNotUpgraded.Status != 0 {
		t.Error("a response's status got into the shared variable")
	}
}

func TestStatusLineOfAnotherProtocolIsNoStatus(t *testing.T) {
	for _, line := range []string{"HTTP/1.0 101 x", "HTTP/2.0 101 x", "ICY 101 x", "HTTP/1.1", "101"} {
		p := &headParser{maxFields: MaxHeaderFields}
		if _, err := p.parse([]byte(line + "\r\n\r\n")); err != nil || p.status() != 0 {
			t.Errorf("%q: %v, status %d", line, err, p.status())
		}
	}
}

// A proxy or a refusal may well speak HTTP/1.0; only switching needs more.
func TestStatusOfOldHTTPIsKnown(t *testing.T) {
	for line, want := range map[string]int{"HTTP/1.0 200 Connection established": 200, "HTTP/1.0 503 x": 503, "HTTP/0.9 200 x": 0} {
		p := &headParser{maxFields: MaxHeaderFields}
		if _, err := p.parse([]byte(line + "\r\n\r\n")); err != nil || p.status() != want {
			t.Errorf("%q: %v, status %d", line, err, p.status())
		}
	}
}
