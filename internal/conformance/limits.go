package conformance

import (
	"context"
	"fmt"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// shortShrink divides sizes, and shortTrain counts messages, in the short
// form of group 9.
const (
	shortShrink = 16
	shortTrain  = 50
	fullTrain   = 1000
)

// limitCases are group 9: messages of up to 16 MiB, whole, in fragments of
// every size and in write calls of every size, and trains of small messages.
func limitCases() []Case {
	const kib, mib = 1 << 10, 1 << 20
	var cases []Case
	kinds := []byte{rawpeer.OpText, rawpeer.OpBinary}
	for kind, opcode := range kinds {
		for i, length := range []int{64 * kib, 256 * kib, mib, 4 * mib, 8 * mib, 16 * mib} {
			c := largeMessage(fmt.Sprintf("9.%d.%d", 1+kind, i+1), opcode, length, 0, 0)
			cases = append(cases, c)
		}
	}
	for kind, opcode := range kinds {
		for i, size := range []int{64, 256, kib, 4 * kib, 16 * kib, 64 * kib, 256 * kib, mib, 4 * mib} {
			cases = append(cases, largeMessage(fmt.Sprintf("9.%d.%d", 3+kind, i+1), opcode, 4*mib, size, 0))
		}
	}
	for kind, opcode := range kinds {
		for i, chop := range []int{64, 128, 256, 512, 1024, 2048} {
			cases = append(cases, largeMessage(fmt.Sprintf("9.%d.%d", 5+kind, i+1), opcode, mib, 0, chop))
		}
	}
	for kind, opcode := range kinds {
		for i, length := range []int{0, 16, 64, 256, 1024, 4096} {
			cases = append(cases, train(fmt.Sprintf("9.%d.%d", 7+kind, i+1), opcode, length))
		}
	}
	return cases
}

// largeMessage sends one message, cut into fragments of at most size octets
// and write calls of at most chop octets; 0 does not cut. The binary message
// of 16 MiB keeps its size in the short form.
func largeMessage(id string, opcode byte, length, size, chop int) Case {
	title := fmt.Sprintf("%s of %d KiB is echoed", opcodeName(opcode), length>>10)
	if size > 0 {
		title += fmt.Sprintf(", fragments of %d octets", size)
	}
	if chop > 0 {
		title += fmt.Sprintf(", write calls of %d octets", chop)
	}
	return Case{ID: id, Title: title, Slow: true, Run: func(_ context.Context, s *Session) error {
		n := length
		if s.Short && id != "9.2.6" {
			n = max(length/shortShrink, 64<<10)
		}
		payload := payloadOf(opcode, n)
		s.open()
		s.sayChopped(chop, s.fragments(opcode, 0, payload, size)...)
		s.wantMessage(opcode, payload)
		s.cleanClose()
		return s.err
	}}
}

// train sends messages one by one, each after the echo of the one before.
func train(id string, opcode byte, length int) Case {
	return Case{
		ID: id, Title: fmt.Sprintf("%d messages of %s, %d octets each, are echoed one by one", fullTrain, opcodeName(opcode), length), Slow: true,
		Run: func(_ context.Context, s *Session) error {
			count := fullTrain
			if s.Short {
				count = shortTrain
			}
			payload := payloadOf(opcode, length)
			s.open()
			for i := 0; i < count && s.err == nil; i++ {
				if opcode == rawpeer.OpBinary && length > 0 {
					payload[i%length]++ // no two messages alike
				}
				s.say(s.frame(true, opcode, payload))
				s.wantMessage(opcode, payload)
			}
			s.cleanClose()
			return s.err
		},
	}
}
