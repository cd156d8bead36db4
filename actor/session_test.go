package actor_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// log collects the kinds of messages that a session receives.
func kindOf(message any) string {
	switch m := message.(type) {
	case actor.Initialized:
		return "initialized"
	case actor.Started:
		return "started"
	case actor.Opened:
		return "opened"
	case *actor.Message:
		return "message " + m.Text()
	case actor.Closed:
		return "closed"
	case actor.Stopped:
		return "stopped"
	case string:
		return "string " + m
	}
	return "other"
}

func TestSessionReceivesItsLifeInOrder(t *testing.T) {
	life := make(chan string, 16)
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		life <- kindOf(c.Message())
		echo(s, c)
	}), actor.ServerConfig{})
	peer := h.dial(t)
	must(t, peer.Text("a"), peer.ExpectText("a"), peer.Text("b"), peer.ExpectText("b"), peer.Close(1000, ""), peer.ExpectClose(1000))
	for _, want := range []string{"initialized", "started", "opened", "message a", "message b", "closed", "stopped"} {
		if got := <-life; got != want {
			t.Fatalf("received %q, want %q", got, want)
		}
	}
}

func TestSessionIsAnOrdinaryHollywoodActor(t *testing.T) {
	opened := make(chan *actor.Conn, 1)
	childGone := make(chan struct{})
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		switch m := c.Message().(type) {
		case actor.Opened:
			c.SpawnChildFunc(func(c *actor.Context) {
				if _, ok := c.Message().(actor.Stopped); ok {
					close(childGone)
				}
			}, "child")
			opened <- m.Conn
		case string:
			c.Respond("you said " + m)
		}
	}), actor.ServerConfig{})
	peer := h.dial(t)
	conn := <-opened
	answer, err := h.engine.Request(conn.SessionPID(), "hello", 5*time.Second).Result()
	if err != nil || answer != "you said hello" {
		t.Errorf("request answered %v, %v", answer, err)
	}
	must(t, peer.Close(1000, ""), peer.ExpectClose(1000))
	<-childGone
}

func TestPanicEndsOnlyItsOwnConnection(t *testing.T) {
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if m, ok := c.Message().(*actor.Message); ok && m.Text() == "panic" {
			panic("on request")
		}
		echo(s, c)
	}), actor.ServerConfig{})
	bystander, victim := h.dial(t), h.dial(t)
	must(t, victim.Text("panic"), victim.ExpectClose(1011), victim.Close(1011, ""), victim.ExpectEOF(), victim.Shut())
	must(t, bystander.Text("alive"), bystander.ExpectText("alive"))
	closed := h.observer.waitClosed(t, 1)[0]
	if closed.Cause != actor.CausePanic || closed.Code != wscore.CloseInternalError || closed.Err == nil {
		t.Errorf("closed with %+v", closed)
	}
	if h.observer.panics[0] != "session" {
		t.Errorf("panics counted: %v", h.observer.panics)
	}
}

func TestPanicAtEveryStageEndsTheConnection(t *testing.T) {
	for _, stage := range []string{"initialized", "started", "opened", "message x", "closed", "stopped"} {
		t.Run(stage, func(t *testing.T) {
			h := serve(t, sessions(func(s *receive, c *actor.Context) {
				if kindOf(c.Message()) == stage {
					panic(stage)
				}
			}), actor.ServerConfig{})
			peer := h.dial(t)
			_ = peer.Text("x") // the connection may be gone already
			_ = peer.Close(1000, "")
			h.observer.waitClosed(t, 1)
			h.observer.wait(t, "the panic", func(r *recorder) bool { return len(r.panics) == 1 })
		})
	}
}

func TestCloseByTheUserFollowsWhatIsQueued(t *testing.T) {
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if _, ok := c.Message().(*actor.Message); ok {
			for _, text := range []string{"one", "two"} {
				if err := s.conn.SendText(text); err != nil {
					t.Error(err)
				}
			}
			if err := s.conn.Close(4001, "bye"); err != nil {
				t.Error(err)
			}
			if err := s.conn.SendText("late"); err != split.ErrClosed {
				t.Errorf("send after close: %v", err)
			}
			if err := s.conn.Close(1000, ""); err != split.ErrClosed {
				t.Errorf("second close: %v", err)
			}
		}
	}), actor.ServerConfig{})
	peer := h.dial(t)
	must(t, peer.Text("go"), peer.ExpectText("one"), peer.ExpectText("two"), peer.ExpectClose(4001), peer.Close(4001, ""), peer.ExpectEOF())
	closed := h.observer.waitClosed(t, 1)[0]
	if want := (actor.Closed{Code: 4001, Reason: "bye", Initiator: actor.Local, Cause: actor.CauseUser}); closed != want {
		t.Errorf("closed with %+v, want %+v", closed, want)
	}
}

