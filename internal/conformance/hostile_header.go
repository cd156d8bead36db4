package conformance

import (
	"context"
	"fmt"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// script makes a case that opens a plain connection and plays the steps.
func script(id, title string, steps func(s *Session)) Case {
	return Case{ID: id, Title: title, Run: func(_ context.Context, s *Session) error {
		s.open()
		steps(s)
		return s.err
	}}
}

// slow marks a case that moves much data.
func slow(c Case) Case {
	c.Slow = true
	return c
}

// hostileHeaderCases attack what a header alone can decide: a target that
// waits for the payload, or allocates it, has lost already.
func hostileHeaderCases() []Case {
	cases := []Case{
		declared("H.length.topbit", "a 64-bit length with only the top bit set is a protocol error", 1<<63, 1002),
		declared("H.length.allones", "a 64-bit length of all ones is a protocol error", 1<<64-1, 1002),
		declared("H.length.max63", "the largest lawful length is refused at the header", 1<<63-1, 1009),
		declared("H.length.beyond", "a length of a tebibyte is refused at the header", 1<<40, 1009),
		declared("H.length.one-over", "a length one over the limit is refused at the header", MessageLimit+1, 1009),
		script("H.length.sum-over", "fragments that add up to one over the limit are refused at the header that says so", func(s *Session) {
			s.say(s.frame(false, rawpeer.OpBinary, []byte{1}))
			s.wantNothing()
			s.sayRaw(rawpeer.AppendHeaderLying(nil, s.frame(true, rawpeer.OpContinuation, nil), rawpeer.Lie{Declare: true, Length: MessageLimit}), 0)
			s.midFrame = true
			s.wantFailed(1009)
		}),
		slow(script("H.length.at-limit", "a message of exactly the limit is echoed", func(s *Session) {
			payload := binaryOf(MessageLimit)
			s.say(s.binary(payload))
			s.wantMessage(rawpeer.OpBinary, payload)
			s.cleanClose()
		})),
	}
	for _, c := range []struct {
		id     string
		opcode byte
		length int
		form   rawpeer.LengthForm
	}{
		{"empty-in-16-bits", rawpeer.OpBinary, 0, rawpeer.Form16},
		{"short-in-16-bits", rawpeer.OpText, 125, rawpeer.Form16},
		{"short-in-64-bits", rawpeer.OpText, 125, rawpeer.Form64},
		{"medium-in-64-bits", rawpeer.OpBinary, 65535, rawpeer.Form64},
		{"ping-in-16-bits", rawpeer.OpPing, 5, rawpeer.Form16},
		{"ping-in-64-bits", rawpeer.OpPing, 5, rawpeer.Form64},
	} {
		cases = append(cases, script("H.length.nonminimal."+c.id, "a length in more octets than it needs is a protocol error", func(s *Session) {
			s.sayRaw(rawpeer.AppendFrameLying(nil, s.frame(true, c.opcode, textOf(c.length)), rawpeer.Lie{Form: c.form}), 0)
			s.wantFailed(1002)
		}))
	}
	for _, c := range []struct {
		id      string
		opcode  byte
		payload string
	}{
		{"text", rawpeer.OpText, "hello"}, {"empty", rawpeer.OpBinary, ""}, {"ping", rawpeer.OpPing, "hello"},
		{"close", rawpeer.OpClose, "\x03\xe8"}, {"continuation", rawpeer.OpContinuation, "hello"},
	} {
		cases = append(cases, script("H.mask."+c.id, "a client's frame without a mask, or a server's with one, is a protocol error", func(s *Session) {
			f := s.frame(true, c.opcode, []byte(c.payload))
			f.Masked = !f.Masked
			if c.opcode == rawpeer.OpContinuation {
				s.say(s.frame(false, rawpeer.OpText, []byte("hello")))
			}
			s.say(f)
			s.wantFailed(1002)
		}))
	}
	zeroKey := script("H.mask.zero-key", "a mask of zeros is a mask", func(s *Session) {
		f := s.text("masked in name only")
		f.Key = [4]byte{}
		s.say(f)
		s.wantText("masked in name only")
		s.cleanClose()
	})
	zeroKey.Only = RoleServer
	cases = append(cases, zeroKey)
	for bit, rsv := range []byte{rawpeer.RSV1, rawpeer.RSV2, rawpeer.RSV3} {
		for _, c := range []struct {
			name   string
			opcode byte
		}{{"text", rawpeer.OpText}, {"continuation", rawpeer.OpContinuation}, {"ping", rawpeer.OpPing}, {"close", rawpeer.OpClose}} {
			cases = append(cases, script(fmt.Sprintf("H.rsv%d.%s", bit+1, c.name), "a reserved bit without an extension is a protocol error", func(s *Session) {
				if c.opcode == rawpeer.OpContinuation {
					s.say(s.frame(false, rawpeer.OpText, []byte("hello")))
				}
				f := s.frame(true, c.opcode, nil)
				f.RSV = rsv
				s.say(f)
				s.wantFailed(1002)
			}))
		}
	}
	for _, c := range []struct {
		name   string
		opcode byte
	}{{"ping", rawpeer.OpPing}, {"pong", rawpeer.OpPong}, {"close", rawpeer.OpClose}} {
		cases = append(cases,
			script("H.control.fragmented."+c.name, "a control frame without FIN is a protocol error", func(s *Session) {
				s.say(s.frame(false, c.opcode, nil))
				s.wantFailed(1002)
			}),
			headerOnly("H.control.oversized."+c.name, c.opcode, 126),
		)
	}
	cases = append(cases, declaredAs("H.control.huge", "a ping of four gibibytes is refused at the header", rawpeer.OpPing, 1<<32, 1002, 1009))
	for _, opcode := range []byte{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		cases = append(cases, headerOnly(fmt.Sprintf("H.opcode.%d", opcode), opcode, 100))
	}
	return cases
}

// declared announces a binary frame of some length, and sends no payload.
func declared(id, title string, length uint64, codes ...uint16) Case {
	return declaredAs(id, title, rawpeer.OpBinary, length, codes...)
}

func declaredAs(id, title string, opcode byte, length uint64, codes ...uint16) Case {
	return script(id, title, func(s *Session) {
		s.sayRaw(rawpeer.AppendHeaderLying(nil, s.frame(true, opcode, nil), rawpeer.Lie{Declare: true, Length: length}), 0)
		s.midFrame = true
		s.wantFailed(codes...)
	})
}

// headerOnly sends a header that is wrong by itself, and its payload only to
// a target that waits for it.
func headerOnly(id string, opcode byte, length int) Case {
	return script(id, fmt.Sprintf("opcode %#x with %d octets is refused at the header", opcode, length), func(s *Session) {
		f := s.frame(true, opcode, textOf(length))
		whole := rawpeer.AppendFrame(nil, f)
		header := len(whole) - length
		s.sayRaw(whole[:header], 0)
		s.midFrame = true
		s.wantFailedEarly(whole[header:], 1002)
	})
}
