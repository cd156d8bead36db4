package actor_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
)

// reader is a client's session that remembers how far it has read.
type reader struct {
	seen *int // kept from connection to connection
	read chan<- string
}

func (r *reader) Receive(c *actor.Context) {
	if m, ok := c.Message().(*actor.Message); ok {
		*r.seen++
		r.read <- m.Text()
	}
}

// A dialer comes back after a server went away, and says where it had stopped.
func ExampleDialer() {
	engine, err := actor.NewEngine()
	if err != nil {
		panic(err)
	}
	// The server sends what comes after the sequence that it is asked for, and
	// goes away after two messages.
	news := []string{"one", "two", "three", "four"}
	server, err := actor.NewServer(engine, func(h *actor.Handshake) (actor.Receiver, error) {
		after, _ := strconv.Atoi(h.Request().URL.Query().Get("after"))
		return &receive{f: func(_ *receive, c *actor.Context) {
			if opened, ok := c.Message().(actor.Opened); ok {
				for _, text := range news[min(after, 4):min(after+2, 4)] {
					_ = opened.Conn.SendText(text) // the client asks again for what is lost
				}
				_ = opened.Conn.Close(1001, "")
			}
		}}, nil
	}, actor.ServerConfig{})
	if err != nil {
		panic(err)
	}
	web := httptest.NewServer(server)
	defer web.Close()

	seen, read := 0, make(chan string)
	dialer, err := actor.NewDialer(engine, func(*actor.Established) (actor.Receiver, error) {
		return &reader{seen: &seen, read: read}, nil
	}, actor.DialerConfig{
		Dial: split.DialConfig{Proxy: split.ProxyFromEnvironment},
		Prepare: func(_ context.Context, next *actor.NextDial) error {
			// Sessions do not overlap, so nobody writes seen now.
			next.Dial.URL = "ws" + strings.TrimPrefix(web.URL, "http") + "?after=" + strconv.Itoa(seen)
			return nil
		},
	})
	if err != nil {
		panic(err)
	}
	for range news {
		fmt.Println(<-read)
	}
	fmt.Println(dialer.Shutdown(context.Background()), dialer.Err())
	_ = server.Shutdown(context.Background())
	// Output:
	// one
	// two
	// three
	// four
	// <nil> <nil>
}
