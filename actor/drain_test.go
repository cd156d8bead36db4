package actor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// crowd is many connections in a bubble, in memory.
type crowd struct {
	t        *testing.T
	server   *actor.Server
	observer *recorder
	streams  []*stream
	closing  []rawpeer.Frame // our close frame, by stream; a zero one if it is not out
	order    []int           // the streams in the order of their closes
}

func newCrowd(t *testing.T, n int, config actor.ServerConfig) *crowd {
	engine, err := actor.NewEngine()
	must(t, err)
	c := &crowd{t: t, observer: newRecorder()}
	config.Readiness, config.Observer = scripted{}, c.observer
	config.PingInterval = time.Hour
	c.server, err = actor.NewServer(engine, sessions(echo), config)
	must(t, err)
	for range n {
		must(t, c.join(c.attach))
	}
	return c
}

func (c *crowd) join(attach func(s streamConn) error) error {
	s := newStream()
	c.streams, c.closing = append(c.streams, s), append(c.closing, rawpeer.Frame{})
	return attach(streamConn{stream: s})
}

// look lets everybody finish what can be done now, notes the close frames that
// have left, and lets their peers answer. It returns how many have left.
func (c *crowd) look() int {
	synctest.Wait()
	for i, s := range c.streams {
		if c.closing[i].Opcode == rawpeer.OpClose {
			continue
		}
		for wire := s.written(); len(wire) >= 2 && len(wire) >= 2+int(wire[1]); wire = wire[2+wire[1]:] { // short frames without a mask
			if wire[0] != 0x80|rawpeer.OpClose {
				continue
			}
			c.closing[i] = rawpeer.Frame{Opcode: rawpeer.OpClose, Payload: wire[2 : 2+wire[1]]}
			c.order = append(c.order, i)
			answer := rawpeer.New(nil, rawpeer.Client).NewFrame(true, rawpeer.OpClose, c.closing[i].Payload)
			s.feed(rawpeer.AppendFrame(nil, answer))
			s.finish(io.EOF)
			break
		}
	}
	synctest.Wait()
	return len(c.order)
}

// shutdown begins a shutdown.
func (c *crowd) shutdown(ctx context.Context) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- c.server.Shutdown(ctx) }()
	synctest.Wait()
	return ended
}

// Closes are spread evenly over their time, behind the delay, at random, and
// all of them begin before it is over.
func TestClosesAreSpreadEvenly(t *testing.T) {
	for _, test := range []struct {
		conns         int
		delay, spread time.Duration
	}{
		{conns: 1000, delay: time.Second, spread: 2 * time.Second},
		{conns: 1000, delay: 0, spread: 2 * time.Second},
		{conns: 7, delay: 300 * time.Millisecond, spread: 10 * time.Second}, // fewer than batches
		{conns: 100, delay: 0, spread: 20 * time.Millisecond},               // less than one batch
		{conns: 100, delay: 5 * time.Second, spread: 0},
		{conns: 0, delay: time.Second, spread: time.Second},
	} {
		t.Run(fmt.Sprintf("%d over %v after %v", test.conns, test.spread, test.delay), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, test.conns, actor.ServerConfig{Drain: actor.DrainConfig{Delay: test.delay, Spread: test.spread, Code: 1012, Reason: "new version"}})
				began := time.Now()
				ended := c.shutdown(context.Background())
				const step = 10 * time.Millisecond
				steps := 0
				for before := 0; ; {
					passed := time.Since(began)
					n := c.look()
					if n > before {
						steps++
					}
					before = n
					switch {
					case passed < test.delay && n > 0:
						t.Fatalf("%d closes %v after the beginning", n, passed)
					case passed >= test.delay+test.spread && n < test.conns:
						t.Fatalf("%d closes at the end of the spread", n)
					case passed >= test.delay && test.spread > 0:
						// Off by the batch that is due at this moment, and by a fraction.
						due := int(int64(test.conns) * int64(passed-test.delay) / int64(test.spread))
						batch := test.conns*int(100*time.Millisecond)/int(max(100*time.Millisecond, test.spread)) + 1
						if n < due-batch || n > due+batch {
							t.Fatalf("%d closes after %v, want %d", n, passed, due)
						}
					}
					if passed >= test.delay+test.spread {
						break
					}
					time.Sleep(step)
				}
				must(t, <-ended)
				if most := max(1, int(test.spread/(50*time.Millisecond))); steps > most || test.conns >= most && steps < most {
					t.Errorf("closes began in %d batches, want %d", steps, most)
				}
				for i, frame := range c.closing {
					if string(frame.Payload) != string(rawpeer.ClosePayload(1012, "new version")) {
						t.Fatalf("connection %d got %q", i, frame.Payload)
					}
				}
				if steps > 1 && test.conns >= 100 && slices.IsSorted(c.order) {
					t.Error("connections were closed in the order in which they opened")
				}
				if report := c.server.DrainReport(); report != (actor.DrainReport{Acknowledged: test.conns}) {
					t.Errorf("report: %+v", report)
				}
			})
		})
	}
}

