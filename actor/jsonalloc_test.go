//go:build !race

package actor_test

import (
	"testing"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
)

func TestJSONIsEncodedWithoutAllocating(t *testing.T) {
	server := actortest.NewServer(t, sessions(orders(t)), actor.ServerConfig{})
	value := &order{Item: "tea", Count: 42}
	if n := testing.AllocsPerRun(1000, func() {
		b, err := server.JSON(value)
		must(t, err)
		b.Release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
