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

// Nor may servers, once they are shut down.
func TestDeadLettersForgetServersThatHaveEnded(t *testing.T) {
	engine, err := NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 * keptLetterObservers {
		config := ServerConfig{ConnConfig: ConnConfig{Name: fmt.Sprint("server", i)}}
		s, err := NewServer(engine, func(*Handshake) (Receiver, error) { return nobody{}, nil }, config)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Shutdown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	letters := collectDeadLetters(engine)
	letters.mu.Lock()
	defer letters.mu.Unlock()
	if known := len(letters.observers); known > keptLetterObservers {
		t.Errorf("%d names are known", known)
	}
}

// A server that is refused takes nothing from one that works under its name.
func TestRefusedServerTakesNoDeadLetters(t *testing.T) {
	engine, err := NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	newSession := func(*Handshake) (Receiver, error) { return nobody{}, nil }
	works := &NopObserver{}
	if _, err := NewServer(engine, newSession, ServerConfig{ConnConfig: ConnConfig{Observer: works}}); err != nil {
		t.Fatal(err)
	}
	// Trust in nobody makes no sense of the PROXY protocol.
	if _, err := NewServer(engine, newSession, ServerConfig{ProxyProtocol: split.ProxyRequired}); err == nil {
		t.Fatal("not refused")
	}
	letters := collectDeadLetters(engine)
	letters.mu.Lock()
	defer letters.mu.Unlock()
	if o := letters.observers["websocket"]; o == nil || o.observer != Observer(works) || o.hosts != 1 {
		t.Errorf("dead letters are %+v's", o)
	}
}
