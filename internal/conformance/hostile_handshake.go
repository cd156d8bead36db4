package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// Sizes no honest head comes near.
const (
	manyHeaders = 10000
	endlessHead = 4 << 20
)

// hostileRequestCases send a server requests that are unusual but lawful, and
// requests it must refuse with the right status.
func hostileRequestCases() []Case {
	cases := []Case{
		requestAccepted("plain", "a request without Origin is accepted", nil),
		requestAccepted("keep-alive", "Connection may name more than Upgrade", func(h http.Header, _ string) {
			h["Connection"] = []string{"keep-alive, Upgrade"}
		}),
		requestAccepted("letter-case", "names and tokens are read in any case", func(h http.Header, _ string) {
			h["upgrade"], h["CONNECTION"] = []string{"WebSocket"}, []string{"UPGRADE"}
		}),
		requestAccepted("split-connection", "Connection may come in two lines", func(h http.Header, _ string) {
			h["Connection"] = []string{"keep-alive", "Upgrade"}
		}),
		requestAccepted("same-origin", "a request from the same origin is accepted", func(h http.Header, host string) {
			h["Origin"] = []string{"http://" + host}
		}),
		requestAccepted("unknown-subprotocol", "a subprotocol the server may not know is no reason to refuse", func(h http.Header, _ string) {
			h["Sec-WebSocket-Protocol"] = []string{"nobody.speaks.this.v1"}
		}),
		{
			ID: "H.request.bytewise", Title: "a head written octet by octet is accepted", Only: RoleServer,
			Run: func(_ context.Context, s *Session) error {
				key := rawpeer.NewHandshakeKey()
				response := s.exchange(rawpeer.RequestHead(s.host(), s.path(), key, nil), 1)
				return s.echoAfter(response, key)
			},
		},
		earlyFrames(),
		requestRefused("foreign-origin", "a foreign origin gets 403", []int{403}, nil, func(h http.Header, _ string) {
			h["Origin"] = []string{"http://elsewhere.example"}
		}),
		requestRefused("origin-suffix", "an origin that merely starts like the host gets 403", []int{403}, nil, func(h http.Header, host string) {
			name, _, _ := strings.Cut(host, ":")
			h["Origin"] = []string{"http://" + name + ".elsewhere.example"}
		}),
		requestRefused("no-upgrade", "a request without Upgrade gets 426", []int{426}, http.Header{"Upgrade": {"websocket"}}, func(h http.Header, _ string) {
			h["Upgrade"] = nil
		}),
		requestRefused("other-upgrade", "an upgrade to something else gets 426", []int{426}, http.Header{"Upgrade": {"websocket"}}, func(h http.Header, _ string) {
			h["Upgrade"] = []string{"h2c"}
		}),
		requestRefused("no-connection", "a request without Connection: Upgrade gets 400 or 426", []int{400, 426}, nil, func(h http.Header, _ string) {
			h["Connection"] = []string{"keep-alive"}
		}),
		requestRefused("version-8", "an older version gets 426 and the one spoken", []int{426}, http.Header{"Sec-Websocket-Version": {"13"}}, func(h http.Header, _ string) {
			h["Sec-WebSocket-Version"] = []string{"8"}
		}),
		requestRefused("version-missing", "a request without a version gets 400 or 426", []int{400, 426}, nil, func(h http.Header, _ string) {
			h["Sec-WebSocket-Version"] = nil
		}),
		requestRefused("no-host", "a request without Host gets 400", []int{400}, nil, func(h http.Header, _ string) { h["Host"] = nil }),
	}
	for id, key := range map[string][]string{
		"missing": nil, "empty": {""}, "short": {"c2hvcnQ="}, "long": {strings.Repeat("QUJD", 8)}, "no-base64": {"!!!!!!!!!!!!!!!!!!!!!!=="},
	} {
		cases = append(cases, requestRefused("key-"+id, "a key that is not 16 octets in base64 gets 400", []int{400}, nil, func(h http.Header, _ string) {
			h["Sec-WebSocket-Key"] = key
		}))
	}
	slices.SortFunc(cases[len(cases)-5:], func(a, b Case) int { return strings.Compare(a.ID, b.ID) })
	edited := func(id, title string, statuses []int, due http.Header, old, new string) Case {
		return Case{ID: "H.request." + id, Title: title, Only: RoleServer, Run: func(_ context.Context, s *Session) error {
			head := string(rawpeer.RequestHead(s.host(), s.path(), rawpeer.NewHandshakeKey(), nil))
			if !strings.Contains(head, old) {
				return failedf("the suite's own head lacks %q", old)
			}
			return s.refused(strings.Replace(head, old, new, 1), statuses, due)
		}}
	}
	return append(cases,
		edited("post", "POST gets 405", []int{405}, http.Header{"Allow": {"GET"}}, "GET ", "POST "),
		edited("http-1.0", "HTTP/1.0 is refused", []int{400, 426, 505}, nil, "HTTP/1.1", "HTTP/1.0"),
		edited("space-before-colon", "a space before a colon gets 400", []int{400}, nil, "Upgrade:", "Upgrade :"),
		Case{
			ID: "H.request.headers", Title: fmt.Sprintf("%d headers are refused", manyHeaders), Only: RoleServer,
			Run: func(_ context.Context, s *Session) error {
				head := string(rawpeer.RequestHead(s.host(), s.path(), rawpeer.NewHandshakeKey(), nil))
				return s.refusedOrCut(strings.TrimSuffix(head, "\r\n") + numberedHeaders(manyHeaders) + "\r\n")
			},
		},
		Case{
			ID: "H.request.endless", Title: "a header without an end is refused", Only: RoleServer,
			Run: func(_ context.Context, s *Session) error {
				head := string(rawpeer.RequestHead(s.host(), s.path(), rawpeer.NewHandshakeKey(), nil))
				return s.refusedOrCut(strings.TrimSuffix(head, "\r\n") + "X-Endless: " + strings.Repeat("a", endlessHead))
			},
		},
	)
}

