package actor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/internal/explore"
)

// twinCredits is the twin of credits: the same code, in which each atomic
// operation is a step.
type twinCredits struct {
	limits          *twinLimits
	bytes, messages explore.Number[int64]
	paused          explore.Bool
	progress        explore.Number[int64]
}

type twinLimits struct {
	bytes, messages int64
	clock           *explore.Number[int64]
}

func (k *twinCredits) take(bytes int) {
	k.bytes.Add(int64(bytes))
	k.messages.Add(1)
}

func (k *twinCredits) pause() bool {
	if !k.over(1) {
		return false
	}
	k.progress.Store(k.limits.clock.Load())
	k.paused.Store(true)
	return k.over(1) || !k.paused.CompareAndSwap(true, false)
}

func (k *twinCredits) over(part int64) bool {
	return k.bytes.Load() >= max(1, k.limits.bytes/part) || k.messages.Load() >= max(1, k.limits.messages/part)
}

func (k *twinCredits) give(bytes int) (resume bool) {
	k.bytes.Add(-int64(bytes))
	k.messages.Add(-1)
	if !k.paused.Load() {
		return false
	}
	k.progress.Store(k.limits.clock.Load())
	return !k.over(2) && k.paused.CompareAndSwap(true, false)
}

func TestCreditsAndTheirTwinAreTheSame(t *testing.T) {
	explore.SameCode(t, "reader.go", "model_credits_test.go", strings.NewReplacer(), map[string]string{
		"credits.take":  "twinCredits.take",
		"credits.pause": "twinCredits.pause",
		"credits.over":  "twinCredits.over",
		"credits.give":  "twinCredits.give",
	})
}

// creditModel is a reader that delivers messages, and those who handle them.
type creditModel struct {
	threads   explore.Threads
	credits   twinCredits
	clock     explore.Number[int64]
	delivered []int // sizes that nobody handles yet
	inHand    int   // messages that somebody handles
	resumes   int   // asked for and not followed
	asleep    bool  // the reader is paused and waits for a resume
	fault     error
}

func newCreditModel(sizes []int, handlers int, maxBytes, maxMessages int64) explore.System {
	m := &creditModel{}
	m.credits.limits = &twinLimits{bytes: maxBytes, messages: maxMessages, clock: &m.clock}
	explore.Bind(&m.threads, "bytes", &m.credits.bytes)
	explore.Bind(&m.threads, "messages", &m.credits.messages)
	explore.Bind(&m.threads, "paused", &m.credits.paused)
	m.threads.Go("reader", "begins", func() {
		for i, size := range sizes {
			m.threads.Forget()
			m.threads.Saw(uint64(i))
			for m.credits.pause() {
				// The verdict is Pause; a resume may have come before it.
				m.asleep = true
				if !m.threads.Await("sleeps", func() bool { return m.resumes > 0 }) {
					return
				}
				m.asleep, m.resumes = false, m.resumes-1
				m.threads.Forget()
				m.threads.Saw(uint64(i))
			}
			// What nobody has handled yet counts as delivered, whatever the
			// credits say.
			if pinned := m.pinned(); pinned >= int(maxBytes) || len(m.delivered) >= int(maxMessages) {
				m.fault = fmt.Errorf("read on with %d bytes and %d messages delivered", pinned, len(m.delivered))
			}
			m.credits.take(size)
			m.delivered = append(m.delivered, size)
		}
	})
	for i := range handlers {
		m.threads.Go(fmt.Sprint("handler ", i+1), "begins", func() {
			for m.threads.Await("handles", func() bool { return len(m.delivered) > 0 }) {
				size := m.delivered[0]
				m.delivered = m.delivered[1:]
				m.inHand++
				m.threads.Forget()
				m.threads.Saw(uint64(size))
				if m.credits.give(size) {
					m.resumes++
				}
				m.inHand--
			}
		})
	}
	return m
}

func (m *creditModel) pinned() (bytes int) {
	for _, size := range m.delivered {
		bytes += size
	}
	return bytes
}

func (m *creditModel) Steps() int           { return m.threads.Steps() }
func (m *creditModel) Name(step int) string { return m.threads.Name(step) }
func (m *creditModel) Do(step int)          { m.threads.Do(step) }
func (m *creditModel) Close() error         { m.threads.Stop(); return nil }

func (m *creditModel) Check() error {
	if m.fault == nil && m.resumes > 1 {
		return fmt.Errorf("%d resumes are due", m.resumes)
	}
	return m.fault
}

func (m *creditModel) End() error {
	for _, thread := range m.threads.Unfinished() {
		if !strings.HasSuffix(thread, "at handles") {
			return fmt.Errorf("everything is handled and %s", thread)
		}
	}
	if m.credits.bytes.Peek() != 0 || m.credits.messages.Peek() != 0 || m.credits.paused.Peek() || m.resumes != 0 {
		return fmt.Errorf("at the end %d bytes, %d messages, paused %v, %d resumes", m.credits.bytes.Peek(), m.credits.messages.Peek(), m.credits.paused.Peek(), m.resumes)
	}
	return nil
}

func (m *creditModel) State(to []byte) []byte {
	return m.threads.State(fmt.Append(to, m.credits.bytes.Peek(), ' ', m.credits.messages.Peek(), m.credits.paused.Peek(), m.delivered, m.inHand, m.resumes, m.asleep))
}

// No schedule leaves reading paused once everything is handled, and none
// delivers more than the bound allows.
func TestEveryScheduleOfCreditsResumesTheReader(t *testing.T) {
	for _, scenario := range []struct {
		name                  string
		sizes                 []int
		handlers              int
		maxBytes, maxMessages int64
	}{
		{"one message", []int{1, 1, 1}, 1, 100, 1},
		{"two messages", []int{1, 1, 1, 1}, 1, 100, 2},
		{"bytes", []int{3, 1, 2}, 1, 3, 100},
		{"two handlers", []int{1, 1, 1}, 2, 100, 1},
		{"two handlers, two messages", []int{1, 2}, 2, 3, 2},
		{"many", []int{1, 2, 1, 3, 1}, 2, 4, 3},
	} {
		if scenario.name == "many" && !explore.Large() {
			continue
		}
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel()
			explore.All(t, func() explore.System {
				return newCreditModel(scenario.sizes, scenario.handlers, scenario.maxBytes, scenario.maxMessages)
			})
		})
	}
}
