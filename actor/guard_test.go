package actor_test

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
)

// cursed is an application's own stream, which panics.
type cursed struct {
	net.Conn
	reads, writes bool
}

func (c *cursed) Read(p []byte) (int, error) {
	if c.reads {
		panic("cannot read")
	}
	return c.Conn.Read(p)
}

func (c *cursed) Write(p []byte) (int, error) {
	if c.writes {
		panic("cannot write")
	}
	return c.Conn.Write(p)
}

// The kit's own halves are guarded too: a panic of the stream ends its
// connection and nothing else.
func TestPanicOfTheStreamEndsOnlyItsConnection(t *testing.T) {
	for part, stream := range map[string]*cursed{"reader": {reads: true}, "writer": {writes: true}} {
		t.Run(part, func(t *testing.T) {
			engine, err := actor.NewEngine()
			must(t, err)
			observer := newRecorder()
			server, err := actor.NewServer(engine, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{Observer: observer}})
			must(t, err)
			near, far := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, far) }()
			stream.Conn = near
			pids := make(chan []*actor.PID, 1)
			must(t, server.AttachForTest(stream, &receive{f: func(r *receive, c *actor.Context) {
				if _, ok := c.Message().(actor.Opened); ok {
					pids <- []*actor.PID{r.conn.PID(), r.conn.ReaderPID(), r.conn.SessionPID()}
					_ = r.conn.SendText("hello")
				}
			}}))
			closed := observer.waitClosed(t, 1)
			if closed[0].Cause != actor.CausePanic || closed[0].Err == nil {
				t.Errorf("closed with %+v", closed[0])
			}
			must(t, server.Shutdown(context.Background()), far.Close())
			observer.mu.Lock()
			defer observer.mu.Unlock()
			if !slices.Contains(observer.panics, part) {
				t.Errorf("panics: %q", observer.panics)
			}
			for _, pid := range <-pids {
				kind, id, _ := strings.Cut(strings.TrimPrefix(pid.ID, "websocket/"), "/")
				if engine.Registry.GetPID("websocket/"+kind, id) != nil {
					t.Errorf("%v is still there", pid)
				}
			}
			if n := server.BuffersInUse(); n != 0 || server.Len() != 0 {
				t.Errorf("%d buffers in use, %d connections", n, server.Len())
			}
		})
	}
}

// homeless is a stream that does not say where it comes from.
type homeless struct{ net.Conn }

func (homeless) RemoteAddr() net.Addr { return nil }

func TestStreamWithoutAnAddressIsAConnection(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	server, err := actor.NewServer(engine, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{Logger: zap.NewExample()}})
	must(t, err)
	near, far := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, far) }()
	must(t, server.AttachForTest(homeless{near}, &receive{f: echo}))
	for c := range server.Connections() {
		if addr := c.RemoteAddr(); addr == nil || c.Info().RemoteAddr != addr.String() {
			t.Errorf("it comes from %v", addr)
		}
	}
	must(t, far.Close(), server.Shutdown(context.Background()))
}
