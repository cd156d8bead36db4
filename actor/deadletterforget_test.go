package actor

import (
	"context"
	"fmt"
	"testing"

	"github.com/tandem-ws/tandem/split"
)

// Dialers may have names of their own and come and go: what is kept of them must
// not grow without a bound, and those that go on are not forgotten over it.
func TestDeadLettersForgetDialersThatHaveEnded(t *testing.T) {
	engine, err := NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	readiness := split.NewParked()
	start := func(name string) *Dialer {
		config := DialerConfig{ConnConfig: ConnConfig{Name: name, Readiness: readiness}}
		config.Prepare = func(context.Context, *NextDial) error { return context.Canceled }
		config.Retry = func(Attempt) Decision { return Decision{Again: name == "stays", After: 1 << 40} }
		d, err := NewDialer(engine, func(*Established) (Receiver, error) { return nobody{}, nil }, config)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	stays := start("stays")
	for i := range 2 * keptLetterObservers {
		<-start(fmt.Sprint("dialer", i)).Done()
	}
	letters := collectDeadLetters(engine)
	letters.mu.Lock()
	known, last := len(letters.observers), letters.observers[fmt.Sprint("dialer", 2*keptLetterObservers-1)]
	if letters.observers["stays"] == nil || last == nil || known > keptLetterObservers {
		t.Errorf("%d names are known, the one that goes on %v, the last %v", known, letters.observers["stays"] != nil, last != nil)
	}
	letters.mu.Unlock()
	if err := stays.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
}
