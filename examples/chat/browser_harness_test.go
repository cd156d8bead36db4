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
	b.until("the form", `() => document.querySelector("form#join")?.checkVisibility() === true && (document.querySelector("input#room")?.value ?? "") !== ""`)
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

// eval runs a function in the page.
func (b *tab) eval(script string, args ...any) *proto.RuntimeRemoteObject {
	b.t.Helper()
	result, err := b.page.Timeout(browserPatience).Eval(script, args...)
	if err != nil {
		b.t.Fatalf("%s: %v", script, err)
	}
	return result
}

// hide makes the page believe that nobody sees it, or that somebody does again.
func (b *tab) hide(isHidden bool) {
	b.t.Helper()
	b.eval(`isHidden => {
		Object.defineProperty(document, "hidden", { value: isHidden, configurable: true });
		document.dispatchEvent(new Event("visibilitychange"));
	}`, isHidden)
}

// setOnline takes the page's network away, or gives it back.
func (b *tab) setOnline(isOnline bool) {
	b.t.Helper()
	err := proto.NetworkEmulateNetworkConditions{Offline: !isOnline, DownloadThroughput: -1, UploadThroughput: -1}.Call(b.page)
	if err != nil {
		b.t.Fatal(err)
	}
	b.untilState(map[bool]string{true: "connected", false: "offline"}[isOnline])
}

// texts returns what elements say, in the order of the page.
func (b *tab) texts(selector string) []string {
	b.t.Helper()
	var list []string
	for _, text := range b.eval(`selector => [...document.querySelectorAll(selector)].map((each) => each.textContent)`, selector).Value.Arr() {
		list = append(list, text.Str())
	}
	return list
}

// untilText waits until an element that can be seen contains a text.
func (b *tab) untilText(selector, text string) {
	b.t.Helper()
	b.until(selector+" saying "+text, `(selector, text) => {
		const element = document.querySelector(selector);
		return element !== null && element.checkVisibility() && element.textContent.includes(text);
	}`, selector, text)
}

// listen notes what a screen reader is going to read out of the message list,
// from when it has one that is not silent.
func (b *tab) listen() {
	b.t.Helper()
	b.until("the end of the silence", `() => document.querySelector("#messages").getAttribute("aria-live") === "polite"`)
	b.eval(`() => {
		window.spoken = [];
		new MutationObserver((changes) => {
			if (document.querySelector("#messages").getAttribute("aria-live") === "off") return;
			for (const { addedNodes } of changes) spoken.push(...[...addedNodes].map((node) => node.textContent));
		}).observe(document.querySelector("#messages ol"), { childList: true });
	}`)
}

// spoken returns what was read out since listen.
func (b *tab) spoken() string {
	b.t.Helper()
	return b.eval(`() => spoken.join("\n")`).Value.Str()
}

// look is a kind of screen.
type look struct {
	scheme        string
	width, height int
	scale         float64
	isPhone       bool
}

func (l look) prepare(page *rod.Page) error {
	err := proto.EmulationSetEmulatedMedia{Features: []*proto.EmulationMediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}}}.Call(page)
	if err != nil {
		return err
	}
	return page.SetViewport(&proto.EmulationSetDeviceMetricsOverride{Width: l.width, Height: l.height, DeviceScaleFactor: l.scale, Mobile: l.isPhone})
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
