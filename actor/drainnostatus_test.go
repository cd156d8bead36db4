package actor_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
	"github.com/tandem-ws/tandem/wscore"
)

// 1005 is a code that may be sent: as a close frame without any.
func TestShutdownMayCloseWithoutACode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := actortest.NewServer(t, sessions(echo), actor.ServerConfig{Drain: actor.DrainConfig{Code: wscore.CloseNoStatus}})
		peer := actortest.Connect(t, server, actortest.Options{})
		must(t, server.Shutdown(context.Background()))
		if reason := peer.ExpectClose(wscore.CloseNoStatus); reason != "" {
			t.Errorf("reason %q", reason)
		}
	})
	engine, err := actor.NewEngine()
	must(t, err)
	_, err = actor.NewServer(engine, sessions(echo), actor.ServerConfig{Drain: actor.DrainConfig{Code: wscore.CloseNoStatus, Reason: "none fits"}})
	var wrong *actor.ConfigError
	if !errors.As(err, &wrong) || wrong.Field != "Drain.Reason" {
		t.Errorf("a reason without a code: %v", err)
	}
}
