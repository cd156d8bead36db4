package split

import (
	"fmt"
	"net"
	"runtime"
	"testing"
	"time"
)

// One loop serves both: the work that does not return loses it.
func TestWorkThatDoesNotReturnHoldsUpNobody(t *testing.T) {
	p := NewPoller(1)
	release, done := make(chan struct{}), make(chan string, 64)
	stuck, first := hire(t, p, func(b byte, _ bool) {
		if b == 's' {
			<-release
		}
		done <- "first " + string(b)
	})
	_, second := hire(t, p, func(b byte, _ bool) { done <- "second " + string(b) })
	say(t, first, "s")
	for _, b := range "abc" {
		say(t, second, string(b))
		equal(t, "done", receive(t, "the second's work", done), "second "+string(b))
	}
	equal(t, "late at", receive(t, "word of being late", stuck.late), 's')
	say(t, first, "t") // reading goes on; this test's work may overlap
	equal(t, "done", receive(t, "the first's next work", done), "first t")
	close(release)
	equal(t, "done", receive(t, "the late work", done), "first s")
	say(t, second, "d")
	equal(t, "done", receive(t, "the second's work", done), "second d")
}

// A goroutine that has lost its loop leaves it alone also when the loop has
// ended and begun again meanwhile.
func TestLateWorkReturnsAfterItsLoopHasEnded(t *testing.T) {
	p := NewPoller(1)
	release, done := make(chan struct{}), make(chan byte, 4)
	t.Run("first life", func(t *testing.T) {
		stuck, client := hire(t, p, func(b byte, _ bool) { <-release; done <- b })
		say(t, client, "s")
		receive(t, "word of being late", stuck.late)
	})
	t.Run("second life", func(t *testing.T) {
		_, client := hire(t, p, func(b byte, _ bool) { done <- b })
		say(t, client, "1")
		equal(t, "done", receive(t, "work", done), '1')
		close(release)
		equal(t, "done", receive(t, "the late work", done), 's')
		say(t, client, "2")
		equal(t, "done", receive(t, "work", done), '2')
	})
}

func TestQuickWorkRunsOnTheLoopAndTheMonitorRests(t *testing.T) {
	p := NewPoller(1)
	done := make(chan bool, 4)
	_, client := hire(t, p, func(_ byte, watched bool) { done <- watched })
	for range 50 {
		say(t, client, "x")
		equal(t, "on the loop", receive(t, "work", done), true)
	}
	for deadline := time.Now().Add(10 * time.Second); p.monitor.awake.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the monitor looks for ever")
		}
	}
}

// waitForLook lets the work on the poller's first loop last until the monitor
// has found it there.
func waitForLook(p *Poller) {
	state := p.loops[0].shift.state.Load()
	for limit := time.Now().Add(patience); time.Now().Before(limit); runtime.Gosched() {
		p.monitor.mu.Lock()
		seen := p.monitor.seen[0].state
		p.monitor.mu.Unlock()
		if seen >= state {
			return
		}
	}
}

// Work that waits for something, each time, gets goroutines of its own.
func TestWorkThatKeepsWaitingIsSpread(t *testing.T) {
	p := NewPoller(1)
	const crowd = 8
	spread := make(chan string, 1)
	var clients []net.Conn
	for i := range crowd {
		_, client := hire(t, p, func(_ byte, watched bool) {
			if watched {
				waitForLook(p)
			} else {
				select {
				case spread <- fmt.Sprint("connection ", i):
				default:
				}
			}
		})
		clients = append(clients, client)
	}
	limit := time.After(patience)
	for {
		for _, client := range clients {
			say(t, client, "x")
		}
		select {
		case <-spread:
			return
		case <-limit:
			t.Fatal("slow work is never spread")
		default:
		}
	}
}
