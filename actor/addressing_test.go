package actor_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	hollywood "github.com/anthdm/hollywood/actor"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
)

// letters is an actor that counts an engine's dead letters by message type.
type letters struct {
	mu      sync.Mutex
	count   map[string]int
	changed chan struct{}
}

func collectLetters(engine *actor.Engine) *letters {
	l := &letters{count: make(map[string]int), changed: make(chan struct{}, 1)}
	engine.Subscribe(engine.SpawnFunc(func(c *actor.Context) {
		if event, ok := c.Message().(hollywood.DeadLetterEvent); ok {
			l.mu.Lock()
			l.count[fmt.Sprintf("%T", event.Message)]++
			l.mu.Unlock()
			select {
			case l.changed <- struct{}{}:
			default:
			}
		}
	}, "letters"))
	return l
}

// wait blocks until as many letters of the type have come.
func (l *letters) wait(t *testing.T, kind string, n int) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		l.mu.Lock()
		got := l.count[kind]
		l.mu.Unlock()
		if got == n {
			return
		}
		select {
		case <-l.changed:
		case <-limit:
			t.Fatalf("%d dead letters of type %s, want %d", got, kind, n)
		}
	}
}

// connected is a server with one connection, as other actors see it.
func connected(t *testing.T, f func(*receive, *actor.Context)) (*harness, *rawpeer.Peer, *actor.Conn) {
	t.Helper()
	conns := make(chan *actor.Conn, 1)
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if m, ok := c.Message().(actor.Opened); ok {
			conns <- m.Conn
		}
		f(s, c)
	}), actor.ServerConfig{})
	peer := h.dial(t)
	return h, peer, <-conns
}

func TestWhatAWriterCannotTakeIsACountedDeadLetter(t *testing.T) {
	type foreign struct{ any }
	for _, c := range []struct {
		name    string
		message func(*actor.Conn) any
		kind    string
	}{
		{"nil", func(*actor.Conn) any { return nil }, "<nil>"},
		{"a nil buffer", func(*actor.Conn) any { return (*actor.Buffer)(nil) }, "*split.Buffer"},
		{"a buffer that is neither text nor binary", func(c *actor.Conn) any {
			b := c.Text("x")
			b.SetOpcode(0)
			return b
		}, "*split.Buffer"},
		{"a string", func(*actor.Conn) any { return "text" }, "string"},
		{"bytes", func(*actor.Conn) any { return []byte("text") }, "[]uint8"},
		{"a type that cannot be compared", func(*actor.Conn) any { return foreign{[]int{1}} }, "actor_test.foreign"},
		{"a pointer to what would be taken", func(*actor.Conn) any { m := actor.SendText("x"); return &m }, "*actor.SendText"},
		{"text that is not UTF-8", func(*actor.Conn) any { return actor.SendText("\xFF") }, "actor.SendText"},
		{"a code that may not be sent", func(*actor.Conn) any { return actor.CloseConn{Code: 1006} }, "actor.CloseConn"},
		{"a message for sessions", func(*actor.Conn) any { return actor.Closed{} }, "actor.Closed"},
		{"a dead letter", func(*actor.Conn) any { return hollywood.DeadLetterEvent{} }, "actor.DeadLetterEvent"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, peer, conn := connected(t, func(*receive, *actor.Context) {})
			l := collectLetters(h.engine)
			h.engine.Send(conn.PID(), c.message(conn))
			l.wait(t, c.kind, 1)
			h.observer.wait(t, "the count", func(r *recorder) bool { return r.unsendable == 1 })
			h.engine.Send(conn.PID(), actor.SendText("still there"))
			must(t, peer.ExpectText("still there"))
		})
	}
}

func TestTenThousandRefusedMessagesHarmNobody(t *testing.T) {
	const many = 10_000
	h, peer, conn := connected(t, func(*receive, *actor.Context) {})
	l := collectLetters(h.engine)
	h.engine.SpawnFunc(func(c *actor.Context) {
		if _, ok := c.Message().(actor.Started); ok {
			for range many {
				c.Send(conn.PID(), 42)
			}
			c.Send(conn.PID(), actor.SendText("after them"))
		}
	}, "sender")
	must(t, peer.ExpectText("after them"))
	h.observer.wait(t, "the counts", func(r *recorder) bool { return r.unsendable == many })
	l.wait(t, "int", many)
}

