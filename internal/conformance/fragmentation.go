package conformance

import (
	"context"
	"strings"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// fragmentationCases are group 5: what may be fragmented, what may come in
// between, and what may be continued (RFC 6455 5.4, 5.5).
func fragmentationCases() []Case {
	return []Case{
		fragmentedControl("5.1", rawpeer.OpPing),
		fragmentedControl("5.2", rawpeer.OpPong),
		twoFragments("5.3", together, false),
		twoFragments("5.4", perFrame, false),
		twoFragments("5.5", octetwise, false),
		twoFragments("5.6", together, true),
		twoFragments("5.7", perFrame, true),
		twoFragments("5.8", octetwise, true),
		nothingToContinue("5.9", true, together),
		nothingToContinue("5.10", true, perFrame),
		nothingToContinue("5.11", true, octetwise),
		nothingToContinue("5.12", false, together),
		nothingToContinue("5.13", false, perFrame),
		nothingToContinue("5.14", false, octetwise),
		{
			ID: "5.15", Title: "a whole fragmented text is echoed, then a continuation of nothing is a protocol error",
			Run: func(_ context.Context, s *Session) error {
				s.open()
				s.say(
					s.frame(false, rawpeer.OpText, []byte("fragment 1, ")),
					s.frame(true, rawpeer.OpContinuation, []byte("fragment 2")),
					s.frame(false, rawpeer.OpContinuation, []byte("continues nothing")),
					s.text("after"),
				)
				s.wantText("fragment 1, fragment 2")
				s.wantFailed(1002)
				return s.err
			},
		},
		continuationFirstTwice("5.16", false),
		continuationFirstTwice("5.17", true),
		{
			ID: "5.18", Title: "a second fragment that calls itself text is a protocol error",
			Run: func(_ context.Context, s *Session) error {
				s.open()
				s.say(
					s.frame(false, rawpeer.OpText, []byte("fragment 1, ")),
					s.frame(true, rawpeer.OpText, []byte("fragment 2")),
				)
				s.wantFailed(1002)
				return s.err
			},
		},
		fiveFragments("5.19", together),
		fiveFragments("5.20", perFrame),
	}
}

func fragmentedControl(id string, opcode byte) Case {
	return Case{ID: id, Title: "a control frame in two fragments is a protocol error", Run: func(_ context.Context, s *Session) error {
		s.open()
		s.say(
			s.frame(false, opcode, []byte("fragment 1, ")),
			s.frame(true, rawpeer.OpContinuation, []byte("fragment 2")),
		)
		s.wantFailed(1002)
		return s.err
	}}
}

func twoFragments(id string, d delivery, pingBetween bool) Case {
	title := "a text in two fragments is echoed"
	if pingBetween {
		title = "a ping between two fragments is answered before the text is echoed"
	}
	return Case{ID: id, Title: title, Run: func(_ context.Context, s *Session) error {
		s.open()
		frames := []rawpeer.Frame{s.frame(false, rawpeer.OpText, []byte("fragment 1, "))}
		if pingBetween {
			frames = append(frames, s.ping("between"))
		}
		frames = append(frames, s.frame(true, rawpeer.OpContinuation, []byte("fragment 2")))
		s.deliver(d, frames...)
		if pingBetween {
			s.wantPong("between")
		}
		s.wantText("fragment 1, fragment 2")
		s.cleanClose()
		return s.err
	}}
}

func nothingToContinue(id string, fin bool, d delivery) Case {
	return Case{ID: id, Title: "a continuation of nothing is a protocol error, the text after is not echoed", Run: func(_ context.Context, s *Session) error {
		s.open()
		s.deliver(d, s.frame(fin, rawpeer.OpContinuation, []byte("continues nothing")), s.text("after"))
		s.wantFailed(1002)
		return s.err
	}}
}

func continuationFirstTwice(id string, fin bool) Case {
	return Case{ID: id, Title: "a continuation of nothing is a protocol error, the fragmented text after is not echoed", Run: func(_ context.Context, s *Session) error {
		s.open()
		for range 2 {
			s.say(
				s.frame(fin, rawpeer.OpContinuation, []byte("continues nothing")),
				s.frame(false, rawpeer.OpText, []byte("fragment 1, ")),
				s.frame(true, rawpeer.OpContinuation, []byte("fragment 2")),
			)
		}
		s.wantFailed(1002)
		return s.err
	}}
}

// fiveFragments waits for the first pong before the rest of the message is
// sent: a target that answers only at the end of the message never gets there.
func fiveFragments(id string, d delivery) Case {
	return Case{ID: id, Title: "pings between five fragments are answered at once", Run: func(_ context.Context, s *Session) error {
		fragments := []string{"one, ", "two, ", "three, ", "four, ", "five"}
		s.open()
		s.deliver(d,
			s.frame(false, rawpeer.OpText, []byte(fragments[0])),
			s.frame(false, rawpeer.OpContinuation, []byte(fragments[1])),
			s.ping("after two"),
		)
		s.wantPong("after two")
		s.deliver(d,
			s.frame(false, rawpeer.OpContinuation, []byte(fragments[2])),
			s.frame(false, rawpeer.OpContinuation, []byte(fragments[3])),
			s.ping("after four"),
			s.frame(true, rawpeer.OpContinuation, []byte(fragments[4])),
		)
		s.wantPong("after four")
		s.wantText(strings.Join(fragments, ""))
		s.cleanClose()
		return s.err
	}}
}
