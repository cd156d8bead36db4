package main

import (
	"fmt"
	"testing"

	"github.com/tandem-ws/tandem/wscore"
)

func TestPingIsAnsweredInItsPlaceAndCountsForTheRate(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	ann := p.dial()
	ann.send(`{"type":"ping","id":"before"}`) // in no room yet
	if got := ann.expect("pong"); got.ID != "before" {
		t.Errorf("got %s", got.raw)
	}
	ann.send(`{"type":"ping","id":""}`)
	ann.expectError(codeBadID, "")
	ann.askToJoin("lobby", "ann")
	ann.send(`{"type":"ping","id":"after"}`)
	ann.expect("joined")
	if got := ann.expect("pong"); got.ID != "after" {
		t.Errorf("got %s", got.raw)
	}
	for i := range 3 * messageBurst {
		ann.send(fmt.Sprintf(`{"type":"ping","id":"%d"}`, i))
	}
	for range 3 * messageBurst {
		if got := ann.await("error", "pong"); got.Code == codeTooFast {
			ann.leave(wscore.CloseNormal)
			return
		}
	}
	t.Error("no ping was too fast")
}