// requestAccepted sends an honest request with edited headers.
func requestAccepted(id, title string, edit func(h http.Header, host string)) Case {
	return Case{ID: "H.request." + id, Title: title, Only: RoleServer, Run: func(_ context.Context, s *Session) error {
		header := http.Header{}
		if edit != nil {
			edit(header, s.host())
		}
		key := rawpeer.NewHandshakeKey()
		response := s.exchange(rawpeer.RequestHead(s.host(), s.path(), key, header), 0)
		if s.err == nil {
			offered, answered := sent(header, "Sec-WebSocket-Protocol"), response.Header.Values("Sec-WebSocket-Protocol")
			if len(answered) > len(offered) || len(answered) == 1 && answered[0] != offered[0] {
				s.fail(failedf("answered the subprotocols %q to %q", answered, offered))
			}
		}
		return s.echoAfter(response, key)
	}}
}

// sent returns the values of a field that a case sends, however it spells the
// name.
func sent(header http.Header, name string) (values []string) {
	for spelling, some := range header {
		if strings.EqualFold(spelling, name) {
			values = append(values, some...)
		}
	}
	return values
}

// earlyFrames sends frames before the answer, which a client must not do (RFC
// 6455 4.1). A server may serve them or refuse the connection, but not accept
// it and lose them.
func earlyFrames() Case {
	return Case{ID: "H.request.early-frames", Title: "frames in the same write as the head are served, or refused with it", Only: RoleServer,
		Run: func(_ context.Context, s *Session) error {
			key := rawpeer.NewHandshakeKey()
			head := rawpeer.RequestHead(s.host(), s.path(), key, nil)
			response := s.exchange(rawpeer.AppendFrames(head, s.text("early"), s.text("early too")), 0)
			switch {
			case s.err != nil && s.cut(s.err):
				s.note = "the connection was cut"
				return nil
			case s.err == nil && response.Status == 400:
				s.note = "the handshake was refused"
				return nil
			case s.err == nil:
				s.fail(rawpeer.CheckResponse(response, key))
			}
			s.wantText("early")
			s.wantText("early too")
			s.cleanClose()
			return s.err
		}}
}

// echoAfter judges a handshake and proves that the connection works.
func (s *Session) echoAfter(response *rawpeer.Response, key string) error {
	if s.err == nil {
		s.fail(rawpeer.CheckResponse(response, key))
	}
	s.say(s.text("after the handshake"))
	s.wantText("after the handshake")
	s.cleanClose()
	return s.err
}

