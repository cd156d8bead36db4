package main

import (
	"strings"
	"testing"

	"github.com/go-rod/rod/lib/input"
)

func TestBrowserCommands(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	ann.say("/who")
	ann.untilText("#messages li.hint", "In #lobby: ann")
	ann.say("//who starts with a slash")
	ann.untilMessage("ann", "/who starts with a slash")
	ann.say("/nick Anna")
	ann.untilMembers("Anna")
	ann.say("/dance all night")
	ann.untilText("#alert", "There is no command /dance.")
	if text := ann.eval(`() => document.querySelector("#text").value`).Value.Str(); text != "/dance all night" {
		t.Errorf("what was written is now %q", text)
	}
	ann.say("/nick !")
	ann.untilText("#alert", "A nickname may hold")
	ann.say("/join #garden")
	ann.until("the garden", `() => document.querySelector("#room-name").textContent === "garden"`)
	ann.say("/rooms")
	ann.untilText("#messages li.hint", "#lobby")
	ann.say("/help")
	ann.untilText("#help", "Nothing that was said can be edited or deleted")
	ann.checkProblems()
}

func TestBrowserEmoji(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	ann.fill("textarea#text", "cheers ")
	ann.click("#show-emoji")
	ann.until("focus on the first", `() => document.activeElement.getAttribute("aria-label") === "grinning"`)
	for _, key := range []input.Key{input.ArrowRight, input.ArrowDown, input.Enter} {
		if err := ann.page.Keyboard.Type(key); err != nil {
			t.Fatal(err)
		}
	}
	ann.until("the picker closed, and the caret back", `() => !document.querySelector("#emoji").matches(":popover-open") && document.activeElement.id === "text"`)
	for _, letter := range " :tada:" {
		if err := ann.page.Keyboard.Type(input.Key(letter)); err != nil {
			t.Fatal(err)
		}
	}
	ann.click("form#composer button#send")
	ann.untilMessage("ann", "cheers 🙃 🎉")
	ann.checkProblems()
}

// Too long is said while it is written, and the text stays.
func TestBrowserIsFriendlyAboutLimits(t *testing.T) {
	browser := startBrowser(t)
	p, _ := startProgram(t)
	ann := openTab(t, browser, nil, p.url)
	ann.join("ann", "lobby")
	long := strings.Repeat("é", maxTextBytes/2)
	ann.say(long + "!")
	ann.untilText("#alert", "That is too long by 1 bytes.")
	ann.untilText("#counter", "1 bytes too long")
	if text := ann.eval(`() => document.querySelector("#text").value`).Value.Str(); text != long+"!" {
		t.Error("the text is gone")
	}
	ann.say(long)
	ann.untilMessage("ann", long)
	ann.checkProblems()
}
