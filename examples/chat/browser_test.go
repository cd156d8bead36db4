package main

import (
	"strings"
	"testing"
)

func TestBrowserTwoTabsTalk(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	ann, bob := openTab(t, browser, nil, p.url), openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	bob.join("bob", "lobby")
	ann.untilNotice("bob", "joined")
	for _, b := range []*tab{ann, bob} {
		b.untilMembers("ann", "bob")
	}
	ann.say("hello <b>bob</b>")
	bob.say("hi ann")
	for _, b := range []*tab{ann, bob} {
		b.untilMessage("ann", "hello <b>bob</b>")
		b.untilMessage("bob", "hi ann")
	}

	late := openTab(t, browser, nil, p.url)
	late.join("ANN", "kitchen")
	late.click("#change-room")
	late.fill("input#room", "lobby")
	late.click("button#enter")
	late.until("the refusal", `() => document.querySelector("#join-error").textContent !== ""`)
	late.fill("input#nick", "cid")
	late.click("button#enter")
	late.untilMembers("ann", "bob", "cid")
	late.untilMessage("ann", "hello <b>bob</b>") // of the history

	ann.untilNotice("cid", "joined")
	if n := p.metric("tandem_connections_closed_total"); n != 0 {
		t.Errorf("%v connections are closed already", n)
	}
	if err := bob.page.Close(); err != nil {
		t.Fatal(err)
	}
	ann.untilNotice("bob", "left")
	ann.untilMembers("ann", "cid")
	if n := p.metric("tandem_connections_closed_total", `code="1001"`, `initiator="remote"`); n != 1 {
		_, metrics := get(t, p.admin+"metrics")
		t.Errorf("the closed tab counts as %v closes with 1001:\n%s", n, metrics)
	}
	for _, b := range []*tab{ann, bob, late} {
		b.checkProblems()
	}
}

func TestBrowserReconnectsAfterTheServerWasKilled(t *testing.T) {
	browser := startBrowser(t)
	p, process, ended := startChild(t)
	ann, bob := openTab(t, browser, nil, p.url), openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	bob.join("bob", "lobby")
	ann.say("before")
	bob.untilMessage("ann", "before")

	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitExit(t, ended)
	ann.untilState("reconnecting")
	bob.untilState("reconnecting")
	ann.say("in between") // waits in the page

	startChild(t, "-addr", p.host())
	for _, b := range []*tab{ann, bob} {
		b.untilState("connected")
		b.untilMembers("ann", "bob")
		b.untilMessage("ann", "in between")
	}
	bob.say("after")
	for _, b := range []*tab{ann, bob} {
		b.untilMessage("bob", "after")
		b.untilMessage("ann", "before") // what was seen stays
	}
}

func TestBrowserReconnectsAfterADrain(t *testing.T) {
	browser := startBrowser(t)
	p, stop := startProgram(t)
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	if code := stop(); code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, p.log)
	}
	ann.untilState("reconnecting")
	startProgram(t, "-addr", p.host())
	ann.untilState("connected")
	ann.untilMembers("ann")
	ann.say("again")
	ann.untilMessage("ann", "again")
}

// brightness is that of the page's background, from 0 to 1.
const brightness = `() => {
	const colors = [document.body, document.documentElement].map((element) => getComputedStyle(element).backgroundColor);
	const paint = document.createElement("canvas").getContext("2d");
	for (const color of colors) {
		paint.clearRect(0, 0, 1, 1);
		paint.fillStyle = color;
		paint.fillRect(0, 0, 1, 1);
		const [red, green, blue, alpha] = paint.getImageData(0, 0, 1, 1).data;
		if (alpha > 0) return (0.3 * red + 0.6 * green + 0.1 * blue) / 255;
	}
	return 1;
}`

func TestBrowserSchemesAndScreens(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	for name, look := range map[string]look{
		"light desktop": {"light", 1280, 800, 2, false},
		"dark desktop":  {"dark", 1280, 800, 2, false},
		"light phone":   {"light", 390, 844, 2, true},
		"dark phone":    {"dark", 360, 640, 2, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := openTab(t, browser, look.prepare, p.url)
			b.join("ann", "room-"+strings.ReplaceAll(name, " ", "-"))
			b.say(strings.Repeat("long", 100) + " https://example.org/" + strings.Repeat("path/", 40))
			b.until("the message", `() => document.querySelectorAll("#messages li.message[data-state=sent]").length === 1`)
			bright, err := b.page.Timeout(browserPatience).Eval(brightness)
			if err != nil {
				t.Fatal(err)
			}
			if isDark := bright.Value.Num() < 0.5; isDark != (look.scheme == "dark") {
				t.Errorf("in the %s scheme the background's brightness is %.2f", look.scheme, bright.Value.Num())
			}
			b.until("a page that fits its screen", `() => document.documentElement.scrollWidth <= innerWidth`)
			b.until("a composer on the screen", `() => ["#text", "#send"].every((selector) => {
				const box = document.querySelector(selector).getBoundingClientRect();
				return box.width > 0 && box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight;
			})`)
			b.checkProblems()
			if err := b.page.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
