package conformance

import (
	"context"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// miscCases are group 10: one text cut into many fragments of even size.
func miscCases() []Case {
	return []Case{{
		ID: "10.1.1", Title: "a text of 65536 octets in fragments of 1300 octets is echoed",
		Run: func(_ context.Context, s *Session) error {
			const length, size = 65536, 1300
			payload := textOf(length)
			s.open()
			frames := s.fragments(rawpeer.OpText, 0, payload, size)
			if want := (length + size - 1) / size; len(frames) != want {
				return failedf("the suite itself cut %d fragments, not %d", len(frames), want)
			}
			s.say(frames...)
			s.wantMessage(rawpeer.OpText, payload)
			s.cleanClose()
			return s.err
		},
	}}
}

// fragments cuts a payload into fragments of at most size octets; 0 does not
// cut. The reserved bits go on the first fragment only.
func (s *Session) fragments(opcode, rsv byte, payload []byte, size int) []rawpeer.Frame {
	if size <= 0 || size > len(payload) {
		size = max(len(payload), 1)
	}
	var frames []rawpeer.Frame
	for {
		n := min(size, len(payload))
		f := s.frame(n == len(payload), opcode, payload[:n])
		f.RSV = rsv
		frames = append(frames, f)
		if f.Fin {
			return frames
		}
		payload, opcode, rsv = payload[n:], rawpeer.OpContinuation, 0
	}
}