// requestRefused sends a request with edited headers and expects one of the
// statuses; headers that RFC 9110 or 6455 make due with it are NonStrict when
// they are missing.
func requestRefused(id, title string, statuses []int, due http.Header, edit func(h http.Header, host string)) Case {
	return Case{ID: "H.request." + id, Title: title, Only: RoleServer, Run: func(_ context.Context, s *Session) error {
		header := http.Header{}
		edit(header, s.host())
		return s.refused(string(rawpeer.RequestHead(s.host(), s.path(), rawpeer.NewHandshakeKey(), header)), statuses, due)
	}}
}

func (s *Session) refused(head string, statuses []int, due http.Header) error {
	response := s.exchange([]byte(head), 0)
	if s.err != nil {
		if s.cut(s.err) {
			return nonStrictf("the connection ended without a response, wanted a status in %v", statuses)
		}
		return s.err
	}
	if !slices.Contains(statuses, response.Status) {
		return failedf("status %d, wanted one in %v", response.Status, statuses)
	}
	for name, values := range due {
		if !strings.Contains(strings.Join(response.Header.Values(name), ","), values[0]) {
			return nonStrictf("status %d without %s: %s", response.Status, name, values[0])
		}
	}
	return nil
}

// refusedOrCut sends a head that is too much; any refusal will do, as will an
// end of the connection. Acceptance is NonStrict: the head is well formed.
func (s *Session) refusedOrCut(head string) error {
	response := s.exchange([]byte(head), 0)
	switch {
	case s.err != nil && s.cut(s.err):
		s.note = "the connection was cut"
		return nil
	case s.err != nil:
		return s.err
	case response.Status == 101:
		return nonStrictf("accepted a head of %d octets", len(head))
	case response.Status < 400 || response.Status > 499:
		return failedf("status %d, wanted one of a refusal", response.Status)
	}
	s.note = fmt.Sprintf("status %d", response.Status)
	return nil
}

func numberedHeaders(count int) string {
	var b strings.Builder
	for i := range count {
		fmt.Fprintf(&b, "X-Number-%d: %d\r\n", i, i)
	}
	return b.String()
}

