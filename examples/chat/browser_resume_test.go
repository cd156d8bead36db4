package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// chatter makes people say so many things at once, as fast as the rate lets
// several of them, and returns what they said in its order.
func chatter(p *program, room string, count int) []string {
	var said []string
	for len(said) < count {
		c := p.dial()
		c.askToJoin(room, fmt.Sprint("talker-", len(said)))
		c.await("joined", all...)
		for range min(messageBurst-1, count-len(said)) {
			text := fmt.Sprint("missed ", len(said))
			c.say(fmt.Sprint(len(said)), text)
			c.await("ack", all[1:]...)
			said = append(said, text)
		}
	}
	return said
}

func (b *tab) untilCount(selector string, count int) {
	b.t.Helper()
	b.until(fmt.Sprint(count, " of ", selector), `(selector, count) => document.querySelectorAll(selector).length === count`, selector, count)
}

// Who was away gets what was missed, once and in order, in silence, under a
// divider; what is said then is read out again.
func TestBrowserResumesExactly(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	ann.say("before")
	ann.untilMessage("ann", "before")

	ann.setOnline(false)
	missed := chatter(p, "lobby", historyPart+20)
	ann.listen()
	ann.setOnline(true)
	ann.untilCount("#messages li.message", 1+len(missed))
	if got := ann.texts("#messages li.message .text"); !slices.Equal(got, append([]string{"before"}, missed...)) {
		t.Errorf("the page shows %q", got)
	}
	if gaps := ann.texts("#messages li.divider[data-kind=gap]"); len(gaps) != 0 {
		t.Errorf("there are gaps: %q", gaps)
	}
	first := ann.eval(`() => document.querySelector("#messages li.divider[data-kind=unread]").nextElementSibling.querySelector(".text").textContent`)
	if got := first.Value.Str(); got != missed[0] {
		t.Errorf("the divider stands before %q", got)
	}
	ann.until("the end of the silence", `() => document.querySelector("#messages").getAttribute("aria-live") === "polite"`)
	bob := p.dial()
	bob.askToJoin("lobby", "bob")
	bob.await("joined", all...)
	bob.say("now", "live again")
	ann.untilMessage("bob", "live again")
	if spoken := ann.spoken(); strings.Contains(spoken, "missed") || !strings.Contains(spoken, "live again") {
		t.Errorf("read out was %q", spoken)
	}
	ann.checkProblems()
}

// Numbers of another history say nothing: what may be missing has a line, and
// what was seen stays.
func TestBrowserShowsAGap(t *testing.T) {
	browser := startBrowser(t)
	p, process, ended := startChild(t)
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	ann.say("in the old history")
	ann.untilMessage("ann", "in the old history")
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitExit(t, ended)
	ann.untilState("reconnecting")
	startChild(t, "-addr", p.host()) // with a history of its own
	ann.untilState("connected")
	ann.untilCount("#messages li.divider[data-kind=gap]", 1)
	ann.say("in the new one")
	ann.untilMessage("ann", "in the new one")
	if got := ann.texts("#messages .text"); !slices.Equal(got, []string{"in the old history", "in the new one"}) {
		t.Errorf("the page shows %q", got)
	}
}
