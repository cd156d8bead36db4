package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// closeCases are group 7: the closing handshake, the shape of a close frame,
// and the codes one may carry (RFC 6455 5.5.1, 7).
func closeCases() []Case {
	normal := rawpeer.ClosePayload(1000, "")
	afterClose := func(id, title string, after func(s *Session) rawpeer.Frame) Case {
		return Case{ID: id, Title: title, Run: func(_ context.Context, s *Session) error {
			s.open()
			s.say(s.closing(normal), after(s))
			s.wantCloseReply(1000)
			return s.err
		}}
	}
	cases := []Case{
		{
			ID: "7.1.1", Title: "a text right before a close is echoed before the reply",
			Run: func(_ context.Context, s *Session) error {
				s.open()
				s.say(s.text("before the close"), s.closing(normal))
				s.wantText("before the close")
				s.wantCloseReply(1000)
				return s.err
			},
		},
		afterClose("7.1.2", "a second close gets no second reply", func(s *Session) rawpeer.Frame { return s.closing(normal) }),
		afterClose("7.1.3", "a ping after a close is not answered", func(s *Session) rawpeer.Frame { return s.ping("after the close") }),
		afterClose("7.1.4", "a text after a close is not echoed", func(s *Session) rawpeer.Frame { return s.text("after the close") }),
		{
			ID: "7.1.5", Title: "a close between two fragments ends the message unfinished",
			Run: func(_ context.Context, s *Session) error {
				s.open()
				s.say(
					s.frame(false, rawpeer.OpText, []byte("fragment 1, ")),
					s.closing(normal),
					s.frame(true, rawpeer.OpContinuation, []byte("fragment 2")),
				)
				s.wantCloseReply(1000)
				return s.err
			},
		},
		{
			ID: "7.1.6", Title: "what becomes of a large text sent right before a close and a ping",
			Run: func(_ context.Context, s *Session) error {
				const length = 256 << 10
				s.open()
				s.say(s.frame(true, rawpeer.OpText, textOf(length)), s.closing(normal), s.ping("after the close"))
				return s.observeClose()
			},
		},
		closeReplied("7.3.1", "an empty close is replied to with an empty one or 1000", nil, rawpeer.NoStatus, 1000),
		closeRefused("7.3.2", "a close of one octet is a protocol error", []byte{3}, 1002),
		closeReplied("7.3.3", "a close with a code is replied to", normal, 1000),
		closeReplied("7.3.4", "a close with a code and a reason is replied to", rawpeer.ClosePayload(1000, "until then"), 1000),
		closeReplied("7.3.5", "a close with a reason of 123 octets is replied to", rawpeer.ClosePayload(1000, strings.Repeat("r", 123)), 1000),
		closeRefused("7.3.6", "a close with a reason of 124 octets is a protocol error", rawpeer.ClosePayload(1000, strings.Repeat("r", 124)), 1002),
		closeRefused("7.5.1", "a close whose reason is no UTF-8 is refused", rawpeer.ClosePayload(1000, "κ\u1f79σμε\xed\xa0\x80edited"), 1007, 1002),
	}
	for i, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		cases = append(cases, closeReplied(fmt.Sprintf("7.7.%d", i+1),
			fmt.Sprintf("code %d is replied to with itself or 1000", code), rawpeer.ClosePayload(code, ""), code, 1000))
	}
	for i, code := range []uint16{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		cases = append(cases, closeRefused(fmt.Sprintf("7.9.%d", i+1),
			fmt.Sprintf("code %d may not be sent and is a protocol error", code), rawpeer.ClosePayload(code, ""), 1002))
	}
	for i, code := range []uint16{5000, 65535} {
		cases = append(cases, Case{
			ID: fmt.Sprintf("7.13.%d", i+1), Title: fmt.Sprintf("what becomes of code %d", code),
			Run: func(_ context.Context, s *Session) error {
				s.open()
				s.say(s.closing(rawpeer.ClosePayload(code, "")))
				return s.observeClose()
			},
		})
	}
	return cases
}

func closeReplied(id, title string, payload []byte, codes ...uint16) Case {
	return Case{ID: id, Title: title, Run: func(_ context.Context, s *Session) error {
		s.open()
		s.say(s.closing(payload))
		s.wantCloseReply(codes...)
		return s.err
	}}
}

func closeRefused(id, title string, payload []byte, codes ...uint16) Case {
	return Case{ID: id, Title: title, Run: func(_ context.Context, s *Session) error {
		s.open()
		s.say(s.closing(payload))
		s.wantFailed(codes...)
		return s.err
	}}
}

// observeClose tells how a connection ended without judging it, as long as
// what was said was well formed and it did end.
func (s *Session) observeClose() error {
	seen := "nothing"
	for s.err == nil {
		e, err := s.next()
		switch {
		case err != nil && s.cut(err):
			return verdictf(Informational, "before the end came %s", seen)
		case err != nil:
			return failedf("before the end came %s, then %v", seen, err)
		case seen == "nothing":
			seen = e.String()
		default:
			seen += ", " + e.String()
		}
		if e.Opcode == rawpeer.OpClose {
			s.wantEnd()
			if s.err == nil {
				return verdictf(Informational, "before the end came %s", seen)
			}
		}
	}
	return s.err
}