// hostileResponseCases answer a client's request in unusual but lawful ways,
// and in ways it must not accept.
func hostileResponseCases() []Case {
	accepted := func(id, title string, chop int, build func(s *Session, r *rawpeer.Request) []byte) Case {
		return Case{ID: "H.response." + id, Title: title, Only: RoleClient, Run: func(_ context.Context, s *Session) error {
			if request := s.readRequest(); s.err == nil {
				s.sayRaw(build(s, request), chop)
			}
			if id == "early-frames" {
				s.wantText("early")
			}
			s.say(s.text("after the handshake"))
			s.wantText("after the handshake")
			s.cleanClose()
			return s.err
		}}
	}
	rejected := func(id, title string, build func(r *rawpeer.Request) []byte) Case {
		return Case{ID: "H.response." + id, Title: title, Only: RoleClient, Run: func(_ context.Context, s *Session) error {
			if request := s.readRequest(); s.err == nil {
				s.sayRaw(build(request), 0)
			}
			s.wantRejected()
			return s.err
		}}
	}
	with := func(h http.Header) func(*rawpeer.Request) []byte {
		return func(r *rawpeer.Request) []byte { return rawpeer.ResponseHead(r, h) }
	}
	status := func(line string) func(*rawpeer.Request) []byte {
		return func(r *rawpeer.Request) []byte {
			head := rawpeer.ResponseHead(r, http.Header{"Content-Length": {"0"}})
			return []byte(strings.Replace(string(head), "101 Switching Protocols", line, 1))
		}
	}
	return []Case{
		accepted("plain", "an honest answer is accepted", 0, func(_ *Session, r *rawpeer.Request) []byte {
			return rawpeer.ResponseHead(r, nil)
		}),
		accepted("keep-alive", "Connection may name more than Upgrade", 0, func(_ *Session, r *rawpeer.Request) []byte {
			return rawpeer.ResponseHead(r, http.Header{"Connection": {"keep-alive, Upgrade"}})
		}),
		accepted("letter-case", "names and tokens are read in any case", 0, func(_ *Session, r *rawpeer.Request) []byte {
			return rawpeer.ResponseHead(r, http.Header{"UPGRADE": {"WebSocket"}, "connection": {"upgrade"}, "sec-websocket-accept": {rawpeer.AcceptKey(r.Key())}})
		}),
		accepted("bytewise", "an answer written octet by octet is accepted", 1, func(_ *Session, r *rawpeer.Request) []byte {
			return rawpeer.ResponseHead(r, nil)
		}),
		accepted("other-reason", "the words after 101 do not matter", 0, func(_ *Session, r *rawpeer.Request) []byte {
			return []byte(strings.Replace(string(rawpeer.ResponseHead(r, nil)), "Switching Protocols", "As You Wish", 1))
		}),
		accepted("early-frames", "frames in the same write as the answer are not lost", 0, func(s *Session, r *rawpeer.Request) []byte {
			return rawpeer.AppendFrame(rawpeer.ResponseHead(r, nil), s.text("early"))
		}),
		rejected("wrong-accept", "an answer to another key is not accepted", with(http.Header{"Sec-WebSocket-Accept": {rawpeer.AcceptKey("another")}})),
		rejected("no-accept", "an answer to no key is not accepted", with(http.Header{"Sec-WebSocket-Accept": nil})),
		rejected("accept-case", "Sec-WebSocket-Accept is compared octet by octet", func(r *rawpeer.Request) []byte {
			return rawpeer.ResponseHead(r, http.Header{"Sec-WebSocket-Accept": {swapCase(rawpeer.AcceptKey(r.Key()))}})
		}),
		rejected("no-upgrade", "an answer without Upgrade is not accepted", with(http.Header{"Upgrade": nil})),
		rejected("other-upgrade", "an upgrade to something else is not accepted", with(http.Header{"Upgrade": {"h2c"}})),
		rejected("no-connection", "an answer without Connection is not accepted", with(http.Header{"Connection": nil})),
		rejected("other-connection", "an answer without Connection: Upgrade is not accepted", with(http.Header{"Connection": {"keep-alive"}})),
		rejected("status-200", "a 200 is no handshake", status("200 OK")),
		rejected("status-403", "a 403 is no handshake", status("403 Forbidden")),
		rejected("no-http", "an answer that is no HTTP is not accepted", func(*rawpeer.Request) []byte { return []byte("hello\r\n\r\n") }),
		rejected("subprotocol", "a subprotocol nobody asked for is not accepted", with(http.Header{"Sec-WebSocket-Protocol": {"nobody.asked.for.this"}})),
		rejected("extension", "an extension nobody offered is not accepted", with(http.Header{"Sec-WebSocket-Extensions": {"x-nobody-offered"}})),
		rejected("headers", fmt.Sprintf("%d headers are not accepted", manyHeaders), func(r *rawpeer.Request) []byte {
			return []byte(strings.TrimSuffix(string(rawpeer.ResponseHead(r, nil)), "\r\n") + numberedHeaders(manyHeaders) + "\r\n")
		}),
		rejected("endless", "a header without an end is not accepted", func(r *rawpeer.Request) []byte {
			return []byte(strings.TrimSuffix(string(rawpeer.ResponseHead(r, nil)), "\r\n") + "X-Endless: " + strings.Repeat("a", endlessHead))
		}),
	}
}

// wantRejected proves that a client did not accept an answer: it must end the
// connection, with or without a close frame, and echo nothing.
func (s *Session) wantRejected() {
	s.say(s.text("do you believe that?"))
	if s.err != nil {
		return
	}
	e, err := s.next()
	switch {
	case err != nil && s.ended(err):
		return
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.fail(failedf("the client neither went on nor left within %s", s.patience))
	case err != nil:
		s.fail(failedf("after a wrong answer: %v", err))
	case e.Opcode != rawpeer.OpClose:
		s.fail(failedf("the client accepted a wrong answer: %s", e))
	}
	s.wantEnd()
}

// swapCase exchanges upper and lower case letters.
func swapCase(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return r
	}, text)
}
