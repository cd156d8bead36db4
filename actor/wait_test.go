package actor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
	"github.com/tandem-ws/tandem/wscore"
)

// openConn opens a connection and returns both ends.
func openConn(t *testing.T, config actor.ConnConfig) (*actor.Conn, *actortest.Peer) {
	t.Helper()
	opened := make(chan *actor.Conn, 1)
	server := actortest.NewServer(t, sessions(func(s *receive, c *actor.Context) {
		if m, ok := c.Message().(actor.Opened); ok {
			opened <- m.Conn
		}
	}), actor.ServerConfig{ConnConfig: config})
	peer := actortest.Connect(t, server, actortest.Options{})
	return <-opened, peer
}

func TestTheEndOfAWaitIsNotTheEndOfItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, peer := openConn(t, actor.ConnConfig{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if _, err := conn.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("wait: %v after %v", err, time.Since(began))
		}
		must(t, conn.SendText("still here"))
		peer.ExpectText("still here")

		peer.Mute()
		if _, err := conn.CloseAndWait(ctx, 4000, "enough"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("close: %v", err)
		}
		peer.ExpectClose(4000) // the close goes on
		closed, err := conn.CloseAndWait(t.Context(), 4001, "too late")
		if err != nil || closed.Code != 4000 || closed.Reason != "enough" || time.Since(began) != time.Minute+5*time.Second {
			t.Errorf("closed with %+v, %v after %v", closed, err, time.Since(began))
		}
		if again, err := conn.Wait(ctx); err != nil || again != closed {
			t.Errorf("an ended connection and an ended context: %+v, %v", again, err)
		}
	})
}

func TestCloseAndWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, peer := openConn(t, actor.ConnConfig{})
		if _, err := conn.CloseAndWait(t.Context(), wscore.CloseNoStatus+1, ""); !errors.Is(err, wscore.ErrCloseCodeNotOnWire) {
			t.Errorf("a code that may not be sent: %v", err)
		}
		closed, err := conn.CloseAndWait(t.Context(), 1000, "done")
		if err != nil || closed.Code != 1000 || closed.Initiator != actor.Local || closed.Cause != actor.CauseUser {
			t.Errorf("closed with %+v, %v", closed, err)
		}
		if reason := peer.ExpectClose(1000); reason != "done" {
			t.Errorf("reason %q", reason)
		}
	})
}
