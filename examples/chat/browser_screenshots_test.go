package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-rod/rod/lib/proto"
	"github.com/tandem-ws/tandem/wscore"
)

// screenshotsVariable makes TestScreenshots write the pictures of the README.
const screenshotsVariable = "TANDEM_SCREENSHOTS"

// maxScreenshotBytes keeps the repository small.
const maxScreenshotBytes = 200 << 10

// settle makes a picture the same each time it is taken: times and numbers that
// chance made are replaced, and the caret does not blink.
const settle = `() => {
	let minute = 2;
	for (const time of document.querySelectorAll("#messages time")) time.textContent = "14:" + String(minute++).padStart(2, "0");
	for (const day of document.querySelectorAll("#messages .day")) day.textContent = "Saturday, 14 March";
	const trip = document.getElementById("trip");
	trip.textContent = "4 ms";
	Object.defineProperty(trip, "textContent", { set() {} }); // as measured later
	document.getElementById("text").style.caretColor = "transparent";
}`

// furnish fills the chat with what the pictures show: rooms, people and a talk.
func furnish(p *program) (talk func(nick, text string), others map[string]*client) {
	others = make(map[string]*client)
	for _, nick := range []string{"Bruno", "Chidi", "Dana", "Elif", "Farid"} {
		others[nick] = p.dial()
	}
	enter := func(nick, room string) {
		others[nick].askToJoin(room, nick)
		others[nick].await("joined", all...)
	}
	said := 0
	talk = func(nick, text string) {
		said++
		others[nick].say(fmt.Sprint("talk-", said), text)
		others[nick].await("ack", all[1:]...)
	}
	enter("Elif", "tool-shed")
	talk("Elif", "Who has the chain whip?")
	enter("Farid", "route-ideas")
	talk("Farid", "North shore at sunrise, 62 km, flat.")
	for _, nick := range []string{"Bruno", "Chidi", "Dana"} {
		enter(nick, "sunday-ride")
	}
	return talk, others
}

func TestScreenshots(t *testing.T) {
	if os.Getenv(screenshotsVariable) != "1" {
		t.Skipf("pictures are written with %s=1 only", screenshotsVariable)
	}
	browser := startBrowser(t)
	for _, picture := range []struct {
		file string
		look look
	}{
		{"chat-light.png", look{"light", 1200, 760, 1, false}},
		{"chat-dark-phone.png", look{"dark", 390, 780, 1.5, true}},
	} {
		p, stop := startProgram(t)
		talk, others := furnish(p)
		ann := openTab(t, browser, picture.look.prepare, p.url)
		talk("Chidi", "Morning! Are we still on for Sunday?")
		talk("Bruno", "Yes. 9:00 at the old bridge, as always 🚲")
		talk("Bruno", "Forecast says rain until ten, then sun: https://weather.example/sunday")
		ann.join("Ann", "tool-shed")
		ann.eval(`() => { location.hash = "#sunday-ride"; }`)
		ann.untilMessage("Chidi", "Morning! Are we still on for Sunday?")
		talk("Elif", "Found it, it was behind the pump.")
		ann.say("Then let us make it 10:30 and have a coffee first ☕️")
		talk("Dana", "10:30 is perfect, my rear wheel needs truing anyway.")
		others["Chidi"].askToJoin("tool-shed", "Chidi")
		others["Chidi"].await("joined", all...)
		ann.untilNotice("Chidi", "left")
		ann.hide(true)
		talk("Bruno", "I can bring the stand.")
		talk("Dana", "You are the best. I bring cake 🍰")
		ann.hide(false)
		others["Bruno"].send(`{"type":"typing"}`)
		ann.until("the talk", `() => document.querySelectorAll("#messages .message").length === 7 && document.querySelector("#typing").textContent !== ""`)
		ann.until("rooms with members", `() => document.querySelectorAll("#rooms a").length === 3 && document.querySelector("#rooms .badge") !== null`)
		ann.eval(settle)
		format := &proto.PageCaptureScreenshot{Format: proto.PageCaptureScreenshotFormatPng}
		shot, err := ann.page.Timeout(browserPatience).Screenshot(false, format)
		if err != nil {
			t.Fatal(err)
		}
		if len(shot) > maxScreenshotBytes {
			t.Errorf("%s has %d bytes", picture.file, len(shot))
		}
		if err := os.WriteFile(filepath.Join("..", "..", "docs", picture.file), shot, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, c := range others {
			c.leave(wscore.CloseNormal)
		}
		if code := stop(); code != exitOK {
			t.Errorf("exit code %d", code)
		}
	}
}