func TestClosesThatMayNotBeSentAreRefused(t *testing.T) {
	conns := make(chan *actor.Conn, 1)
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if m, ok := c.Message().(actor.Opened); ok {
			conns <- m.Conn
		}
	}), actor.ServerConfig{})
	h.dial(t)
	conn := <-conns
	for _, c := range []struct {
		code   actor.CloseCode
		reason string
		want   error
	}{
		{1006, "", wscore.ErrCloseCodeNotOnWire},
		{999, "", wscore.ErrCloseCodeNotOnWire},
		{1000, strings.Repeat("x", 124), wscore.ErrCloseReasonTooLong},
		{1000, "\xFF", wscore.ErrTextNotUTF8},
	} {
		if err := conn.Close(c.code, c.reason); !errors.Is(err, c.want) {
			t.Errorf("Close(%d, %q) = %v, want %v", c.code, c.reason, err, c.want)
		}
	}
}

// A peer that never answers must not hold the connection.
func TestCloseIsBoundedWhenThePeerDoesNotAnswer(t *testing.T) {
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if _, ok := c.Message().(actor.Opened); ok {
			_ = s.conn.Close(1000, "")
		}
	}), actor.ServerConfig{ConnConfig: actor.ConnConfig{CloseTimeout: 50 * time.Millisecond}})
	peer := h.dial(t)
	must(t, peer.ExpectClose(1000), peer.ExpectEOF())
	h.observer.waitClosed(t, 1)
}

func TestSlowConsumerIsClosedAndOthersAreNotDelayed(t *testing.T) {
	var topic actor.Topic
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if m, ok := c.Message().(actor.Opened); ok {
			must(t, m.Conn.Subscribe(&topic))
		}
	}), actor.ServerConfig{ConnConfig: actor.ConnConfig{CloseTimeout: 200 * time.Millisecond}})
	stalled, reading := h.dial(t), h.dial(t)
	received := make(chan struct{})
	go func() {
		defer close(received)
		for {
			if _, err := reading.ReadMessage(); err != nil {
				return
			}
			received <- struct{}{}
		}
	}()
	waitLen(t, &topic, 2)
	// The reading peer takes each message before the next is published; the
	// stalled one is given more than its socket and its mailbox can hold.
	message := strings.Repeat("x", 64<<10)
	taken, published := 2, 0
	for ; taken == 2 && published < 10_000; published++ {
		taken = topic.Publish(h.Text(message))
		<-received
	}
	if taken != 1 {
		t.Fatalf("the stalled connection took %d messages", published)
	}
	closed := h.observer.waitClosed(t, 1)[0]
	if closed.Cause != actor.CauseSlowConsumer {
		t.Errorf("closed with %+v", closed)
	}
	if n := topic.Publish(h.Text(message)); n != 1 {
		t.Errorf("%d took the message after the slow one was gone", n)
	}
	<-received
	must(t, stalled.Shut(), reading.Shut())
	<-received
}

func waitLen(t *testing.T, topic *actor.Topic, n int) {
	t.Helper()
	for limit := time.Now().Add(10 * time.Second); topic.Len() != n; {
		if time.Now().After(limit) {
			t.Fatalf("topic has %d subscribers, want %d", topic.Len(), n)
		}
	}
}

func TestTopicReachesEverySubscriberAndNobodyElse(t *testing.T) {
	var topic actor.Topic
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if m, ok := c.Message().(*actor.Message); ok {
			switch m.Text() {
			case "join":
				must(t, s.conn.Subscribe(&topic))
			case "leave":
				s.conn.Unsubscribe(&topic)
			}
			_ = s.conn.Send(m.Take())
		}
	}), actor.ServerConfig{})
	a, b, outside := h.dial(t), h.dial(t), h.dial(t)
	for _, p := range []*rawpeer.Peer{a, b} {
		must(t, p.Text("join"), p.ExpectText("join"))
	}
	if n := topic.Publish(h.Text("news")); n != 2 {
		t.Errorf("%d took the message, want 2", n)
	}
	must(t, a.ExpectText("news"), b.ExpectText("news"))
	must(t, outside.Text("quiet"), outside.ExpectText("quiet"))
	must(t, a.Text("leave"), a.ExpectText("leave"), b.Close(1000, ""), b.ExpectClose(1000))
	h.observer.waitClosed(t, 1)
	if n := topic.Len(); n != 0 {
		t.Errorf("%d subscribers left", n)
	}
}

