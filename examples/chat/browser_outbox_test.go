package main

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/go-rod/rod"

	"github.com/tandem-ws/tandem/actor/natsbroker/embedded"
)

// skippingClock lets a test move the page's clock forward with skip(ms).
func skippingClock(page *rod.Page) error {
	_, err := page.EvalOnNewDocument(`{
		const now = performance.now.bind(performance);
		let skipped = 0;
		performance.now = () => now() + skipped;
		window.skip = (ms) => { skipped += ms; };
	}`)
	return err
}

// What waits for longer than the server knows it again fails, says why, and may
// be sent anew.
func TestBrowserGivesUpWhatWaitsTooLong(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	ann := openTab(t, browser, skippingClock, p.url)
	ann.join("ann", "lobby")
	ann.setOnline(false)
	ann.say("too late")
	ann.untilText("#banner", "offline")
	ann.untilCount("#messages li.message[data-state=pending]", 1)
	ann.eval(fmt.Sprintf(`() => skip(%d)`, retryWithin.Milliseconds()+1000))
	ann.untilText("#messages li.message[data-state=failed] .state", "could not be sent within 90 seconds")
	ann.say("in time")
	ann.setOnline(true)
	ann.untilMessage("ann", "in time")
	ann.untilCount("#messages li.message[data-state=failed]", 1)
	ann.click("#messages li.message[data-state=failed] button")
	ann.untilMessage("ann", "too late")
	if got := ann.texts("#messages .text"); !slices.Equal(got, []string{"in time", "too late"}) {
		t.Errorf("the page shows %q", got)
	}
	ann.checkProblems()
}

// What is written faster than the chat takes waits, and arrives in its order.
func TestBrowserKeepsWhatIsTooFast(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	const count = 2 * messageBurst
	ann.eval(`(count) => {
		for (let i = 0; i < count; i++) {
			document.querySelector("#text").value = "line " + i;
			document.querySelector("#composer").requestSubmit();
		}
	}`, count)
	ann.untilCount("#messages li.message[data-state=sent]", count)
	for i, text := range ann.texts("#messages .text") {
		if text != fmt.Sprint("line ", i) {
			t.Fatalf("line %d is %q", i, text)
		}
	}
	ann.checkProblems()
}

// While nothing can be stored the page says so, keeps what is written, and sends
// it as soon as it can.
func TestBrowserSaysThatNothingCanBeStored(t *testing.T) {
	browser := startBrowser(t)
	dir := t.TempDir()
	server, err := embedded.Start(embedded.Config{Listen: "127.0.0.1:0", StoreDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { server.Close() }()
	at, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	p, _, _ := startChild(t, "-nats", server.URL())
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	ann.say("before")
	ann.untilMessage("ann", "before")
	server.Close()
	ann.untilText("#banner", "Messages cannot be stored right now; yours wait here.")
	ann.say("waits")
	ann.untilCount("#messages li.message[data-state=pending]", 1)
	if server, err = embedded.Start(embedded.Config{Listen: at.Host, StoreDir: dir}); err != nil {
		t.Fatal(err)
	}
	ann.untilMessage("ann", "waits")
	ann.until("no banner", `() => document.querySelector("#banner").hidden`)
	ann.checkProblems()
}