// The observer is told of each stage once, whoever asks again.
func TestStagesOfAShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 3, actor.ServerConfig{Drain: actor.DrainConfig{Delay: time.Second, Spread: time.Second}})
		if c.server.Ready() != nil {
			t.Error("not ready before the shutdown")
		}
		ended := c.shutdown(context.Background())
		if !errors.Is(c.server.Ready(), actor.ErrDraining) {
			t.Error("ready though shutting down")
		}
		_ = c.streams[0].Close() // lost before its turn
		time.Sleep(1500 * time.Millisecond)
		c.look()
		time.Sleep(500 * time.Millisecond)
		c.look()
		must(t, <-ended, c.server.Shutdown(context.Background()))
		want := []string{"waiting 3", "closing 2", "emptying 0", "done 0"}
		if !slices.Equal(c.observer.stages[:2], want[:2]) || len(c.observer.stages) != 4 || c.observer.stages[3] != "done 0" {
			t.Errorf("stages %q, want %q", c.observer.stages, want)
		}
		if report := c.server.DrainReport(); report != (actor.DrainReport{Acknowledged: 2, CutOff: 1}) {
			t.Errorf("report: %+v", report)
		}
	})
}

// A connection that opens during the delay takes part in the drain; one that
// was admitted before the server refuses, and opens after, is closed as it
// opens; and then nobody is admitted.
func TestLateConnectionsAreDrained(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 2, actor.ServerConfig{Drain: actor.DrainConfig{Delay: time.Second, Spread: time.Second}})
		ended := c.shutdown(context.Background())
		must(t, c.join(c.attach))
		open, err := c.server.AdmitForTest()
		must(t, err)
		time.Sleep(1100 * time.Millisecond)
		if _, err := c.server.AdmitForTest(); !errors.Is(err, actor.ErrDraining) {
			t.Errorf("admitted though refusing: %v", err)
		}
		must(t, c.join(func(s streamConn) error { return open(s, &receive{f: echo}) }))
		c.look()
		if c.closing[3].Opcode != rawpeer.OpClose {
			t.Error("a connection that opened late was not closed")
		}
		time.Sleep(time.Second)
		c.look()
		must(t, <-ended)
		if report := c.server.DrainReport(); report != (actor.DrainReport{Acknowledged: 4}) {
			t.Errorf("report: %+v", report)
		}
	})
}

func (c *crowd) attach(s streamConn) error { return c.server.AttachForTest(s, &receive{f: echo}) }

// A second call closes at once what still waits for its turn, in either stage.
func TestSecondShutdownHurries(t *testing.T) {
	for _, after := range []time.Duration{time.Minute, 90 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			c := newCrowd(t, 100, actor.ServerConfig{Drain: actor.DrainConfig{Delay: time.Hour, Spread: time.Hour}})
			first := c.shutdown(context.Background())
			for passed := time.Duration(0); passed < after; passed += time.Minute {
				time.Sleep(time.Minute)
				c.look()
			}
			hurried := time.Now()
			second, third := c.shutdown(context.Background()), c.shutdown(context.Background())
			if n := c.look(); n != 100 {
				t.Errorf("%d closes", n)
			}
			must(t, <-first, <-second, <-third)
			if took := time.Since(hurried); took > 0 {
				t.Errorf("took %v", took)
			}
		})
	}
}

// When the time is up what is left is cut off, and the error has the account of
// it: who was closed in order, who was cut off, what was lost, who is stuck.
func TestDrainErrorTellsWhatWasCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := newCrowd(t, 4, actor.ServerConfig{ConnConfig: actor.ConnConfig{CloseTimeout: time.Hour, WriteTimeout: time.Hour}})
		must(t, c.join(func(s streamConn) error {
			return c.server.AttachForTest(s, &receive{f: func(r *receive, m *actor.Context) {
				if _, ok := m.Message().(*actor.Message); ok {
					<-release
				}
			}})
		}))
		stuck := c.streams[4]
		stuck.feed(rawpeer.AppendFrame(nil, rawpeer.New(nil, rawpeer.Client).NewFrame(true, rawpeer.OpText, []byte("stuck"))))
		for i, room := range []int{-1, -1, 0, 3} {
			c.streams[i].block(room)
		}
		synctest.Wait()
		must(t, c.streams[2].conn.SendText("one"), c.streams[2].conn.SendText("two"), c.streams[3].conn.SendText("three"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		ended := c.shutdown(ctx)
		c.streams[4].finish(io.EOF) // the peer is gone, its session does not notice
		c.look()                    // those who can answer
		began := time.Now()
		err := <-ended
		if took := time.Since(began); took < time.Minute || took > time.Minute+200*time.Millisecond {
			t.Errorf("shutdown took %v", took)
		}
		var cut *actor.DrainError
		want := actor.DrainReport{Acknowledged: 2, CutOff: 3, Dropped: 3, Unfinished: 1}
		if !errors.As(err, &cut) || !errors.Is(err, context.DeadlineExceeded) || cut.DrainReport != want || cut.Error() == "" {
			t.Errorf("shutdown: %v, want %+v", err, want)
		}
		if stages := c.observer.stages; !slices.Equal(stages[2:], []string{"emptying 5", "cut 2", "done 0"}) {
			t.Errorf("stages: %q", stages)
		}
		close(release)
		must(t, c.server.Shutdown(context.Background()))
		want.Unfinished = 0
		if report := c.server.DrainReport(); report != want {
			t.Errorf("report: %+v, want %+v", report, want)
		}
		if n := c.server.BuffersInUse(); n != 0 {
			t.Errorf("%d buffers in use", n)
		}
	})
}

