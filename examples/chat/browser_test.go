package main

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"
)

// browserPatience bounds every wait for a browser, which shares a busy machine
// with its server; a reconnect may back off for some seconds.
const browserPatience = 40 * time.Second

// startBrowser starts Chromium with a profile of its own.
func startBrowser(t *testing.T) *rod.Browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		path = "/usr/bin/chromium"
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("TANDEM_CI") == "1" {
			t.Fatalf("chromium is needed: %v", err)
		}
		t.Skipf("chromium is not installed: %v", err)
	}
	launch := launcher.New().Bin(path).Leakless(false).Headless(true).UserDataDir(t.TempDir()).
		Set("no-sandbox").Set("disable-gpu").Set("disable-quic").Set("no-first-run").
		Set("disable-background-networking").Set("disable-component-update").Set("disable-sync")
	control, err := launch.Launch()
	if err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	browser := rod.New().ControlURL(control)
	if err := browser.Connect(); err != nil {
		launch.Kill()
		t.Fatalf("chromium does not answer: %v", err)
	}
	t.Cleanup(func() {
		if browser.Timeout(patience).Close() != nil {
			launch.Kill()
		}
		launch.Cleanup() // waits for its end
	})
	return browser
}

// tab is a page of the chat in a browser profile of its own, as a second
// person would have it.
type tab struct {
	t    *testing.T
	page *rod.Page

	mu       sync.Mutex
	problems []string // what the browser says is wrong with the page
}

func openTab(t *testing.T, browser *rod.Browser, prepare func(*rod.Page) error, url string) *tab {
	t.Helper()
	private, err := browser.Incognito()
	if err != nil {
		t.Fatal(err)
	}
	page, err := private.Page(proto.TargetCreateTarget{URL: "about:blank"})
	if err != nil {
		t.Fatal(err)
	}
	b := &tab{t: t, page: page}
	for _, enable := range []interface{ Call(proto.Client) error }{proto.RuntimeEnable{}, proto.LogEnable{}} {
		if err := enable.Call(page); err != nil {
			t.Fatal(err)
		}
	}
	go page.EachEvent(func(e *proto.RuntimeExceptionThrown) {
		b.complain("exception: " + e.ExceptionDetails.Text)
	}, func(e *proto.LogEntryAdded) {
		if e.Entry.Level == proto.LogLogEntryLevelError {
			b.complain(string(e.Entry.Source) + ": " + e.Entry.Text)
		}
	})()
	if prepare != nil {
		if err := prepare(page); err != nil {
			t.Fatal(err)
		}
	}
	if err := page.Timeout(browserPatience).Navigate(url); err != nil {
		t.Fatal(err)
	}
	b.until("the form", `() => document.querySelector("form#join")?.checkVisibility() && document.querySelector("#status").dataset.state === "offline"`)
	return b
}

func (b *tab) complain(problem string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, problem)
}

// checkProblems fails the test if the browser had something to say.
func (b *tab) checkProblems() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		b.t.Errorf("the browser says: %s", problem)
	}
}

// until waits until a function in the page returns true.
func (b *tab) until(what, script string, args ...any) {
	b.t.Helper()
	if err := b.page.Timeout(browserPatience).Wait(rod.Eval(script, args...)); err != nil {
		text := "nothing"
		if body, bodyErr := b.page.Timeout(patience).Eval(`() => document.body.innerText`); bodyErr == nil {
			text = body.Value.Str()
		}
		b.t.Fatalf("waiting for %s: %v; the page says:\n%s", what, err, text)
	}
}

func (b *tab) fill(selector, text string) {
	b.t.Helper()
	element, err := b.page.Timeout(browserPatience).Element(selector)
	if err == nil {
		err = element.SelectAllText()
	}
	if err == nil {
		err = element.Input(text)
	}
	if err != nil {
		b.t.Fatalf("filling %s: %v", selector, err)
	}
}

func (b *tab) click(selector string) {
	b.t.Helper()
	element, err := b.page.Timeout(browserPatience).Element(selector)
	if err == nil {
		err = element.Click(proto.InputMouseButtonLeft, 1)
	}
	if err != nil {
		b.t.Fatalf("clicking %s: %v", selector, err)
	}
}

func (b *tab) join(nick, room string) {
	b.t.Helper()
	b.fill("input#nick", nick)
	b.fill("input#room", room)
	b.click("button#enter")
	b.untilState("connected")
	b.until("the room "+room, `room => document.querySelector("#room-name").textContent === room`, room)
}

func (b *tab) say(text string) {
	b.t.Helper()
	b.fill("textarea#text", text)
	b.click("form#composer button#send")
}

func (b *tab) untilState(state string) {
	b.t.Helper()
	b.until("state "+state, `state => document.querySelector("#status").dataset.state === state`, state)
}

func (b *tab) untilMembers(nicks ...string) {
	b.t.Helper()
	b.until("members "+strings.Join(nicks, ", "),
		`nicks => JSON.stringify([...document.querySelectorAll("#members li")].map((li) => li.textContent)) === JSON.stringify(nicks)`, nicks)
}

// untilMessage waits for a message that the server has confirmed, once only.
func (b *tab) untilMessage(nick, text string) {
	b.t.Helper()
	b.until(nick+" saying "+text, `(nick, text) => [...document.querySelectorAll("#messages li.message")].filter((li) =>
		li.querySelector(".nick").textContent === nick && li.querySelector(".text").textContent === text &&
		li.dataset.state === "sent" && Number(li.dataset.seq) > 0 && li.dataset.id !== "").length === 1`, nick, text)
}

func (b *tab) untilNotice(nick, did string) {
	b.t.Helper()
	b.until("the notice that "+nick+" "+did,
		`(nick, did) => [...document.querySelectorAll("#messages li.notice")].some((li) => li.textContent.includes(nick) && li.textContent.includes(did))`, nick, did)
}

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
	for name, test := range map[string]struct {
		scheme        string
		width, height int
		isPhone       bool
	}{
		"light desktop": {"light", 1280, 800, false},
		"dark desktop":  {"dark", 1280, 800, false},
		"light phone":   {"light", 390, 844, true},
		"dark phone":    {"dark", 360, 640, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := openTab(t, browser, func(page *rod.Page) error {
				err := proto.EmulationSetEmulatedMedia{Features: []*proto.EmulationMediaFeature{{Name: "prefers-color-scheme", Value: test.scheme}}}.Call(page)
				if err != nil {
					return err
				}
				return page.SetViewport(&proto.EmulationSetDeviceMetricsOverride{Width: test.width, Height: test.height, DeviceScaleFactor: 2, Mobile: test.isPhone})
			}, p.url)
			b.join("ann", "room-"+strings.ReplaceAll(name, " ", "-"))
			b.say(strings.Repeat("long", 100) + " https://example.org/" + strings.Repeat("path/", 40))
			b.until("the message", `() => document.querySelectorAll("#messages li.message[data-state=sent]").length === 1`)
			bright, err := b.page.Timeout(browserPatience).Eval(brightness)
			if err != nil {
				t.Fatal(err)
			}
			if isDark := bright.Value.Num() < 0.5; isDark != (test.scheme == "dark") {
				t.Errorf("in the %s scheme the background's brightness is %.2f", test.scheme, bright.Value.Num())
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
