package wscore

import (
	"runtime"
	"sync"
	"testing"
)

func TestLifecycleBeginsOpenWithoutACloseCode(t *testing.T) {
	var l Lifecycle
	if code, side, ok := l.FirstClose(); l.State() != Open || ok || code != 0 || side != Remote {
		t.Errorf("state %v, first close %v %v %v", l.State(), code, side, ok)
	}
}

func TestFirstCloseIsKept(t *testing.T) {
	closeLocally := func(t *testing.T, l *Lifecycle, code CloseCode) {
		e := NewEncoder(Server, l, nil)
		if _, err := e.AppendClose(nil, code, ""); err != nil {
			t.Fatal(err)
		}
	}
	closeRemotely := func(t *testing.T, l *Lifecycle, code CloseCode) {
		d, err := NewDecoder(Client, l, &Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if event, _, err := d.Decode(frame(Server, finClose, closeBody(uint16(code), ""))); event.Kind != Close || err != nil {
			t.Fatalf("got %+v, %v", event, err)
		}
	}
	for _, test := range []struct {
		name string
		run  func(t *testing.T, l *Lifecycle)
		code CloseCode
		side Side
	}{
		{"ours before the peer's", func(t *testing.T, l *Lifecycle) { closeLocally(t, l, 4000); closeRemotely(t, l, 1001) }, 4000, Local},
		{"the peer's before ours", func(t *testing.T, l *Lifecycle) { closeRemotely(t, l, 1001); closeLocally(t, l, 4000) }, 1001, Remote},
		{"the peer's alone", func(t *testing.T, l *Lifecycle) { closeRemotely(t, l, 3000) }, 3000, Remote},
		{"a peer's that was read after the stream was lost", func(t *testing.T, l *Lifecycle) {
			_, _ = l.Apply(Lost)
			closeRemotely(t, l, 1008)
		}, 1008, Remote},
	} {
		t.Run(test.name, func(t *testing.T) {
			var l Lifecycle
			test.run(t, &l)
			if code, side, ok := l.FirstClose(); code != test.code || side != test.side || !ok {
				t.Errorf("first close %v %v %v", code, side, ok)
			}
		})
	}
}

func TestRefusedCloseIsNotNoted(t *testing.T) {
	var l Lifecycle
	_, _ = l.Apply(Lost)
	e := NewEncoder(Server, &l, nil)
	if _, err := e.AppendClose(nil, CloseNormal, ""); err != ErrConnectionClosed {
		t.Fatalf("AppendClose gave %v", err)
	}
	if code, _, ok := l.FirstClose(); ok {
		t.Errorf("noted %v", code)
	}
}

// Both halves of a connection use the lifecycle from their own goroutines, and
// any number of callers may ask to close.
func TestOneOfManyConcurrentClosesIsSent(t *testing.T) {
	const closers = 8
	for range 200 {
		var l Lifecycle
		var wait sync.WaitGroup
		sent := make([]bool, closers)
		for i := range closers {
			wait.Go(func() {
				e := NewEncoder(Server, &l, nil)
				_, err := e.AppendClose(nil, CloseCode(4000+i), "")
				sent[i] = err == nil
			})
		}
		wait.Wait()
		winners := 0
		for i, ok := range sent {
			if !ok {
				continue
			}
			winners++
			if code, side, _ := l.FirstClose(); code != CloseCode(4000+i) || side != Local {
				t.Fatalf("closer %d won, the first close is %v %v", i, code, side)
			}
		}
		if winners != 1 || l.State() != CloseSent {
			t.Fatalf("%d close frames, state %v", winners, l.State())
		}
	}
}

// Whoever sees that a close frame was sent also sees its code, and crossing
// close frames leave the side that the state table went by.
func TestStateAndFirstCloseChangeTogether(t *testing.T) {
	for range 2000 {
		var l Lifecycle
		var wait sync.WaitGroup
		var sentFrom, receivedInto State
		wait.Go(func() {
			state, _ := l.applyClose(SendClose, 4000, Local)
			sentFrom = state
		})
		wait.Go(func() { receivedInto, _ = l.applyClose(ReceiveClose, 1001, Remote) })
		wait.Go(func() {
			for l.State() == Open {
				runtime.Gosched()
			}
			if _, _, ok := l.FirstClose(); !ok {
				t.Error("closing without a close code")
			}
		})
		wait.Wait()
		code, side, _ := l.FirstClose()
		localFirst := sentFrom == CloseSent && receivedInto == Closed
		if l.State() != Closed || (side == Local) != localFirst || (code == 4000) != localFirst {
			t.Fatalf("state %v by way of %v and %v, first close %v %v", l.State(), sentFrom, receivedInto, code, side)
		}
	}
}