// Poisoning any PID of a connection, any number of times and from anywhere,
// closes the connection and ends every wait.
func TestStoppingAnyPIDClosesTheConnection(t *testing.T) {
	stop := map[string]func(*actor.Engine, *actor.PID) context.Context{
		"poison": (*actor.Engine).Poison,
		"stop":   (*actor.Engine).Stop,
	}
	part := map[string]func(*actor.Conn) *actor.PID{
		"reader": (*actor.Conn).ReaderPID, "writer": (*actor.Conn).PID, "session": (*actor.Conn).SessionPID,
	}
	for how, stop := range stop {
		for which, pid := range part {
			t.Run(how+" "+which, func(t *testing.T) {
				conns := make(chan *actor.Conn, 1)
				var life atomic.Value
				life.Store("")
				h := serve(t, sessions(func(s *receive, c *actor.Context) {
					switch kind := kindOf(c.Message()); kind {
					case "opened":
						conns <- s.conn
					case "closed", "stopped":
						life.Store(life.Load().(string) + kind + " ")
					}
				}), actor.ServerConfig{})
				peer := h.dial(t)
				conn := <-conns
				var waits []context.Context
				for range 3 {
					waits = append(waits, stop(h.engine, pid(conn)))
				}
				must(t, peer.ExpectClose(1001), peer.Close(1001, ""), peer.ExpectEOF())
				for _, wait := range waits {
					select {
					case <-wait.Done():
					case <-time.After(10 * time.Second):
						t.Fatal("the wait for a stop did not end")
					}
				}
				closed, ok := conn.Cause()
				if !ok || closed.Cause != actor.CauseUser || closed.Code != 1001 {
					t.Errorf("closed with %+v, %v", closed, ok)
				}
				must(t, h.Shutdown(context.Background()))
				want := "closed stopped "
				if which == "session" {
					want = "stopped "
				}
				if got := life.Load(); got != want {
					t.Errorf("session was told %q, want %q", got, want)
				}
				for _, kind := range []string{"reader", "writer", "session"} {
					if h.engine.Registry.GetPID("websocket/"+kind, conn.ID()) != nil {
						t.Errorf("the %s is still registered", kind)
					}
				}
			})
		}
	}
}

func TestSessionMayStopItselfAndWaitForIt(t *testing.T) {
	returned := make(chan struct{})
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if _, ok := c.Message().(*actor.Message); ok {
			<-c.Engine().Poison(c.PID()).Done()
			close(returned)
		}
	}), actor.ServerConfig{ConnConfig: actor.ConnConfig{CloseTimeout: 100 * time.Millisecond}})
	peer := h.dial(t)
	must(t, peer.Text("go"))
	<-returned
	h.observer.waitClosed(t, 1)
}

func TestAnyActorMaySendToAConnection(t *testing.T) {
	conns := make(chan *actor.Conn, 1)
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if m, ok := c.Message().(actor.Opened); ok {
			conns <- m.Conn
		}
	}), actor.ServerConfig{})
	peer := h.dial(t)
	conn := <-conns
	h.engine.Send(conn.PID(), actor.SendText("text"))
	h.engine.Send(conn.PID(), actor.SendBinary{1, 2})
	h.engine.Send(conn.PID(), conn.Text("buffer"))
	h.engine.Send(conn.PID(), 42)
	h.engine.Send(conn.PID(), actor.SendText("\xFF"))
	h.engine.Send(conn.PID(), actor.CloseConn{Code: 1006})
	h.engine.Send(conn.ReaderPID(), "nothing takes this")
	h.engine.Send(conn.PID(), actor.CloseConn{Code: 4002, Reason: "enough"})
	must(t, peer.ExpectText("text"), peer.ExpectBinary([]byte{1, 2}), peer.ExpectText("buffer"), peer.ExpectClose(4002))
	if n := h.observer.unsendable; n != 4 {
		t.Errorf("%d messages refused, want 4", n)
	}
}

// A session that does not keep up stops the reading, and nothing is lost.
func TestReadingPausesWhileTheSessionIsBusy(t *testing.T) {
	release := make(chan struct{})
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if _, ok := c.Message().(*actor.Message); ok {
			<-release
		}
		echo(s, c)
	}), actor.ServerConfig{ConnConfig: actor.ConnConfig{InboundMessages: 2}})
	peer := h.dial(t)
	const count = 50
	for range count {
		must(t, peer.Text("x"))
	}
	paused := func() (paused bool) {
		for c := range h.Connections() {
			paused = c.Info().Paused
		}
		return paused
	}
	for limit := time.Now().Add(10 * time.Second); !paused(); runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatal("reading goes on")
		}
	}
	close(release)
	for range count {
		must(t, peer.ExpectText("x"))
	}
}

