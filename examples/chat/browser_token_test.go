package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func inHours(hours int) time.Time { return time.Now().Add(time.Duration(hours) * time.Hour) }

// The page asks for a token, says what is wrong with one, and keeps a good one
// for this tab.
func TestBrowserAsksForAToken(t *testing.T) {
	browser := startBrowser(t)
	file, key := writeTokenKey(t)
	p, _ := startProgram(t, "-token-key", file)
	ann := openTab(t, browser, nil, p.url)
	ann.until("a field for the token", `() => document.querySelector("#token")?.checkVisibility() === true && !document.querySelector("#nick").checkVisibility()`)
	refused := func(token string, err error) {
		t.Helper()
		ann.fill("#token", token)
		ann.click("#enter")
		ann.untilText("#join-error", tokenProblems[err])
	}
	refused("not.one", errBadToken)
	refused(key.sign("ann", inHours(-1)), errOldToken)
	ann.fill("#token", key.sign("ann", inHours(1)))
	ann.click("#enter")
	ann.untilMembers("ann")
	ann.say("let in")
	ann.untilMessage("ann", "let in")
	ann.say("/nick bob")
	ann.until("a refusal", `() => document.querySelector("#alert").textContent !== ""`)

	if err := ann.page.Timeout(browserPatience).Reload(); err != nil {
		t.Fatal(err)
	}
	ann.until("the token again", `() => document.querySelector("#token")?.value !== "" && document.querySelector("#nick")?.value === "ann"`)
	ann.click("#enter")
	ann.untilMessage("ann", "let in")
	if stored := ann.eval(`() => JSON.stringify(Object.values(localStorage))`).Value.Str(); strings.Contains(stored, ann.eval(`() => document.querySelector("#token").value`).Value.Str()) {
		t.Error("the token outlives its tab")
	}
	if members := ann.texts("#members li"); !slices.Equal(members, []string{"ann"}) {
		t.Errorf("members are %q", members)
	}
	ann.checkProblems()
}

// Whose token the chat does not take any more is told so, and asked for another.
func TestBrowserIsToldThatItsTokenIsWorthNothing(t *testing.T) {
	browser := startBrowser(t)
	file, key := writeTokenKey(t)
	p, stop := startProgram(t, "-token-key", file)
	ann := openTab(t, browser, nil, p.url)
	ann.untilText("label[for=token]", "Token")
	ann.fill("#token", key.sign("ann", inHours(1)))
	ann.click("#enter")
	ann.untilMembers("ann")
	stop()
	other := &auth{key: []byte("another key of some length")}
	otherFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(otherFile, other.key, 0o600); err != nil {
		t.Fatal(err)
	}
	startProgram(t, "-token-key", otherFile, "-addr", p.host())
	ann.untilText("#join-error", tokenProblems[errBadToken])
	ann.fill("#token", other.sign("ann", inHours(1)))
	ann.click("#enter")
	ann.untilMembers("ann")
}
