package actortest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
)

// What the package's documentation shows is kept equal to these two by
// TestDocumentationShowsTheExamples.

func TestEcho(t *testing.T) {
	server := actortest.NewServer(t, newEcho, actor.ServerConfig{})
	peer := actortest.Connect(t, server, actortest.Options{})
	peer.SendText("hello")
	peer.ExpectText("hello")
	peer.Close(1000, "that was all")
	peer.ExpectClose(1000)
}

func TestPeerThatHangsIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := actortest.NewServer(t, newEcho, actor.ServerConfig{})
		peer := actortest.Connect(t, server, actortest.Options{})
		peer.Mute() // it answers no pings
		peer.Timeout = time.Hour
		began := time.Now()
		peer.ExpectClose(1011)
		if waited := time.Since(began); waited < 40*time.Second || waited > 70*time.Second {
			t.Errorf("found after %v", waited) // of the bubble's time
		}
	})
}
