package split

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/wscore"
)

func TestRefusalsAreAnsweredWithTheStatusAndFieldsDue(t *testing.T) {
	handler, results := upgrader(wscore.Answer{}, nil)
	addr := serve(t, handler, nil)
	upgrade := http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}}
	for name, c := range map[string]struct {
		head   []byte
		err    error
		status int
		fields http.Header
	}{
		"another method": {
			[]byte(strings.Replace(string(head(nil)), "GET", "POST", 1)), wscore.ErrMethod, 405, http.Header{"Allow": {"GET"}},
		},
		"HTTP/1.0": {
			[]byte(strings.Replace(string(head(nil)), "HTTP/1.1", "HTTP/1.0", 1)), wscore.ErrHTTPVersion, 400, nil,
		},
		"no Upgrade":              {head(http.Header{"Upgrade": nil}), wscore.ErrNotWebSocket, 426, upgrade},
		"another Upgrade":         {head(http.Header{"Upgrade": {"h2c"}}), wscore.ErrNotWebSocket, 426, upgrade},
		"no Connection":           {head(http.Header{"Connection": nil}), wscore.ErrConnectionField, 400, nil},
		"another version":         {head(http.Header{"Sec-WebSocket-Version": {"8"}}), wscore.ErrWebSocketVersion, 426, upgrade},
		"no version":              {head(http.Header{"Sec-WebSocket-Version": nil}), wscore.ErrWebSocketVersion, 426, upgrade},
		"two versions":            {head(http.Header{"Sec-WebSocket-Version": {"13", "13"}}), wscore.ErrWebSocketVersion, 426, upgrade},
		"no key":                  {head(http.Header{"Sec-WebSocket-Key": nil}), wscore.ErrWebSocketKey, 400, nil},
		"two keys":                {head(http.Header{"Sec-WebSocket-Key": {key, key}}), wscore.ErrWebSocketKey, 400, nil},
		"a key that is too short": {head(http.Header{"Sec-WebSocket-Key": {"c2hvcnQ="}}), wscore.ErrWebSocketKey, 400, nil},
		"an empty Host":           {head(http.Header{"Host": {""}}), wscore.ErrNoHost, 400, nil},
		"a foreign origin":        {head(http.Header{"Origin": {"https://evil.example"}}), wscore.ErrOrigin, 403, nil},
		"two origins":             {head(http.Header{"Origin": {"https://test", "https://test"}}), wscore.ErrOrigin, 403, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, response := exchange(t, addr, c.head)
			equal(t, "status", response.Status, c.status)
			for name := range c.fields {
				equal(t, name, strings.Join(response.Header.Values(name), ", "), c.fields.Get(name))
			}
			got := receive(t, "the handler", results)
			equal(t, "error", errors.Is(got.err, c.err), true)
			var refusal *wscore.HandshakeError
			equal(t, "is a refusal", errors.As(got.err, &refusal), true)
			equal(t, "body", string(response.Body), refusal.Text+"\n")
		})
	}
}

func TestRequestMayHaveSoManyFields(t *testing.T) {
	honest := httptest.NewRequest(http.MethodGet, "/", nil)
	honest.Header = http.Header{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}, "Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {key}}
	honest.Header["X-Many"] = make([]string, wscore.MaxHeaderFields-4)
	_, err := NewUpgrade(honest, nil)
	must(t, err)
	honest.Header.Add("X-Many", "one too many")
	_, err = NewUpgrade(honest, nil)
	var refusal *wscore.HandshakeError
	equal(t, "error", errors.Is(err, wscore.ErrTooManyHeaderFields), true)
	equal(t, "status", errors.As(err, &refusal) && refusal.Status == 431, true)
}

func TestRequestOfHTTP2IsRefused(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.ProtoMajor, r.ProtoMinor = 2, 0
	_, err := NewUpgrade(r, nil)
	equal(t, "error", errors.Is(err, wscore.ErrHTTPVersion), true)
}

