package actor_test

import (
	"context"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	hollywood "github.com/anthdm/hollywood/actor"

	"github.com/tandem-ws/tandem/actor"
)

// The reason is the one beside the code, also when the peer's close frame
// overtakes ours in the queue.
func TestReasonIsTheOneBesideTheCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, actor.ServerConfig{}, "")
		defer p.abandon()
		p.settle()
		p.stream.block(0)
		must(t, p.conn.SendText("stuck"))
		p.settle()
		must(t, p.conn.Close(4001, "bye"))
		p.settle()
		p.closing(4000, "why")
		p.settle()
		p.help()
		closed, _ := p.conn.Cause()
		want := actor.Closed{Code: 4000, Reason: "why", Initiator: actor.Remote, Cause: actor.CauseUser}
		if closed != want {
			t.Errorf("closed with %+v, want %+v", closed, want)
		}
		p.checkEnd(false)
	})
}

// The close timeout bounds the whole way, the wait after both close frames
// included.
func TestLingerStaysWithinTheCloseTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, actor.ServerConfig{}, "")
		defer p.abandon()
		p.settle()
		began := time.Now()
		must(t, p.conn.Close(4001, "bye"))
		time.Sleep(playCloseTimeout - 100*time.Millisecond)
		p.closing(4001, "") // exchanged just before the time is up, but the stream never ends
		<-p.conn.Done()
		if took := time.Since(began); took > playCloseTimeout {
			t.Errorf("the close took %v, CloseTimeout is %v", took, playCloseTimeout)
		}
		p.checkEnd(false)
	})
}

// gate is a process at whose spawning the registry stays locked.
type gate struct {
	pid           *actor.PID
	entered, open chan struct{}
	once          sync.Once
}

func (g *gate) Start()                           {}
func (g *gate) Send(*actor.PID, any, *actor.PID) {}
func (g *gate) Invoke([]hollywood.Envelope)      {}
func (g *gate) Shutdown()                        {}
func (g *gate) PID() *actor.PID {
	g.once.Do(func() { close(g.entered); <-g.open })
	return g.pid
}

// A Shutdown without time that comes while a connection opens leaves no process
// behind, and the session sees its life in order.
func TestConnectionThatEndsWhileItOpensLeavesNothing(t *testing.T) {
	for range 30 {
		engine, err := actor.NewEngine()
		must(t, err)
		server, err := actor.NewServer(engine, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{Readiness: scripted{}}})
		must(t, err)
		g := &gate{pid: hollywood.NewPID("local", "gate"), entered: make(chan struct{}), open: make(chan struct{})}
		go engine.SpawnProc(g)
		<-g.entered
		s := newStream()
		session := &player{orders: make(chan func(*actor.Context))}
		attached, ended := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(attached)
			must(t, server.AttachForTest(streamConn{stream: s}, session))
		}()
		for limit := time.Now().Add(100 * time.Millisecond); server.Len() == 0 && time.Now().Before(limit); { // 0 for ever once it is mended
			runtime.Gosched()
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		go func() { defer close(ended); _ = server.Shutdown(ctx) }()
		time.Sleep(5 * time.Millisecond) // the end waits for the registry too
		close(g.open)
		<-attached
		<-ended
		_ = s.Close() // the peer leaves
		must(t, server.Shutdown(context.Background()))
		for _, part := range []string{"reader", "writer", "session"} {
			if engine.Registry.GetPID("websocket/"+part, s.conn.ID()) != nil {
				t.Errorf("the %s is still registered", part)
			}
		}
		session.mu.Lock()
		for i, kind := range session.life {
			if kind == "closed" && i < 3 {
				t.Errorf("the session's life was %q", session.life)
			}
		}
		session.mu.Unlock()
	}
}

// An end that comes before the heartbeat has begun keeps it from beginning.
func TestHeartbeatOfAConnectionThatEndsWhileItOpens(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	server, err := actor.NewServer(engine, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{Readiness: scripted{}}})
	must(t, err)
	for range 1000 {
		s := newStream()
		s.fail(syscall.EPIPE)
		must(t, server.AttachForTest(streamConn{stream: s}, &receive{f: func(r *receive, c *actor.Context) {
			if _, ok := c.Message().(actor.Opened); ok {
				_ = r.conn.SendText("lost")
			}
		}}))
	}
	must(t, server.Shutdown(context.Background()))
}

// Hollywood looks a PID up twice for one stop request. One that is removed in
// between makes a dead letter of it, whose wait must end all the same.
func TestWaitsForStopRequestsEndWhenTheyRaceWithTheEnd(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	server, err := actor.NewServer(engine, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{Readiness: scripted{}, CloseTimeout: time.Second}})
	must(t, err)
	var waits []context.Context
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit) && len(waits) < 50_000; {
		s := newStream()
		must(t, server.AttachForTest(streamConn{stream: s}, &receive{f: func(*receive, *actor.Context) {}}))
		for range 10 {
			waits = append(waits, engine.Stop(s.conn.SessionPID()))
		}
		_ = s.Close()
	}
	must(t, server.Shutdown(context.Background()))
	limit := time.After(10 * time.Second)
	for _, wait := range waits {
		select {
		case <-wait.Done():
			continue
		default:
		}
		select {
		case <-wait.Done():
		case <-limit:
			t.Fatalf("a wait of %d did not end", len(waits))
		}
	}
}

// A buffer belongs to the writer that it is sent to, also if that has ended.
func TestBufferSentToAnEndedConnectionIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, actor.ServerConfig{}, "")
		p.settle()
		_ = p.stream.Close()
		p.settle()
		p.engine.Send(p.conn.PID(), p.conn.Text("late"))
		p.settle()
		must(t, p.server.Shutdown(context.Background()))
		if n := p.server.BuffersInUse(); n != 0 {
			t.Errorf("%d buffers in use", n)
		}
	})
}

// runtime.Goexit in Receive (a testing.T.FailNow in a session, for one) ends
// its goroutine. The connection must end as after a panic, and not hang.
func TestGoexitInReceiveIsAPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, actor.ServerConfig{}, "")
		defer p.abandon()
		p.settle()
		p.inside(func(*actor.Context) { runtime.Goexit() })
		p.settle()
		_ = p.stream.Close()
		p.settle()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := p.server.Shutdown(ctx); err != nil {
			t.Fatalf("shutdown: %v", err) // and the bubble finds Shutdown's own goroutine left over
		}
	})
}
