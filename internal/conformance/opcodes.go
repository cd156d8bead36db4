package conformance

import (
	"context"
	"fmt"
)

// opcodeCases are group 4: the reserved opcodes 3 to 7 and 11 to 15 are
// protocol errors (RFC 6455 5.2).
func opcodeCases() []Case {
	var cases []Case
	for kind, first := range []byte{3, 11} {
		for i := range byte(5) {
			opcode := first + i
			payload := ""
			if i%2 == 1 || i == 4 {
				payload = "reserved"
			}
			alone := i < 2
			title := fmt.Sprintf("reserved opcode %d with %d octets is a protocol error", opcode, len(payload))
			if !alone {
				title += "; the text before is echoed, the ping after is not answered"
			}
			cases = append(cases, Case{
				ID: fmt.Sprintf("4.%d.%d", kind+1, i+1), Title: title,
				Run: func(_ context.Context, s *Session) error {
					s.open()
					bad := s.frame(true, opcode, []byte(payload))
					if alone {
						s.say(bad)
					} else {
						s.say(s.text("before"), bad, s.ping("after"))
						s.wantText("before")
					}
					s.wantFailed(1002)
					return s.err
				},
			})
		}
	}
	return cases
}
