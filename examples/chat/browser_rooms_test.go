package main

import (
	"slices"
	"testing"
)

// untilRooms waits for the list of rooms as a screen reader has it.
func (b *tab) untilRooms(want ...string) {
	b.t.Helper()
	b.until("rooms", `want => JSON.stringify([...document.querySelectorAll("#rooms a")].map((a) => a.textContent)) === JSON.stringify(want)`, want)
}

// eventuallyRooms asks for the rooms until the list is as wanted: how many are in
// other rooms may be some seconds old.
func (b *tab) eventuallyRooms(want ...string) {
	b.t.Helper()
	b.eval(`() => { window.asking = setInterval(() => document.dispatchEvent(new Event("visibilitychange")), 500); }`)
	b.untilRooms(want...)
	b.eval(`() => clearInterval(asking)`)
}

func TestBrowserListsRoomsAndGoesThere(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	bob := p.dial()
	bob.join("kitchen", "bob", "bob")
	bob.say("1", "soup")
	bob.await("ack", "message")
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	ann.say("hello lobby")
	ann.untilMessage("ann", "hello lobby")
	ann.eventuallyRooms("kitchen 1 here", "lobby 1 here")

	ann.fill("#other-room", "garden")
	ann.click("#room-form button")
	ann.until("the garden", `() => document.querySelector("#room-name").textContent === "garden" && location.hash === "#garden"`)
	ann.eventuallyRooms("garden 1 here", "kitchen 1 here", "lobby 0 here")
	ann.click(`#rooms a[href="#kitchen"]`)
	ann.untilMessage("bob", "soup")
	if current := ann.texts("#rooms a[aria-current=page] .room"); !slices.Equal(current, []string{"kitchen"}) {
		t.Errorf("current is %q", current)
	}
	ann.eval(`() => history.back()`)
	ann.until("the garden again", `() => document.querySelector("#room-name").textContent === "garden"`)

	// What is said in a room that was left is unread, and stands under a divider.
	bob.say("2", "pudding")
	bob.await("ack", "message", "notice")
	ann.eventuallyRooms("garden 1 here", "kitchen 1 unread 1 here", "lobby 0 here")
	ann.listen()
	ann.click(`#rooms a[href="#kitchen"]`)
	ann.untilMessage("bob", "pudding")
	if got := ann.texts("#messages li.message .text, #messages li.divider"); !slices.Equal(got, []string{"soup", "New messages", "pudding"}) {
		t.Errorf("the page shows %q", got)
	}
	if spoken := ann.spoken(); spoken != "" {
		t.Errorf("read out was %q", spoken)
	}
	ann.eventuallyRooms("kitchen 2 here", "lobby 0 here") // nothing was said in the garden

	// After a reload the browser still knows what was read.
	bob.say("3", "coffee")
	bob.await("ack", "message", "notice")
	ann.untilMessage("bob", "coffee")
	ann.click(`#rooms a[href="#lobby"]`)
	ann.untilMessage("ann", "hello lobby")
	bob.say("4", "cake")
	bob.await("ack", "message", "notice")
	if err := ann.page.Timeout(browserPatience).Navigate(p.url + "?again#kitchen"); err != nil {
		t.Fatal(err)
	}
	ann.until("the form", `() => document.querySelector("input#room")?.value === "kitchen"`)
	ann.join("ann", "kitchen")
	ann.untilMessage("bob", "cake")
	if got := ann.texts("#messages li.message .text, #messages li.divider"); !slices.Equal(got, []string{"soup", "pudding", "coffee", "New messages", "cake"}) {
		t.Errorf("the page shows %q", got)
	}
	ann.checkProblems()
}

func TestBrowserMarksWhereTheReaderStopped(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	bob := p.dial()
	bob.join("lobby", "bob", "ann", "bob")
	say := func(text string) {
		bob.say(text, text)
		bob.await("ack", "message")
		ann.untilMessage("bob", text)
	}
	title := func(want string) {
		t.Helper()
		ann.until("the title "+want, `want => document.title === want`, want)
	}
	shows := func(want ...string) {
		t.Helper()
		if got := ann.texts("#messages li.message .text, #messages li.divider"); !slices.Equal(got, want) {
			t.Errorf("the page shows %q, want %q", got, want)
		}
	}
	say("seen")
	title("#lobby · Tandem chat")
	ann.hide(true)
	say("first")
	say("second")
	title("(2) #lobby · Tandem chat")
	ann.hide(false)
	title("#lobby · Tandem chat")
	say("third")
	shows("seen", "New messages", "first", "second", "third")

	// The next absence moves it, and an answer takes it away.
	ann.hide(true)
	say("fourth")
	ann.hide(false)
	shows("seen", "first", "second", "third", "New messages", "fourth")
	ann.say("I see")
	ann.untilMessage("ann", "I see")
	shows("seen", "first", "second", "third", "fourth", "I see")
	ann.checkProblems()
}
