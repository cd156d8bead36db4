package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// pingCases are group 2: pings are answered with their own payload, pongs
// nobody asked for are not (RFC 6455 5.5.2, 5.5.3).
func pingCases() []Case {
	binary := strings.Repeat("\xfe", rawpeer.MaxControlPayload)
	return []Case{
		answered("2.1", "an empty ping is answered", "", 0),
		answered("2.2", "a ping with text is answered with the same text", "are you there?", 0),
		answered("2.3", "a ping with octets that are no UTF-8 is answered with them", "\x00\xff\xfe\xfd\xfc\xfb\x00\xff", 0),
		answered("2.4", "a ping of 125 octets is answered", binary, 0),
		{
			ID: "2.5", Title: "a ping of 126 octets is a protocol error",
			Run: func(_ context.Context, s *Session) error {
				s.open()
				s.say(s.ping(binary + "\xfe"))
				s.wantFailed(1002)
				return s.err
			},
		},
		answered("2.6", "a ping of 125 octets written octet by octet is answered", binary, 1),
		unasked("2.7", "an empty pong nobody asked for is ignored", ""),
		unasked("2.8", "a pong with a payload nobody asked for is ignored", "unasked"),
		{
			ID: "2.9", Title: "after an unasked pong, a ping is answered and nothing else",
			Run: func(_ context.Context, s *Session) error {
				s.open()
				s.sayEach(s.frame(true, rawpeer.OpPong, []byte("unasked")), s.ping("asked"))
				s.wantPong("asked")
				s.cleanClose()
				return s.err
			},
		},
		tenPings("2.10", "ten pings are answered, each and in order", 0),
		tenPings("2.11", "ten pings written octet by octet are answered, each and in order", 1),
	}
}

func answered(id, title, payload string, chop int) Case {
	return Case{ID: id, Title: title, Run: func(_ context.Context, s *Session) error {
		s.open()
		s.sayChopped(chop, s.ping(payload))
		s.wantPong(payload)
		s.cleanClose()
		return s.err
	}}
}

func unasked(id, title, payload string) Case {
	return Case{ID: id, Title: title, Run: func(_ context.Context, s *Session) error {
		s.open()
		s.say(s.frame(true, rawpeer.OpPong, []byte(payload)))
		s.wantNothing()
		s.cleanClose()
		return s.err
	}}
}

func tenPings(id, title string, chop int) Case {
	return Case{ID: id, Title: title, Run: func(_ context.Context, s *Session) error {
		s.open()
		const count = 10
		for i := range count {
			s.sayChopped(chop, s.ping(fmt.Sprintf("ping %d of ten", i)))
		}
		for i := range count {
			s.wantPong(fmt.Sprintf("ping %d of ten", i))
		}
		s.cleanClose()
		return s.err
	}}
}
