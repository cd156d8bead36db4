package conformance

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// The bounds on fragments a target must keep, and how far beyond them the
// flood goes.
const (
	maxFragments      = 131072
	maxEmptyFragments = 64
	emptyFlood        = 200000
)

// overload are the codes for a message that is lawful but too much.
var overload = []uint16{1008, 1009, 1002}

// hostileFragmentCases attack the assembly of messages.
func hostileFragmentCases() []Case {
	text, binary, more := rawpeer.OpText, rawpeer.OpBinary, rawpeer.OpContinuation
	wrong := func(id, title string, frames func(s *Session) []rawpeer.Frame) Case {
		return script("H.fragment."+id, title, func(s *Session) {
			s.say(frames(s)...)
			s.wantFailed(1002)
		})
	}
	second := "a second message inside an unfinished one is a protocol error"
	return []Case{
		wrong("text-in-text", second, func(s *Session) []rawpeer.Frame {
			return []rawpeer.Frame{s.frame(false, text, []byte("a")), s.frame(false, text, []byte("b"))}
		}),
		wrong("binary-in-text", second, func(s *Session) []rawpeer.Frame {
			return []rawpeer.Frame{s.frame(false, text, []byte("a")), s.frame(false, binary, []byte("b"))}
		}),
		wrong("whole-in-binary", second, func(s *Session) []rawpeer.Frame {
			return []rawpeer.Frame{s.frame(false, binary, []byte("a")), s.text("b")}
		}),
		wrong("continuation-first", "a continuation of nothing is a protocol error", func(s *Session) []rawpeer.Frame {
			return []rawpeer.Frame{s.frame(false, more, nil)}
		}),
		script("H.fragment.continuation-after-end", "a continuation of a finished message is a protocol error", func(s *Session) {
			s.say(s.frame(false, text, []byte("a")), s.frame(true, more, []byte("b")), s.frame(true, more, []byte("c")))
			s.wantText("ab")
			s.wantFailed(1002)
		}),
		emptyFragments("H.fragment.empty-allowed", maxEmptyFragments, true),
		emptyFragments("H.fragment.empty-over", maxEmptyFragments+1, false),
		emptyFragments("H.fragment.empty-flood", emptyFlood, false),
		slow(script("H.fragment.count-allowed", fmt.Sprintf("a message of %d fragments is echoed", maxFragments), func(s *Session) {
			payload := binaryOf(maxFragments)
			s.say(s.fragments(binary, 0, payload, 1)...)
			s.wantMessage(binary, payload)
			s.cleanClose()
		})),
		slow(script("H.fragment.count-over", fmt.Sprintf("a message of %d fragments is refused", maxFragments+1), func(s *Session) {
			s.say(s.fragments(binary, 0, binaryOf(maxFragments+1), 1)...)
			s.wantFailed(overload...)
		})),
	}
}

// emptyFragments puts empty continuations into an otherwise ordinary message.
func emptyFragments(id string, count int, allowed bool) Case {
	title := fmt.Sprintf("a message with %d empty continuations is refused", count)
	if allowed {
		title = fmt.Sprintf("a message with %d empty continuations is echoed", count)
	}
	return script(id, title, func(s *Session) {
		frames := make([]rawpeer.Frame, 0, count+2)
		frames = append(frames, s.frame(false, rawpeer.OpText, []byte("start, ")))
		for range count {
			frames = append(frames, s.frame(false, rawpeer.OpContinuation, nil))
		}
		if allowed {
			s.say(append(frames, s.frame(true, rawpeer.OpContinuation, []byte("end")))...)
			s.wantText("start, end")
			s.cleanClose()
			return
		}
		s.say(frames...)
		s.wantFailed(overload...)
	})
}

// hostileUTF8Cases stop each invalid text right at the octet that makes it
// impossible: once inside a frame that has more to come, once in fragments of
// one octet each.
func hostileUTF8Cases() []Case {
	const lead = "κ\u1f79σμε "
	cases := []Case{
		script("H.utf8.split-around-ping", "a code point cut by a ping is still one", func(s *Session) {
			s.say(s.frame(false, rawpeer.OpText, []byte("\xe6\xbc")), s.ping("between"), s.frame(true, rawpeer.OpContinuation, []byte("\xa2")))
			s.wantPong("between")
			s.wantText("漢")
			s.cleanClose()
		}),
		script("H.utf8.binary", "binary need not be UTF-8", func(s *Session) {
			s.say(s.binary([]byte("\xff\xfe\xed\xa0\x80")))
			s.wantMessage(rawpeer.OpBinary, []byte("\xff\xfe\xed\xa0\x80"))
			s.cleanClose()
		}),
	}
	seen := map[string]bool{}
	for _, group := range utf8Table() {
		for _, payload := range group.payloads {
			n := impossibleAt(payload)
			if n == 0 || seen[payload[:n]] {
				continue
			}
			prefix := payload[:n]
			seen[prefix] = true
			cases = append(cases,
				script(fmt.Sprintf("H.utf8.octet.%x", prefix), group.title+": refused at the octet, before its frame is complete", func(s *Session) {
					whole := rawpeer.AppendFrame(nil, s.text(lead+prefix+"and more"))
					cut := len(whole) - len("and more")
					s.sayRaw(whole[:cut], 0)
					s.midFrame = true
					s.wantFailedEarly(whole[cut:], 1007)
				}),
				script(fmt.Sprintf("H.utf8.fragment.%x", prefix), group.title+": refused at the fragment of one octet", func(s *Session) {
					frames := []rawpeer.Frame{s.frame(false, rawpeer.OpText, []byte(lead))}
					for _, octet := range octets(prefix) {
						frames = append(frames, s.frame(false, rawpeer.OpContinuation, []byte(octet)))
					}
					s.say(frames...)
					s.wantFailedEarly(rawpeer.AppendFrame(nil, s.frame(true, rawpeer.OpContinuation, nil)), 1007)
				}),
			)
		}
	}
	return cases
}

