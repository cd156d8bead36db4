package conformance

import (
	"context"
	"fmt"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// delivery is how a script's frames are cut into write calls.
type delivery uint8

const (
	together  delivery = iota // one write call
	perFrame                  // one write call a frame
	octetwise                 // one write call an octet
)

func (s *Session) deliver(d delivery, frames ...rawpeer.Frame) {
	switch d {
	case perFrame:
		s.sayEach(frames...)
	case octetwise:
		s.sayChopped(1, frames...)
	default:
		s.say(frames...)
	}
}

// reservedCases are group 3: without an extension every reserved bit is a
// protocol error, met after what came before it was answered (RFC 6455 5.2).
func reservedCases() []Case {
	between := func(id string, rsv byte, d delivery) Case {
		return Case{
			ID: id, Title: fmt.Sprintf("reserved bits %03b: the text before is echoed, the ping after is not answered", rsv),
			Run: func(_ context.Context, s *Session) error {
				s.open()
				bad := s.text("with reserved bits")
				bad.RSV = rsv
				s.deliver(d, s.text("before"), bad, s.ping("after"))
				s.wantText("before")
				s.wantFailed(1002)
				return s.err
			},
		}
	}
	alone := func(id string, rsv, opcode byte, payload []byte) Case {
		return Case{
			ID: id, Title: fmt.Sprintf("opcode %#x with reserved bits %03b is a protocol error", opcode, rsv),
			Run: func(_ context.Context, s *Session) error {
				s.open()
				bad := s.frame(true, opcode, payload)
				bad.RSV = rsv
				s.say(bad)
				s.wantFailed(1002)
				return s.err
			},
		}
	}
	return []Case{
		alone("3.1", 1, rawpeer.OpText, []byte("small")),
		between("3.2", 2, together),
		between("3.3", 3, perFrame),
		between("3.4", 4, octetwise),
		alone("3.5", 5, rawpeer.OpBinary, []byte{0x00, 0xff, 0x80}),
		alone("3.6", 6, rawpeer.OpPing, []byte("small")),
		alone("3.7", 7, rawpeer.OpClose, rawpeer.ClosePayload(1000, "")),
	}
}
