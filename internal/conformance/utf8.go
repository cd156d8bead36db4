package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
	"unicode/utf8"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// quietWait is how long a target must stay silent where no ping can ask,
// because a frame is unfinished.
const quietWait = 50 * time.Millisecond

// utf8Cases are group 6: text is valid UTF-8, and is refused with 1007 at the
// first octet that makes it impossible (RFC 6455 5.6, 8.1).
func utf8Cases() []Case {
	const (
		german = "Hello-µ@ßöäüàá-UTF-8!!"
		greek  = "κ\u1f79σμε"
	)
	surrogate := greek + "\xed\xa0\x80edited"
	cases := []Case{
		textInFragments("6.1.1", ""),
		textInFragments("6.1.2", "", "", ""),
		textInFragments("6.1.3", "", "middle fragment", ""),
		textInFragments("6.2.1", german),
		textInFragments("6.2.2", german[:16], german[16:]),
		textInFragments("6.2.3", octets(german)...),
		textInFragments("6.2.4", octets(greek)...),
		textInFragments("6.3.1", surrogate),
		textInFragments("6.3.2", octets(surrogate)...),
		failFast("6.4.1", greek, "\xf4\x90\x80\x80", "edited", false),
		failFast("6.4.2", greek+"\xf4", "\x90", "\x80\x80edited", false),
		failFast("6.4.3", greek, "\xf4\x90\x80\x80", "edited", true),
		failFast("6.4.4", greek+"\xf4", "\x90", "\x80\x80edited", true),
	}
	for _, group := range utf8Table() {
		for i, payload := range group.payloads {
			c := textInFragments(fmt.Sprintf("6.%d.%d", group.number, i+1), payload)
			c.Title = fmt.Sprintf("%s: %s", group.title, c.Title)
			cases = append(cases, c)
		}
	}
	return cases
}

// octets cuts a string into its octets.
func octets(s string) []string {
	cut := make([]string, len(s))
	for i := range cut {
		cut[i] = s[i : i+1]
	}
	return cut
}

// textInFragments sends a text in the given fragments, with one write call,
// and expects it echoed if valid, or refused with 1007 if not.
func textInFragments(id string, fragments ...string) Case {
	whole := ""
	for _, fragment := range fragments {
		whole += fragment
	}
	valid := utf8.ValidString(whole)
	title := "echoed"
	if !valid {
		title = "refused with 1007"
	}
	return Case{
		ID: id, Title: fmt.Sprintf("text of %d octets in %d fragments is %s", len(whole), len(fragments), title),
		Run: func(_ context.Context, s *Session) error {
			s.open()
			frames := make([]rawpeer.Frame, len(fragments))
			for i, fragment := range fragments {
				opcode := rawpeer.OpContinuation
				if i == 0 {
					opcode = rawpeer.OpText
				}
				frames[i] = s.frame(i == len(fragments)-1, opcode, []byte(fragment))
			}
			s.say(frames...)
			if !valid {
				s.wantFailed(1007)
				return s.err
			}
			s.wantText(whole)
			s.cleanClose()
			return s.err
		},
	}
}

// failFast sends a possible part, a part that makes the text impossible, and
// the rest only if the target has not refused by then.
func failFast(id, possible, impossible, rest string, oneFrame bool) Case {
	title := "text is refused with 1007 at the fragment that makes it impossible"
	if oneFrame {
		title = "text is refused with 1007 at the octet that makes it impossible, before its frame is complete"
	}
	return Case{ID: id, Title: title, Run: func(_ context.Context, s *Session) error {
		s.open()
		var parts [3][]byte
		if oneFrame {
			whole := rawpeer.AppendFrame(nil, s.text(possible+impossible+rest))
			header := len(whole) - len(possible+impossible+rest)
			parts[0] = whole[:header+len(possible)]
			parts[1] = whole[header+len(possible) : header+len(possible+impossible)]
			parts[2] = whole[header+len(possible+impossible):]
		} else {
			parts[0] = rawpeer.AppendFrame(nil, s.frame(false, rawpeer.OpText, []byte(possible)))
			parts[1] = rawpeer.AppendFrame(nil, s.frame(false, rawpeer.OpContinuation, []byte(impossible)))
			parts[2] = rawpeer.AppendFrame(nil, s.frame(true, rawpeer.OpContinuation, []byte(rest)))
		}
		s.midFrame = oneFrame
		s.sayRaw(parts[0], 0)
		if oneFrame {
			s.wantQuiet()
		} else {
			s.wantNothing()
		}
		s.sayRaw(parts[1], 0)
		s.wantFailedEarly(parts[2], 1007)
		return s.err
	}}
}

// silent reports whether the target says nothing for a while, a heartbeat's
// pings aside. What breaks the silence is left to be read.
func (s *Session) silent(timeout time.Duration) bool {
	deadline := time.Now().Add(timeout)
	for s.err == nil {
		first, err := s.peer.Peek(max(time.Until(deadline), time.Nanosecond))
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return true
		case err != nil || first&0xf != rawpeer.OpPing:
			return false
		}
		if _, err := s.peer.ReadFrame(); err != nil {
			s.fail(err)
		}
	}
	return false
}

// wantQuiet checks that the target says nothing for quietWait.
func (s *Session) wantQuiet() {
	if s.err != nil || s.silent(quietWait) {
		return
	}
	if e, ok := s.want("silence after a possible text"); ok {
		s.fail(failedf("wanted silence after a possible text, got %s", e))
	}
}

// wantFailedEarly waits for the target to fail the connection at once. A
// target that waits for the rest, and only then fails as it should, is
// NonStrict.
func (s *Session) wantFailedEarly(rest []byte, codes ...uint16) {
	if !s.silent(s.patience) {
		s.wantFailed(codes...)
		return
	}
	s.sayRaw(rest, 0)
	s.midFrame = false
	s.wantFailed(codes...)
	s.fail(nonStrictf("refused only when the rest of the message had come"))
}
