package wscore

import (
	"errors"
	"strings"
	"testing"
)

// rfcKeyField and rfcAccept are the example of RFC 6455 section 1.3.
const (
	rfcKeyField = "dGhlIHNhbXBsZSBub25jZQ=="
	rfcAccept   = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// requestFields are a correct request's.
func requestFields() [][2]string {
	return [][2]string{
		{"Host", "server.example.com"},
		{"Upgrade", "websocket"},
		{"Connection", "Upgrade"},
		{"Sec-WebSocket-Version", "13"},
		{"Sec-WebSocket-Key", rfcKeyField},
	}
}

// with returns fields with those of that name replaced by the values: none
// takes the field away, two make it appear twice.
func with(fields [][2]string, name string, values ...string) [][2]string {
	var changed [][2]string
	for _, field := range fields {
		if !strings.EqualFold(field[0], name) {
			changed = append(changed, field)
		}
	}
	for _, value := range values {
		changed = append(changed, [2]string{name, value})
	}
	return changed
}

// requestCases are what a server must accept and refuse (RFC 6455 sections
// 4.2.1 and 4.4).
var requestCases = []struct {
	name   string
	line   string
	fields [][2]string
	want   *HandshakeError
	status int
}{
	{"the least there must be", "GET / HTTP/1.1", requestFields(), nil, 101},
	{"keep-alive beside Upgrade", "GET / HTTP/1.1", with(requestFields(), "Connection", "keep-alive, Upgrade"), nil, 101},
	{"Connection in two fields", "GET / HTTP/1.1", with(requestFields(), "Connection", "Upgrade", "keep-alive"), nil, 101},
	{"any case", "GET / HTTP/1.1", with(with(requestFields(), "UPGRADE", "WebSocket"), "connection", "uPGRADE"), nil, 101},
	{"one of several upgrades", "GET / HTTP/1.1", with(requestFields(), "Upgrade", "h2c, websocket"), nil, 101},
	{"Upgrade in two fields", "GET / HTTP/1.1", with(requestFields(), "Upgrade", "websocket", "h2c"), nil, 101},
	{"one origin", "GET / HTTP/1.1", with(requestFields(), "Origin", "http://server.example.com"), nil, 101},
	{"POST", "POST / HTTP/1.1", requestFields(), ErrMethod, 405},
	{"get in small letters", "get / HTTP/1.1", requestFields(), ErrMethod, 405},
	{"HTTP/1.0", "GET / HTTP/1.0", requestFields(), ErrHTTPVersion, 400},
	{"HTTP/2.0", "GET / HTTP/2.0", requestFields(), ErrHTTPVersion, 400},
	{"no Upgrade", "GET / HTTP/1.1", with(requestFields(), "Upgrade"), ErrNotWebSocket, 426},
	{"another Upgrade", "GET / HTTP/1.1", with(requestFields(), "Upgrade", "h2c"), ErrNotWebSocket, 426},
	{"no Connection", "GET / HTTP/1.1", with(requestFields(), "Connection"), ErrConnectionField, 400},
	{"Connection without Upgrade", "GET / HTTP/1.1", with(requestFields(), "Connection", "keep-alive"), ErrConnectionField, 400},
	{"no Host", "GET / HTTP/1.1", with(requestFields(), "Host"), ErrNoHost, 400},
	{"empty Host", "GET / HTTP/1.1", with(requestFields(), "Host", ""), ErrNoHost, 400},
	{"Host with a space", "GET / HTTP/1.1", with(requestFields(), "Host", "a b"), ErrNoHost, 400},
	{"Host with a path", "GET / HTTP/1.1", with(requestFields(), "Host", "a/b"), ErrNoHost, 400},
	{"Host with a user", "GET / HTTP/1.1", with(requestFields(), "Host", "user@a"), ErrNoHost, 400},
	{"Host with markup", "GET / HTTP/1.1", with(requestFields(), "Host", "<a>"), ErrNoHost, 400},
	{"Host list", "GET / HTTP/1.1", with(requestFields(), "Host", "a, b"), ErrNoHost, 400},
	{"Host beyond ASCII", "GET / HTTP/1.1", with(requestFields(), "Host", "b\u00fccher.example"), ErrNoHost, 400},
	{"Host and port", "GET / HTTP/1.1", with(requestFields(), "Host", "a-b_c.example:8080"), nil, 101},
	{"IPv6 Host", "GET / HTTP/1.1", with(requestFields(), "Host", "[2001:db8::1]:8080"), nil, 101},
	{"Host with an escape", "GET / HTTP/1.1", with(requestFields(), "Host", "a%20b~!$&'()*+,;="), nil, 101},
	{"two Hosts", "GET / HTTP/1.1", with(requestFields(), "Host", "a", "b"), ErrNoHost, 400},
	{"no version", "GET / HTTP/1.1", with(requestFields(), "Sec-WebSocket-Version"), ErrWebSocketVersion, 426},
	{"version 8", "GET / HTTP/1.1", with(requestFields(), "Sec-WebSocket-Version", "8"), ErrWebSocketVersion, 426},
	{"version 13 twice", "GET / HTTP/1.1", with(requestFields(), "Sec-WebSocket-Version", "13", "13"), ErrWebSocketVersion, 426},
	{"no key", "GET / HTTP/1.1", with(requestFields(), "Sec-WebSocket-Key"), ErrWebSocketKey, 400},
	{"empty key", "GET / HTTP/1.1", with(requestFields(), "Sec-WebSocket-Key", ""), ErrWebSocketKey, 400},
	{"key of 15 bytes", "GET / HTTP/1.1", with(requestFields(), "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAA"), ErrWebSocketKey, 400},
	{"key of 18 bytes", "GET / HTTP/1.1", with(requestFields(), "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAAA"), ErrWebSocketKey, 400},
	{"key of 17 bytes", "GET / HTTP/1.1", with(requestFields(), "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAAA="), ErrWebSocketKey, 400},
	{"key that is not base64", "GET / HTTP/1.1", with(requestFields(), "Sec-WebSocket-Key", "!!!!!!!!!!!!!!!!!!!!!!=="), ErrWebSocketKey, 400},
	{"key far too long", "GET / HTTP/1.1", with(requestFields(), "Sec-WebSocket-Key", strings.Repeat("A", 400)), ErrWebSocketKey, 400},
	{"two keys", "GET / HTTP/1.1", with(requestFields(), "Sec-WebSocket-Key", rfcKeyField, rfcKeyField), ErrWebSocketKey, 400},
	{"two origins", "GET / HTTP/1.1", with(requestFields(), "Origin", "http://server.example.com", "http://server.example.com"), ErrOrigin, 403},
}

func TestRequestCheckRefusesByTheRule(t *testing.T) {
	for _, test := range requestCases {
		t.Run(test.name, func(t *testing.T) {
			var asBytes, asStrings RequestCheck
			parts := strings.Split(test.line, " ")
			major, minor := httpVersion([]byte(parts[2]))
			asBytes.Line(parts[0], major, minor)
			asStrings.Line(parts[0], major, minor)
			for _, field := range test.fields {
				asBytes.Field([]byte(field[0]), []byte(field[1]))
				asStrings.FieldString(field[0], field[1])
			}
			for _, check := range []*RequestCheck{&asBytes, &asStrings} {
				err := check.Verify()
				if test.want == nil {
					if accept := check.Accept(); err != nil || string(accept[:]) != rfcAccept {
						t.Errorf("%v, accept %s", err, accept)
					}
					continue
				}
				if !errors.Is(err, test.want) || test.want.Status != test.status {
					t.Errorf("%v with status %d, want %v with %d", err, test.want.Status, test.want, test.status)
				}
			}
		})
	}
}

func TestRequestCheckAllocatesNothing(t *testing.T) {
	fields := requestFields()
	if n := testing.AllocsPerRun(100, func() {
		var check RequestCheck
		check.Line("GET", 1, 1)
		for i := range fields {
			check.FieldString(fields[i][0], fields[i][1])
		}
		if check.Verify() != nil {
			t.Fail()
		}
		check.Accept()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestHTTPVersion(t *testing.T) {
	for text, want := range map[string][2]int{
		"HTTP/1.1": {1, 1}, "HTTP/1.0": {1, 0}, "HTTP/2.0": {2, 0}, "HTTP/1.9": {1, 9},
		"": {}, "HTTP/1": {}, "http/1.1": {}, "HTTP/1,1": {}, "HTTP/1.10": {}, "HTTP/x.1": {}, "HTTP/1.x": {}, "HTTP/1.1 ": {},
	} {
		if major, minor := httpVersion([]byte(text)); major != want[0] || minor != want[1] {
			t.Errorf("%q is %d.%d", text, major, minor)
		}
	}
}

func TestSameOriginComparesHostAndPort(t *testing.T) {
	for _, test := range []struct {
		origin, host string
		want         bool
	}{
		{"", "a.example", true}, // not a browser
		{"http://a.example", "a.example", true},
		{"https://a.example", "a.example", true}, // a proxy may have taken off the TLS
		{"https://A.Example", "a.eXAMPLE", true},
		{"http://a.example:8080", "a.example:8080", true},
		{"http://a.example:8080", "a.example", false},
		{"http://a.example", "a.example:8080", false},
		{"http://evil.example", "a.example", false},
		{"http://a.example.evil.example", "a.example", false},
		{"http://evil.example://a.example", "a.example", false},
		{"http://evil.example/a.example", "a.example", false},
		{"http://x@a.example", "a.example", false},
		{"null", "a.example", false},
		{"null", "null", false},
		{"a.example", "a.example", false},
		{"://", "", false},
		{"http://\u212a.example", "k.example", false}, // the Kelvin sign is no letter k
	} {
		if got := SameOrigin([]byte(test.origin), []byte(test.host)); got != test.want {
			t.Errorf("SameOrigin(%q, %q) is %v", test.origin, test.host, got)
		}
	}
}

func TestSubprotocolsAreComparedExactly(t *testing.T) {
	for _, test := range []struct {
		value, subprotocol string
		want               bool
	}{
		{"chat", "chat", true},
		{"superchat,\tchat ", "chat", true},
		{"Chat", "chat", false},
		{"chatter", "chat", false},
		{"", "", false},
		{"chat", "", false},
	} {
		if got := OffersSubprotocol([]byte(test.value), test.subprotocol); got != test.want {
			t.Errorf("%q offers %q: %v", test.value, test.subprotocol, got)
		}
	}
}