// impossibleAt returns how many octets it takes until no valid text starts
// that way, or 0 if the text is valid or merely unfinished.
func impossibleAt(text string) int {
	for n := 1; n <= len(text); n++ {
		for rest := text[:n]; rest != ""; {
			r, size := utf8.DecodeRuneInString(rest)
			if r == utf8.RuneError && size == 1 {
				if utf8.FullRuneInString(rest) {
					return n
				}
				break
			}
			rest = rest[size:]
		}
	}
	return 0
}

// hostileCloseCases attack the closing handshake.
func hostileCloseCases() []Case {
	normal := rawpeer.ClosePayload(1000, "")
	cases := []Case{
		closeRefused("H.close.one-octet", "a close of one octet is a protocol error", []byte{0}, 1002),
		closeRefused("H.close.reason", "a close reason that is no UTF-8 is refused", rawpeer.ClosePayload(1000, "why \xff"), 1007, 1002),
		closeRefused("H.close.reason-cut", "a close reason that ends inside a code point is refused", rawpeer.ClosePayload(4000, "why \xe6\xbc"), 1007, 1002),
		closeReplied("H.close.reason-valid", "a close reason of many code points is replied to", rawpeer.ClosePayload(4000, "漢字 \U0001F30D"), 4000, 1000),
		script("H.close.data-after", "frames of every kind after a close get no answer", func(s *Session) {
			s.say(s.closing(normal), s.text("text"), s.ping("ping"), s.binary([]byte{1}), s.frame(false, rawpeer.OpText, nil), s.closing(normal))
			s.wantCloseReply(1000)
		}),
		script("H.close.garbage-after", "octets that are no frames after a close get no answer", func(s *Session) {
			s.sayRaw(append(rawpeer.AppendFrame(nil, s.closing(normal)), strings.Repeat("\xff\x00garbage", 100)...), 0)
			s.wantCloseReply(1000)
		}),
		script("H.close.after-train", "messages before a close are echoed, each and in order, before the reply", func(s *Session) {
			var frames []rawpeer.Frame
			const count = 20
			for i := range count {
				frames = append(frames, s.text("message "+strconv.Itoa(i)))
			}
			s.say(append(frames, s.closing(normal))...)
			for i := range count {
				s.wantText("message " + strconv.Itoa(i))
			}
			s.wantCloseReply(1000)
		}),
	}
	for _, code := range []uint16{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1999, 2999, 5000, 65535} {
		cases = append(cases, closeRefused(fmt.Sprintf("H.close.code.%d", code),
			"a code that may not be sent is a protocol error", rawpeer.ClosePayload(code, ""), 1002))
	}
	for _, code := range []uint16{1012, 1013, 1014} {
		cases = append(cases, closeReplied(fmt.Sprintf("H.close.code.%d", code),
			"a registered code is replied to with itself or 1000", rawpeer.ClosePayload(code, ""), code, 1000))
	}
	return cases
}

// The trains of pings, and how long the flood is left unread.
const (
	pingTrain  = 1000
	pingFlood  = 20000
	unreadTime = 200 * time.Millisecond
)

// hostilePingCases send pings faster than anyone needs pongs. A target may
// leave some out, the newest replacing older ones, but keeps their order and
// answers the last (RFC 6455 5.5.3).
func hostilePingCases() []Case {
	return []Case{
		pings("H.ping.train", "many pings in one write are answered in order, the last for certain", pingTrain, 4, 0),
		slow(pings("H.ping.flood", "pings while nobody reads the pongs are answered in order, the last for certain", pingFlood, rawpeer.MaxControlPayload, unreadTime)),
	}
}

// pings sends numbered pings of at least the given length in one write, and
// for a while does not read.
func pings(id, title string, count, length int, unread time.Duration) Case {
	payload := func(i int) string {
		number := strconv.Itoa(i)
		return number + strings.Repeat(".", max(0, length-len(number)))
	}
	return Case{ID: id, Title: title, Run: func(ctx context.Context, s *Session) error {
		s.open()
		frames := make([]rawpeer.Frame, count)
		for i := range frames {
			frames[i] = s.ping(payload(i))
		}
		s.say(frames...)
		if unread > 0 {
			select {
			case <-time.After(unread):
			case <-ctx.Done():
			}
		}
		answers, last := 0, -1
		for s.err == nil && last < count-1 {
			e, ok := s.want("pong " + strconv.Itoa(last+1) + " or newer")
			if !ok {
				break
			}
			number, err := strconv.Atoi(strings.TrimRight(string(e.Payload), "."))
			if e.Opcode != rawpeer.OpPong || err != nil || number <= last || number >= count || string(e.Payload) != payload(number) {
				s.fail(failedf("wanted a pong newer than %d, got %s", last, e))
			}
			last = number
			answers++
		}
		s.say(s.text("still here"))
		s.wantText("still here")
		s.cleanClose()
		s.note = fmt.Sprintf("%d of %d pings were answered", answers, count)
		return s.err
	}}
}
