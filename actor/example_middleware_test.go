package actor_test

import (
	"context"
	"fmt"
	"net/http"

	"github.com/tandem-ws/tandem/actor"
)

// statusWriter notes the status of an answer. With Unwrap,
// http.ResponseController finds what the writer below can do, such as handing
// over the connection; without it every handshake would end with 500.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A server stands in a mux and behind middleware like any other handler.
func ExampleServer() {
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return &adding{}, nil }
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/", server)
	logged := make(chan string, 1)
	logging := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		noting := &statusWriter{ResponseWriter: w}
		mux.ServeHTTP(noting, r)
		logged <- fmt.Sprintf("%s %s: %d", r.Method, r.URL.Path, noting.status) // 0 for an upgrade
	})

	c := mustDial(logging)
	fmt.Println(<-logged)
	c.say(`{"a":1,"b":1}`)
	fmt.Println(c.hear())
	c.leave()
	fmt.Println(server.Shutdown(context.Background()))
	// Output:
	// GET /: 0
	// {"sum":2}
	// <nil>
}
