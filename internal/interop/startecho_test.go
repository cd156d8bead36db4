package interop

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

// shutdownTimeout bounds the drain that ends a test.
const shutdownTimeout = 5 * time.Second

// echo sends every message back. The text "close me" makes it close instead,
// so that a client can watch a close that the server starts.
type echo struct{ conn *actor.Conn }

func (e *echo) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		e.conn = m.Conn
	case *actor.Message:
		if m.IsText() && m.Text() == "close me" {
			_ = e.conn.Close(4001, "bye")
			return
		}
		_ = e.conn.Send(m.Take())
	}
}

// startEcho serves echo sessions on a loopback port until the test ends and
// returns the address to dial.
func startEcho(t *testing.T) (url string) {
	t.Helper()
	engine, err := actor.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	srv, err := actor.NewServer(engine,
		func(*actor.Handshake) (actor.Receiver, error) { return &echo{}, nil },
		actor.ServerConfig{ConnConfig: actor.ConnConfig{MaxMessageBytes: messageLimit}})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		web.Close()
	})
	return "ws" + strings.TrimPrefix(web.URL, "http")
}
