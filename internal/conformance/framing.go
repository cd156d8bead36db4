package conformance

import (
	"context"
	"fmt"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// framingCases are group 1: payload lengths around every change of the length
// form (RFC 6455 5.2), text and binary.
func framingCases() []Case {
	lengths := []int{0, 125, 126, 127, 128, 65535, 65536, 65536}
	const lastChop = 997
	var cases []Case
	for kind, opcode := range []byte{rawpeer.OpText, rawpeer.OpBinary} {
		for i, length := range lengths {
			chop := 0
			title := fmt.Sprintf("%s of %d octets comes back", opcodeName(opcode), length)
			if i == len(lengths)-1 {
				chop = lastChop
				title += fmt.Sprintf(", written %d octets at a time", chop)
			}
			cases = append(cases, Case{
				ID: fmt.Sprintf("1.%d.%d", kind+1, i+1), Title: title,
				Run: func(_ context.Context, s *Session) error {
					payload := payloadOf(opcode, length)
					s.open()
					s.sayChopped(chop, s.frame(true, opcode, payload))
					s.wantMessage(opcode, payload)
					s.cleanClose()
					return s.err
				},
			})
		}
	}
	return cases
}

func opcodeName(opcode byte) string {
	if opcode == rawpeer.OpText {
		return "text"
	}
	return "binary"
}
