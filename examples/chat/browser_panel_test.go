package main

import (
	"strings"
	"testing"
	"time"
)

// The panel says what can be known of the connection, and measures it.
func TestBrowserPanelTellsOfTheConnection(t *testing.T) {
	browser := startBrowser(t)
	p, stop := startProgram(t)
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	ann.say("one")
	ann.untilMessage("ann", "one")
	ann.click("#status")
	ann.untilText("#panel-state", "Connected")
	ann.untilText("#panel-trip", "ms")
	ann.untilText("#trip", "ms")
	ann.untilText("#panel-end", "none yet")
	if last, seq := ann.texts("#panel-last")[0], ann.eval(`() => document.querySelector("#messages li.message").dataset.seq`).Value.Str(); last != seq {
		t.Errorf("the last message is %s, not %s", last, seq)
	}
	if log := p.log.String(); !strings.Contains(log, ann.texts("#panel-node")[0]) || !strings.Contains(log, ann.texts("#panel-connection")[0]) {
		t.Errorf("the server knows nothing of node %q and connection %q", ann.texts("#panel-node"), ann.texts("#panel-connection"))
	}
	stop()
	ann.untilText("#panel-end", "1012, the server restarts")
}

// A slow client of a busy room is closed, is told why, and gets what it missed.
func TestBrowserBeingASlowClient(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	ann.say("before")
	ann.untilMessage("ann", "before")
	ann.click("#status")
	ann.click("#slow")
	ann.untilText("#status-text", "Slow client")
	bob := p.dial()
	bob.askToJoin("lobby", "bob")
	bob.await("joined", all...)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		ann.untilText("#banner", "1013")
	}()
	said := 0
	for rate, talking := time.NewTicker(time.Second/messagesPerSecond), true; talking && said < 300; {
		said++
		bob.say(time.Now().String(), strings.Repeat("busy ", 20))
		bob.await("ack", all[1:]...)
		select {
		case <-closed:
			talking = false
			rate.Stop()
		case <-rate.C:
		}
	}
	<-closed
	ann.untilText("#panel-end", "1013, this client did not take what it was sent")
	ann.eval(`() => document.querySelector("#panel").hidePopover()`)
	ann.click("#connect-now")
	ann.untilState("connected")
	ann.untilCount("#messages li.message", 1+said)
	ann.untilCount("#messages li.divider[data-kind=gap]", 0)
	ann.until("numbers that grow", `() => [...document.querySelectorAll("#messages li.message")].every((item, at, items) =>
		at === 0 || Number(items[at - 1].dataset.seq) < Number(item.dataset.seq))`)
	ann.checkProblems()
}

// Where no place is left for a slow client the page stays a fast one, and says so.
func TestBrowserFindsNoPlaceForASlowClient(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	for range maxSlow {
		p.dialSlow()
	}
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	ann.say("/slow")
	ann.untilText("#alert", "There is no place for another slow client")
	ann.untilText("#status-text", "Connected")
	ann.say("still here")
	ann.untilMessage("ann", "still here")
}
