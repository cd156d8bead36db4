package actor_test

import (
	"context"
	"fmt"

	"github.com/tandem-ws/tandem/actor"
)

// Two nodes of a service, here in one process. The second has no connections:
// it publishes, and looks who is there.
func ExampleHub() {
	var broker actor.LocalBroker // between processes: one over a network

	engine, _ := actor.NewEngine()
	hub, err := actor.NewHub(engine, &broker, actor.HubConfig{})
	if err != nil {
		panic(err)
	}
	defer hub.Close()
	// In a session: hub.Subscribe(conn, "room.7"), hub.Join(conn, "room.7", user).
	if err := hub.JoinAs("room.7", actor.Member{ID: "bot", Metadata: "weather"}); err != nil {
		panic(err)
	}

	other, _ := actor.NewEngine()
	service, err := actor.NewHub(other, &broker, actor.HubConfig{})
	if err != nil {
		panic(err)
	}
	defer service.Close()
	if _, err := service.Publish("room.7", service.Text("sunny")); err != nil {
		panic(err)
	}
	present, err := service.Presence(context.Background(), "room.7")
	fmt.Println(present.Count, present.Members[0].Metadata, err)
	// Output: 1 weather <nil>
}