func TestSessionReceivesWhateverOtherActorsSend(t *testing.T) {
	got := make(chan string, 8)
	h, _, conn := connected(t, func(s *receive, c *actor.Context) {
		switch m := c.Message().(type) {
		case nil:
			got <- "nil"
		case string:
			got <- m
		case *actor.Buffer:
			got <- string(m.Payload())
			m.Release()
		}
	})
	h.engine.Send(conn.SessionPID(), nil)
	h.engine.Send(conn.SessionPID(), "text")
	h.engine.Send(conn.SessionPID(), conn.Text("buffer"))
	for _, want := range []string{"nil", "text", "buffer"} {
		if m := <-got; m != want {
			t.Errorf("received %q, want %q", m, want)
		}
	}
}

// While a connection closes its mailbox refuses and counts; after that nobody
// has the PID, and what is sent to it is a dead letter of its own engine.
func TestWhatIsSentAfterACloseIsCounted(t *testing.T) {
	h, peer, conn := connected(t, func(*receive, *actor.Context) {})
	l := collectLetters(h.engine)
	writer, session := conn.PID(), conn.SessionPID()
	must(t, conn.Close(1000, ""))
	h.engine.Send(writer, actor.SendText("too late"))
	h.engine.Send(writer, actor.CloseConn{Code: 4000})
	h.observer.wait(t, "the dropped frame", func(r *recorder) bool { return r.dropped[split.DropClosed] == 1 })
	must(t, peer.ExpectClose(1000), peer.Close(1000, ""), peer.Shut())
	h.observer.waitClosed(t, 1)
	<-conn.Done()

	for _, pid := range []*actor.PID{writer, session} {
		h.engine.Send(pid, actor.SendText("later still"))
		h.engine.Send(pid, nil)
		h.engine.Send(pid, conn.Text("released by nobody else"))
		<-h.engine.Poison(pid).Done()
	}
	l.wait(t, "actor.SendText", 2)
	l.wait(t, "*split.Buffer", 2)
	h.observer.wait(t, "the counts", func(r *recorder) bool { return r.unsendable == 6 })
	released := conn.Text("released already")
	released.Release()
	h.engine.Send(writer, released)
	h.engine.Send(writer, 1) // shows that the engine's events go on
	l.wait(t, "int", 1)
}

// Engines without a remote do not know each other's actors.
func TestSendingFromAnotherEngineHarmsNobody(t *testing.T) {
	h, peer, conn := connected(t, func(*receive, *actor.Context) {})
	other, err := actor.NewEngine()
	must(t, err)
	l := collectLetters(other)
	other.SpawnFunc(func(c *actor.Context) {
		if _, ok := c.Message().(actor.Started); ok {
			c.Send(conn.PID(), actor.SendText("from elsewhere"))
			c.Send(&actor.PID{Address: "127.0.0.1:1", ID: conn.PID().ID}, actor.SendText("without a remote"))
			c.Send(conn.PID(), nil)
		}
	}, "stranger")
	l.wait(t, "actor.SendText", 1)
	l.wait(t, "<nil>", 1)
	h.engine.Send(conn.PID(), actor.SendText("from here"))
	must(t, peer.ExpectText("from here"))
}

func TestServersOfOneEngineShareItsDeadLetters(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			_, err := actor.NewServer(engine, sessions(echo), actor.ServerConfig{})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	h, _, conn := connected(t, func(*receive, *actor.Context) {})
	b := conn.Text("twice released would panic")
	engine.Send(conn.PID(), b)
	h.engine.Send(conn.PID(), actor.CloseConn{Code: 1000})
	if _, err := actor.NewServer(engine, sessions(echo), actor.ServerConfig{}); err != nil {
		t.Error(err)
	}
	l := collectLetters(engine)
	engine.Send(conn.PID(), 1)
	l.wait(t, "int", 1) // whether every buffer came back is looked at after the shutdown
}
