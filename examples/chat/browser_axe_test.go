package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/go-rod/rod/lib/proto"
)

// axeFile is the accessibility checker, as npm installs it.
var axeFile = filepath.Join("..", "..", "internal", "interop", "node", "node_modules", "axe-core", "axe.min.js")

// readAxe returns the checker, or skips where it is not installed.
func readAxe(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile(axeFile)
	if err == nil {
		return string(script)
	}
	if os.Getenv("TANDEM_CI") == "1" {
		t.Fatalf("axe-core is needed: %v", err)
	}
	t.Skipf("axe-core is not installed (npm --prefix internal/interop/node ci --ignore-scripts): %v", err)
	return ""
}

// checkAccessibility lets axe-core judge all that can be seen.
func (b *tab) checkAccessibility(what, axe string) {
	b.t.Helper()
	b.until("still pictures", `() => document.getAnimations().every((each) => each.playState !== "running" || each.effect.getComputedTiming().iterations === Infinity)`)
	if !b.eval(`() => "axe" in window`).Value.Bool() {
		// The page's policy runs no text as a script; the browser's own tools do.
		if _, err := (proto.RuntimeEvaluate{Expression: axe}).Call(b.page); err != nil {
			b.t.Fatal(err)
		}
	}
	found := b.eval(`async () => {
		const { violations } = await axe.run(document, { resultTypes: ["violations"] });
		return violations.map(({ id, help, nodes }) => id + ": " + help + "\n" +
			nodes.map(({ html, failureSummary }) => "\t" + html.slice(0, 200) + "\n\t" + failureSummary).join("\n"));
	}`).Value.Arr()
	for _, violation := range found {
		b.t.Errorf("%s: %s", what, violation.Str())
	}
}

func TestBrowserIsAccessible(t *testing.T) {
	axe := readAxe(t)
	browser := startBrowser(t)
	p, _ := startProgram(t)
	bob := p.dial()
	bob.askToJoin("accessible", "bob")
	bob.await("joined", all...)
	for i, look := range []look{
		{"light", 1280, 800, 1, false},
		{"dark", 1280, 800, 1, false},
		{"light", 390, 844, 1, true},
		{"dark", 390, 844, 1, true},
	} {
		name := look.scheme + map[bool]string{true: " phone, ", false: " desktop, "}[look.isPhone]
		b := openTab(t, browser, look.prepare, p.url)
		b.checkAccessibility(name+"join form", axe)
		b.click("#enter")
		b.until("a complaint", `() => document.querySelector("#join-error").textContent !== ""`)
		b.checkAccessibility(name+"join form with an error", axe)

		b.join("ann"+string(rune('a'+i)), "accessible")
		bob.say(name, "Hello, see https://example.org/ please")
		b.untilText("#messages", "see https://example.org/")
		b.say("mine")
		b.say("/who")
		b.hide(true)
		bob.say(name+"2", "while nobody looked")
		b.untilCount("#messages li.divider[data-kind=unread]", 1)
		b.hide(false)
		b.say("/nothing")
		b.untilText("#alert", "no command")
		bob.send(`{"type":"typing"}`)
		b.checkAccessibility(name+"chat", axe)
		if look.isPhone {
			for _, side := range []string{"#room-side", "#people"} {
				b.click(side + " summary")
				b.checkAccessibility(name+side, axe)
			}
			b.click("#people summary")
		}
		b.click("#status")
		b.untilText("#panel-trip", "ms")
		b.checkAccessibility(name+"panel", axe)
		b.eval(`() => document.querySelector("#panel").hidePopover()`)
		b.click("#show-emoji")
		b.until("the emoji", `() => document.querySelector("#emoji").matches(":popover-open")`)
		b.checkAccessibility(name+"emoji", axe)
		b.eval(`() => document.querySelector("#emoji").hidePopover()`)
		b.click("#show-help")
		b.checkAccessibility(name+"help", axe)
		b.eval(`() => document.querySelector("#help").close()`)
		b.setOnline(false)
		b.say("waits")
		b.untilText("#banner", "offline")
		b.checkAccessibility(name+"offline", axe)
		b.checkProblems()
		if err := b.page.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
