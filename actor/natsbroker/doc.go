// Package natsbroker connects the hubs of a service over NATS: its [Broker] is
// an actor.Broker.
//
//	broker, err := natsbroker.Connect(natsbroker.Config{URLs: []string{"nats://10.0.0.5:4222"}})
//	hub, err := actor.NewHub(engine, broker, actor.HubConfig{})
//
// Core NATS delivers at most once. What it loses shows: a subscription's Missed
// is called after a connection was lost and made again, and where a queue of
// this side was full; what servers lose between each other shows by the numbers
// that a Hub gives to all it publishes.
//
// A program without NATS servers of its own can have one in itself: package
// embedded, which nobody compiles who does not import it.
package natsbroker
