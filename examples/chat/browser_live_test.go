package main

import (
	"strings"
	"testing"

	"github.com/go-rod/rod"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/natsbroker"
)

// Who is typing is shown for a while, and to nobody's ears.
func TestBrowserShowsWhoIsTyping(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	bob := p.dial()
	bob.join("lobby", "bob", "ann", "bob")
	bob.send(`{"type":"typing"}`)
	ann.untilText("#typing", "bob is typing…")
	if live := ann.eval(`() => document.querySelector("#typing").closest("[aria-live], [role=log], [role=status], [role=alert]") !== null`); live.Value.Bool() {
		t.Error("typing is in a live region")
	}
	if hidden := ann.eval(`() => document.querySelector("#typing").getAttribute("aria-hidden")`).Value.Str(); hidden != "true" {
		t.Error("typing is read out")
	}
	bob.say("1", "done")
	ann.until("bob having stopped", `() => document.querySelector("#typing").textContent === ""`)
	cid := p.dial()
	cid.askToJoin("lobby", "cid")
	cid.await("joined", all...)
	cid.send(`{"type":"typing"}`)
	ann.untilText("#typing", "cid is typing…")
	ann.until("the end of it, by itself", `() => document.querySelector("#typing").textContent === ""`)

	// Ann's own letters go to bob, and not often; a command is nobody's business.
	ann.fill("textarea#text", "/wh")
	ann.fill("textarea#text", "h")
	ann.fill("textarea#text", "he")
	ann.fill("textarea#text", "hello")
	bob.untilTyping("ann")
	ann.click("form#composer button#send")
	if got := bob.any("typing", "message"); got.Type != "message" {
		t.Errorf("got %s", got.raw)
	}
	if own := ann.texts("#typing"); own[0] != "" {
		t.Errorf("ann sees %q", own)
	}
	ann.checkProblems()
}

// untilTyping reads until somebody is typing.
func (c *client) untilTyping(nick string) {
	c.t.Helper()
	for {
		if got := c.any(all...); got.Type == "typing" && got.Nick == nick {
			return
		}
	}
}

// What a service whispers is a line of its own, and is read out.
func TestBrowserShowsAWhisper(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t, "-nats-listen", "127.0.0.1:0")
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	ann.listen()
	ann.click("#status")
	ann.until("a connection", `() => !["", "none"].includes(document.querySelector("#panel-connection").textContent)`)
	id := ann.texts("#panel-connection")[0]

	engine, err := actor.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	broker, err := natsbroker.Connect(natsbroker.Config{Name: "whisperer", URLs: []string{p.nats}})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	hub, err := actor.NewHub(engine, broker, actor.HubConfig{Prefix: "chat.hub"})
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	whisper := `{"type":"whisper","room":"lobby","nick":"bot","text":"psst <b>ann</b>","at":"2026-03-01T11:00:00.005Z"}`
	if err := hub.Send(id, hub.Text(whisper)); err != nil {
		t.Fatal(err)
	}
	ann.untilText("#messages li.whisper", "bot whispers, only to you")
	if text := ann.texts("#messages li.whisper .text"); text[0] != "psst <b>ann</b>" {
		t.Errorf("the whisper is %q", text)
	}
	if spoken := ann.spoken(); !strings.Contains(spoken, "psst") {
		t.Errorf("read out was %q", spoken)
	}
	ann.checkProblems()
}

// fakeNotifications notes what the page would show, and grants what it asks.
func fakeNotifications(page *rod.Page) error {
	_, err := page.EvalOnNewDocument(`{
		window.notified = [];
		window.Notification = class extends EventTarget {
			static permission = "default";
			static async requestPermission() { return (Notification.permission = "granted"); }
			constructor(title, { body }) { super(); notified.push(title + ": " + body); }
		};
	}`)
	return err
}

func TestBrowserNotifiesWhoAskedForItWhileHidden(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	ann := openTab(t, browser, fakeNotifications, p.url)
	ann.join("ann", "lobby")
	bob := p.dial()
	bob.join("lobby", "bob", "ann", "bob")
	say := func(text string) {
		bob.say(text, text)
		ann.untilMessage("bob", text)
	}
	ann.hide(true)
	say("not asked for")
	ann.hide(false)
	ann.click("#notify")
	ann.until("a pressed button", `() => document.querySelector("#notify").getAttribute("aria-pressed") === "true"`)
	say("seen")
	ann.hide(true)
	say("asked for")
	ann.hide(false)
	if got := ann.eval(`() => notified.join("|")`).Value.Str(); got != "bob in #lobby: asked for" {
		t.Errorf("notified of %q", got)
	}
	ann.checkProblems()
}
