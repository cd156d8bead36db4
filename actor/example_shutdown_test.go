package actor_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

// http.Server.Shutdown does not know the connections that were upgraded: it
// neither closes them nor waits for them. So a program shuts down both, the
// WebSocket server first: while that one drains, the HTTP server still has to
// answer the load balancer's probe, and late handshakes with 503.
func ExampleServer_Shutdown() {
	engine, err := actor.NewEngine()
	if err != nil {
		log.Fatal(err)
	}
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return &receive{f: echo}, nil }
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{
		Drain: actor.DrainConfig{
			Delay:  20 * time.Millisecond, // in a cluster: some seconds, until the probe is noticed
			Spread: 50 * time.Millisecond, // in a cluster: half a minute, so that not all come back at once
			Code:   1012,                  // service restart: come back
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	routes := http.NewServeMux()
	routes.Handle("/ws", server)
	routes.HandleFunc("/readyz", server.ServeReady)
	web := &http.Server{Handler: routes, ReadHeaderTimeout: 5 * time.Second}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- web.Serve(listener) }()

	// Once SIGTERM came (signal.NotifyContext):
	ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
	defer cancel()
	err = errors.Join(server.Shutdown(ctx), web.Shutdown(ctx))
	fmt.Println("shut down:", err)
	fmt.Println("cut off:", server.DrainReport().CutOff)
	fmt.Println(<-served)
	// Output:
	// shut down: <nil>
	// cut off: 0
	// http: Server closed
}