func TestShutdownClosesEveryConnectionWith1001(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{})
	var peers []*rawpeer.Peer
	for range 20 {
		peers = append(peers, h.dial(t))
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Shutdown(context.Background()) }()
	for _, p := range peers {
		must(t, p.ExpectClose(1001), p.Close(1001, ""), p.ExpectEOF())
	}
	must(t, <-ended)
	_, response, err := rawpeer.DialClient(h.addr, "/", nil)
	if os.Getenv("TANDEM_LISTENER") == "own" { // it is closed
		if err == nil {
			t.Errorf("dial after shutdown: %+v", response)
		}
	} else if err == nil || response == nil || response.Status != http.StatusServiceUnavailable {
		t.Errorf("dial after shutdown: %v, %+v", err, response)
	}
}

func TestShutdownIsBoundedByItsContext(t *testing.T) {
	release := make(chan struct{})
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if _, ok := c.Message().(*actor.Message); ok {
			<-release
		}
	}), actor.ServerConfig{})
	peer := h.dial(t)
	must(t, peer.Text("stuck"))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := h.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown: %v", err)
	}
	close(release)
}

func TestConfigOutOfRangeIsRefusedByName(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	for field, config := range map[string]actor.ServerConfig{
		"AllowOrigins[1]": {AllowOrigins: []string{"a.example", "["}},
		"Drain.Reason":    {Drain: actor.DrainConfig{Reason: strings.Repeat("long ", 25)}},
	} {
		_, err := actor.NewServer(engine, sessions(echo), config)
		var wrong *actor.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != field || wrong.Range == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := actor.NewServer(nil, sessions(echo), actor.ServerConfig{}); err == nil {
		t.Error("a server without an engine")
	}
	if _, err := actor.NewServer(engine, nil, actor.ServerConfig{}); err == nil {
		t.Error("a server without sessions")
	}
}

// What other actors sent and the session will never see must not vanish.
func TestMessagesThatASessionWillNotSeeAreDeadLetters(t *testing.T) {
	for _, how := range []string{"stop", "panic"} {
		t.Run(how, func(t *testing.T) {
			busy, release := make(chan *actor.Conn), make(chan struct{})
			h := serve(t, sessions(func(s *receive, c *actor.Context) {
				if _, ok := c.Message().(*actor.Message); ok {
					busy <- s.conn
					<-release
					if how == "panic" {
						panic(how)
					}
				}
			}), actor.ServerConfig{ConnConfig: actor.ConnConfig{CloseTimeout: 100 * time.Millisecond}})
			peer := h.dial(t)
			must(t, peer.Text("work"))
			conn := <-busy
			for range 3 {
				h.engine.Send(conn.SessionPID(), "late")
			}
			if how == "stop" {
				h.engine.Stop(conn.SessionPID())
			}
			close(release)
			h.observer.wait(t, "three dead letters", func(r *recorder) bool { return r.unsendable == 3 })
		})
	}
}

// Subscribing again changes nothing, leaving keeps the others' places, and the
// number of topics has a limit.
func TestSubscriptionsOfOneConnection(t *testing.T) {
	topics := make([]actor.Topic, actor.MaxSubscriptions+1)
	result := make(chan error, 1)
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if _, ok := c.Message().(actor.Opened); !ok {
			return
		}
		for i := range actor.MaxSubscriptions {
			must(t, s.conn.Subscribe(&topics[i]), s.conn.Subscribe(&topics[i]))
		}
		last := &topics[actor.MaxSubscriptions]
		if err := s.conn.Subscribe(last); err != actor.ErrTooManySubscriptions {
			t.Errorf("one topic too many: %v", err)
		}
		s.conn.Unsubscribe(&topics[3])
		s.conn.Unsubscribe(&topics[3])
		result <- s.conn.Subscribe(last)
	}), actor.ServerConfig{})
	peer := h.dial(t)
	must(t, <-result)
	for i := range topics {
		want := 1
		if i == 3 {
			want = 0
		}
		if n := topics[i].Len(); n != want {
			t.Errorf("topic %d has %d subscribers, want %d", i, n, want)
		}
	}
	if n := topics[0].Publish(h.Text("to the first")); n != 1 {
		t.Errorf("%d took the message", n)
	}
	must(t, peer.Shut())
	for i := range topics {
		waitLen(t, &topics[i], 0)
	}
}

// What the peer said behind the message that a session panicked at is counted.
func TestMessagesBehindAPanicAreCounted(t *testing.T) {
	h := serve(t, sessions(func(_ *receive, c *actor.Context) {
		if _, ok := c.Message().(*actor.Message); ok {
			panic("on purpose")
		}
	}), actor.ServerConfig{})
	peer := h.dial(t)
	hello := peer.NewFrame(true, rawpeer.OpText, []byte("hello"))
	must(t, peer.WriteFrames(hello, hello, hello))
	must(t, peer.ExpectClose(1011), peer.Close(1011, ""))
	h.observer.wait(t, "two unhandled messages", func(r *recorder) bool { return r.unhandled == 2 })
}