func TestOriginIsJudgedByTheApplicationIfItWants(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		handler, results := upgrader(wscore.Answer{}, func(r *http.Request) bool {
			equal(t, "origin that is asked about", r.Header.Get("Origin"), "https://elsewhere.example")
			return allowed
		})
		_, response := exchange(t, serve(t, handler, nil), head(http.Header{"Origin": {"https://elsewhere.example"}}))
		got := receive(t, "the handler", results)
		equal(t, "upgraded", got.err == nil, allowed)
		equal(t, "status is 101", response.Status == 101, allowed)
		if got.conn != nil {
			must(t, got.conn.Close())
		}
	}
}

func TestAnswerThatTheHandshakeForbidsIsRefusedBeforeAnythingIsSent(t *testing.T) {
	field := func(name, value string) wscore.Answer {
		return wscore.Answer{Headers: []wscore.HeaderField{{Name: name, Value: value}}}
	}
	for name, c := range map[string]struct {
		answer wscore.Answer
		err    error
	}{
		"subprotocol that was not offered":      {wscore.Answer{Subprotocol: "chat.v3"}, wscore.ErrSubprotocol},
		"subprotocol in other letters":          {wscore.Answer{Subprotocol: "CHAT.V1"}, wscore.ErrSubprotocol},
		"both subprotocols":                     {wscore.Answer{Subprotocol: "chat.v1, chat.v2"}, wscore.ErrSubprotocol},
		"line break in a value":                 {field("X-Name", "a\r\nSet-Cookie: b"), wscore.ErrHeaderField},
		"line break in a name":                  {field("X-Name: a\r\nSet-Cookie", "b"), wscore.ErrHeaderField},
		"NUL in a value":                        {field("X-Name", "a\x00"), wscore.ErrHeaderField},
		"empty name":                            {field("", "a"), wscore.ErrHeaderField},
		"field of the handshake":                {field("sec-websocket-accept", "a"), wscore.ErrHeaderField},
		"subprotocol as a field":                {field("Sec-WebSocket-Protocol", "chat.v3"), wscore.ErrHeaderField},
		"length of a body, which there is none": {field("Content-Length", "5"), wscore.ErrHeaderField},
	} {
		t.Run(name, func(t *testing.T) {
			handler, results := upgrader(c.answer, nil)
			_, response := exchange(t, serve(t, handler, nil), head(http.Header{"Sec-WebSocket-Protocol": {"chat.v1", "chat.v2"}}))
			equal(t, "status", response.Status, 500)
			equal(t, "cookies", len(response.Header.Values("Set-Cookie")), 0)
			equal(t, "error", errors.Is(receive(t, "the handler", results).err, c.err), true)
		})
	}
}

func TestOffersLooksAtEveryField(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header["Sec-Websocket-Protocol"] = []string{"a, b", "c"}
	u := &Upgrade{Request: r}
	for name, offered := range map[string]bool{"a": true, "b": true, "c": true, "A": false, "d": false, "": false, "a, b": false} {
		equal(t, "offers "+name, u.Offers(name), offered)
	}
}

func TestRefuseKeepsToItselfWhatIsNotTheClientsBusiness(t *testing.T) {
	for name, c := range map[string]struct {
		err    error
		status int
		body   string
	}{
		"an error of the application": {errors.New("user 7 is banned"), 403, "the handshake was refused\n"},
		"a refusal":                   {wscore.Reject(401, "token"), 401, "token\n"},
		"a refusal, wrapped":          {errors.Join(errors.New("user 7"), wscore.Reject(429, "later")), 429, "later\n"},
		"a refusal without a status":  {&wscore.HandshakeError{Text: "inner"}, 403, "the handshake was refused\n"},
		"a status that refuses not":   {&wscore.HandshakeError{Status: 200, Text: "fine"}, 403, "the handshake was refused\n"},
		"a status that is none":       {&wscore.HandshakeError{Status: 42, Text: "odd"}, 403, "the handshake was refused\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			Refuse(w, c.err)
			equal(t, "status", w.Code, c.status)
			equal(t, "body", w.Body.String(), c.body)
		})
	}
}