// A near deadline takes from the spread first and from the delay next, so that
// the closes have time to be answered.
func TestDeadlineShortensTheDrain(t *testing.T) {
	for _, test := range []struct{ deadline, lastClose, done time.Duration }{
		{deadline: time.Hour, lastClose: 30 * time.Second, done: 30 * time.Second},
		{deadline: 25 * time.Second, lastClose: 20 * time.Second, done: 20 * time.Second},
		{deadline: 12 * time.Second, lastClose: 7 * time.Second, done: 7 * time.Second},
		{deadline: 4 * time.Second, lastClose: 2 * time.Second, done: 2 * time.Second},
		{deadline: -time.Second},
	} {
		t.Run(test.deadline.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCrowd(t, 50, actor.ServerConfig{
					ConnConfig: actor.ConnConfig{CloseTimeout: 5 * time.Second},
					Drain:      actor.DrainConfig{Delay: 10 * time.Second, Spread: 20 * time.Second},
				})
				ctx, cancel := context.WithTimeout(context.Background(), test.deadline)
				defer cancel()
				began := time.Now()
				ended := c.shutdown(ctx)
				for time.Since(began) < test.lastClose {
					time.Sleep(50 * time.Millisecond)
					c.look()
				}
				err := <-ended
				if test.deadline < 0 {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("shutdown: %v", err)
					}
					return
				}
				must(t, err)
				if n := len(c.order); n != 50 {
					t.Errorf("%d closes", n)
				}
				if took := time.Since(began); took > test.done+50*time.Millisecond {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// What ends the accepting is called once, when the delay is over, and at once
// for who comes later.
func TestAcceptingStopsAfterTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, 0, actor.ServerConfig{Drain: actor.DrainConfig{Delay: time.Second}})
		var mu sync.Mutex
		var stopped []string
		stop := func(name string) (forget func()) {
			return c.server.StopAcceptingForTest(func() {
				mu.Lock()
				defer mu.Unlock()
				stopped = append(stopped, name)
			})
		}
		_, forgotten, kept := stop("first"), stop("forgotten"), stop("second")
		forgotten()
		forgotten()
		ended := c.shutdown(context.Background())
		mu.Lock()
		if len(stopped) > 0 {
			t.Errorf("stopped %q before the delay is over", stopped)
		}
		mu.Unlock()
		must(t, <-ended)
		stop("late")
		kept()
		must(t, c.server.Shutdown(context.Background()))
		if want := []string{"first", "second", "late"}; !slices.Equal(stopped, want) {
			t.Errorf("stopped %q, want %q", stopped, want)
		}
	})
}

// A load balancer learns that the server is leaving before it refuses anybody.
func TestProbeFailsBeforeHandshakesDo(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{Drain: actor.DrainConfig{Delay: time.Hour}})
	probe := func() (int, string) {
		w := httptest.NewRecorder()
		h.ServeReady(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return w.Code, w.Header().Get("Retry-After")
	}
	if code, _ := probe(); code != http.StatusOK {
		t.Errorf("probe of a server that runs: %d", code)
	}
	ended := make(chan error, 2)
	go func() { ended <- h.Shutdown(context.Background()) }()
	h.observer.wait(t, "the first stage", func(r *recorder) bool { return len(r.stages) > 0 })
	if code, retry := probe(); code != http.StatusServiceUnavailable || retry == "" {
		t.Errorf("probe of a server that drains: %d, retry after %q", code, retry)
	}
	late := h.dial(t)
	must(t, late.Text("in time"), late.ExpectText("in time"))
	go func() { ended <- h.Shutdown(context.Background()) }()
	must(t, late.ExpectClose(1001), late.Close(1001, ""), late.Shut())
	must(t, <-ended, <-ended)
	_, response, err := rawpeer.DialClient(h.addr, "/", nil)
	if os.Getenv("TANDEM_LISTENER") == "own" { // it is closed
		if err == nil {
			t.Errorf("dial after shutdown: %+v", response)
		}
	} else if err == nil || response == nil || response.Status != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("dial after shutdown: %v, %+v", err, response)
	}
}

func TestDrainConfigOutOfRangeIsRefusedByName(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	for field, config := range map[string]actor.DrainConfig{
		"Drain.Delay":  {Delay: -1},
		"Drain.Spread": {Spread: 2 * time.Hour},
		"Drain.Code":   {Code: 1006},
		"Drain.Reason": {Reason: "\xff"},
	} {
		_, err := actor.NewServer(engine, sessions(echo), actor.ServerConfig{Drain: config})
		var wrong *actor.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != field || wrong.Range == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
}
