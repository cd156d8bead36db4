package actor_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// bubble runs a test in fake time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, f)
}

func TestDialerConnectsAgainWithASessionEach(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeeting(t)
		serve := func(then func(*rawpeer.Peer)) func(net.Conn) {
			return m.accept(then)
		}
		var attempts []int
		var lasts []actor.Attempt
		m.start(actor.DialerConfig{Prepare: func(_ context.Context, next *actor.NextDial) error {
			attempts = append(attempts, next.Attempt)
			if next.Last != nil {
				lasts = append(lasts, *next.Last)
				next.Dial.Header = http.Header{"X-Resume": {next.Last.Closed.Code.String()}}
				next.Dial.URL = "ws://server.example/again"
			}
			next.Dial.Header.Add("X-A", "b")
			return nil
		}, Dial: split.DialConfig{URL: "ws://server.example/room", Header: http.Header{"X-A": {"a"}}}}, nil,
			serve(func(peer *rawpeer.Peer) { _ = peer.Text("one"); closing(1012, 15*time.Second)(peer) }),
			serve(func(peer *rawpeer.Peer) { _ = peer.Text("two"); closing(1001, time.Second)(peer) }),
			serve(func(peer *rawpeer.Peer) { _ = peer.Text("three"); closing(1000, 12*time.Second)(peer) }),
		)
		<-m.Done()
		defer m.end()
		must(t, m.Err()) // 1000 is what was wanted

		if len(m.sessions) != 3 || m.sessions[0].conn == m.sessions[1].conn {
			t.Fatalf("%d sessions", len(m.sessions))
		}
		for i, text := range []string{"one", "two", "three"} {
			want := []string{"initialized", "started", "opened", "message " + text, "closed", "stopped"}
			if got := m.sessions[i].life; !slices.Equal(got, want) {
				t.Errorf("session %d received %v", i, got)
			}
		}
		if !slices.Equal(attempts, []int{1, 1, 2}) {
			t.Errorf("attempts: %v", attempts)
		}
		if m.requests[0].Target != "/room" || m.requests[1].Target != "/again" || m.requests[1].Header.Get("X-Resume") != wscore.CloseServiceRestart.String() {
			t.Errorf("asked for %s, then %s with %v", m.requests[0].Target, m.requests[1].Target, m.requests[1].Header)
		}
		if got := m.requests[0].Header["X-A"]; !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("X-A: %v", got)
		}
		disconnected := m.disconnected()
		for i, want := range []struct {
			number      int
			code        actor.CloseCode
			least, most time.Duration
			uptime      time.Duration
			again       bool
		}{
			{0, 1012, 5 * time.Second, 30 * time.Second, 15 * time.Second, true},
			{1, 1001, 0, time.Second, time.Second, true},
			{0, 1000, 0, 0, 12 * time.Second, false},
		} {
			d := disconnected[i]
			if d.Again != want.again || d.After < want.least || d.After > want.most || d.Attempt.Number != want.number ||
				d.Attempt.Closed.Code != want.code || d.Attempt.Uptime < want.uptime || d.Attempt.Uptime > want.uptime+time.Second || d.Dialer != m.PID() {
				t.Errorf("event %d: %+v %+v", i, d, d.Attempt.Closed)
			}
			if want.again {
				if *lasts[i].Closed != *d.Attempt.Closed {
					t.Errorf("Prepare %d saw %+v", i, lasts[i])
				}
				// The wait is the one that was told.
				if wait := m.dials[i+1] - m.dials[i] - d.Attempt.Uptime; wait < d.After || wait > d.After+time.Second {
					t.Errorf("waited %v, told %v", wait, d.After)
				}
			}
		}
		if len(m.events) != 6 {
			t.Errorf("%d events", len(m.events))
		}
	})
}

func TestDialerBacksOffUntilItsLastAttempt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeeting(t)
		m.start(actor.DialerConfig{MaxAttempts: 12}, nil)
		<-m.Done()
		defer m.end()
		var gaveUp *actor.GaveUpError
		if err := m.Err(); !errors.As(err, &gaveUp) || gaveUp.Attempt.Number != 12 || !errors.Is(err, errNobodyThere) {
			t.Errorf("ended with %v", err)
		}
		limit := 100 * time.Millisecond
		for i, d := range m.disconnected() {
			if d.After > limit || d.Again != (i < 11) {
				t.Errorf("attempt %d: %+v, limit %v", i+1, d, limit)
			}
			if i < 11 && m.dials[i+1]-m.dials[i] != d.After {
				t.Errorf("attempt %d: waited %v, told %v", i+1, m.dials[i+1]-m.dials[i], d.After)
			}
			limit = min(2*limit, 30*time.Second)
		}
		if len(m.dials) != 12 || !slices.Equal(m.observer.dialFailures, slices.Repeat([]string{"connect"}, 12)) {
			t.Errorf("%d dials, failed with %v", len(m.dials), m.observer.dialFailures)
		}
	})
}

// A connection that stayed up begins the count anew; one that did not counts.
func TestDialerCountsFromWhatStayedUp(t *testing.T) {
	for _, test := range []struct {
		uptime time.Duration
		want   []int
	}{
		{10 * time.Second, []int{1, 2, 0, 1}},
		{9 * time.Second, []int{1, 2, 3, 4}},
	} {
		t.Run(test.uptime.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMeeting(t)
				var numbers []int
				m.start(actor.DialerConfig{Retry: func(a actor.Attempt) actor.Decision {
					numbers = append(numbers, a.Number)
					return actor.Decision{Again: len(numbers) < 4, After: time.Second} // m is there by then
				}}, nil, nil, nil, m.accept(closing(1006, test.uptime)))
				<-m.Done()
				defer m.end()
				if !slices.Equal(numbers, test.want) {
					t.Errorf("numbers %v, want %v", numbers, test.want)
				}
			})
		})
	}
}

// Whoever stops a dialer, however often and wherever it stands, waits until it
// has ended, and no longer.
func TestDialerEndsWhereverItStands(t *testing.T) {
	mute := func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
	stop := map[string]func(*meeting){
		"poison": func(m *meeting) {
			for range 3 {
				<-m.engine.Poison(m.PID()).Done()
			}
		},
		"stop, many at once": func(m *meeting) {
			first, second, third := m.engine.Stop(m.PID()), m.engine.Poison(m.PID()), m.engine.Stop(m.PID())
			<-first.Done()
			<-second.Done()
			<-third.Done()
		},
		"shutdown": func(m *meeting) { must(m.t, m.Shutdown(context.Background()), m.Shutdown(context.Background())) },
	}
	for state, server := range map[string]func(*meeting) func(net.Conn){
		"handshake":     func(*meeting) func(net.Conn) { return mute },
		"between tries": func(*meeting) func(net.Conn) { return nil },
		"connected":     func(m *meeting) func(net.Conn) { return m.accept(staying) },
		"closing": func(m *meeting) func(net.Conn) {
			return m.accept(func(peer *rawpeer.Peer) { _ = peer.Close(1001, ""); time.Sleep(time.Hour) })
		},
		"ended": func(m *meeting) func(net.Conn) { return m.accept(closing(1000, 0)) },
	} {
		for how, stop := range stop {
			t.Run(state+", "+how, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					m := newMeeting(t)
					m.start(actor.DialerConfig{ConnConfig: actor.ConnConfig{HandshakeTimeout: time.Hour}, MinBackoff: time.Hour}, nil, server(m))
					synctest.Wait()
					conn := m.Conn()
					if (conn != nil) != (state == "connected" || state == "closing") {
						t.Fatalf("connection: %v", conn)
					}
					stop(m)
					synctest.Wait()
					select {
					case <-m.Done():
					default:
						t.Error("the dialer has not ended")
					}
					if m.Err() != nil {
						t.Errorf("ended with %v", m.Err())
					}
					if state == "connected" {
						if closed, ok := conn.Cause(); !ok || closed.Code != 1001 || closed.Cause != actor.CauseDrain {
							t.Errorf("connection closed %v with %+v", ok, closed)
						}
					}
					m.end()
				})
			})
		}
	}
}

func TestDialerShutdownGivesUpOnASessionThatIsStuck(t *testing.T) {
	bubble(t, func(t *testing.T) {
		stuck := make(chan struct{})
		m := newMeeting(t)
		m.start(actor.DialerConfig{}, func(*actor.Established) (actor.Receiver, error) {
			return m.session(func(_ *client, c *actor.Context) {
				if _, ok := c.Message().(actor.Opened); ok {
					<-stuck
				}
			}), nil
		}, m.accept(staying))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := m.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		<-m.Done() // the connection has ended
		<-m.engine.Poison(m.PID()).Done()
		close(stuck)
		m.end()
	})
}

// The next attempt begins when the session has received its end.
func TestSessionsOfADialerDoNotOverlap(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeeting(t)
		serve := m.accept(closing(1011, 0))
		same := &client{}
		same.hear = func(s *client, c *actor.Context) {
			if _, ok := c.Message().(actor.Closed); ok {
				time.Sleep(time.Minute)
				m.mu.Lock()
				s.life = append(s.life, strings.Repeat("dial ", len(m.dials)))
				m.mu.Unlock()
			}
		}
		m.start(actor.DialerConfig{}, func(*actor.Established) (actor.Receiver, error) { return same, nil }, serve, serve)
		time.Sleep(3 * time.Minute)
		m.end()
		once := []string{"initialized", "started", "opened", "closed", "dial ", "stopped"}
		twice := append(slices.Clone(once), "initialized", "started", "opened", "closed", "dial dial ", "stopped")
		if !slices.Equal(same.life, twice) {
			t.Errorf("received %v", same.life)
		}
	})
}

// The dialer's PID stands for whatever connection there is.
func TestDialerPassesMessagesOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMeeting(t)
		heard := make(chan string, 10)
		m.start(actor.DialerConfig{}, nil, nil, m.accept(func(peer *rawpeer.Peer) {
			for range 3 {
				if event, err := peer.ReadMessage(); err == nil {
					heard <- string(event.Payload)
				}
			}
			staying(peer)
		}))
		m.engine.Send(m.PID(), actor.SendText("lost"))
		time.Sleep(time.Second)
		m.engine.Send(m.PID(), actor.SendText("text"))
		m.engine.Send(m.PID(), actor.SendBinary("binary"))
		m.engine.Send(m.PID(), m.Conn().Text("buffer"))
		for _, want := range []string{"text", "binary", "buffer"} {
			if got := <-heard; got != want {
				t.Errorf("heard %q, want %q", got, want)
			}
		}
		m.engine.Send(m.PID(), "not for a connection")
		buffer := m.Conn().Text("late")
		m.engine.Send(m.PID(), actor.CloseConn{Code: 1000})
		<-m.Done()
		m.engine.Send(m.PID(), buffer) // released and counted as a dead letter
		m.end()
		if m.observer.unsendable != 3 {
			t.Errorf("%d messages refused", m.observer.unsendable)
		}
	})
}

var errOwn = errors.New("not this one")

// What the application's own functions refuse ends the dialer, and the server
// is told.
func TestDialerSurvivesItsHooks(t *testing.T) {
	panicking := func() { panic("in a hook") }
	for _, test := range []struct {
		name     string
		config   actor.DialerConfig
		producer func(*actor.Established) (actor.Receiver, error)
		want     error
		panics   int
		code     uint16 // that the server hears; 0 if it hears nothing
	}{
		{"producer refuses", actor.DialerConfig{}, func(*actor.Established) (actor.Receiver, error) { return nil, errOwn }, errOwn, 0, 1008},
		{"producer panics", actor.DialerConfig{}, func(*actor.Established) (actor.Receiver, error) { panicking(); return nil, nil }, actor.ErrSessionPanic, 1, 1008},
		{"Prepare refuses", actor.DialerConfig{Prepare: func(context.Context, *actor.NextDial) error { return errOwn }}, nil, errOwn, 0, 0},
		{"Prepare panics", actor.DialerConfig{Prepare: func(context.Context, *actor.NextDial) error { panicking(); return nil }}, nil, actor.ErrSessionPanic, 1, 0},
		{"Prepare asks for what cannot be", actor.DialerConfig{Prepare: func(_ context.Context, n *actor.NextDial) error { n.Dial.URL = "x"; return nil }}, nil, &wscore.ConfigError{}, 0, 0},
		{"Retry panics", actor.DialerConfig{Retry: func(actor.Attempt) actor.Decision { panicking(); return actor.Decision{} }}, nil, nil, 1, 1011},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMeeting(t)
				heard := make(chan uint16, 1)
				m.start(test.config, test.producer, m.accept(func(peer *rawpeer.Peer) {
					if test.want == nil {
						_ = peer.Close(1011, "")
					}
					event, _ := peer.ReadClose()
					heard <- event.Code
					_ = peer.Close(event.Code, "")
				}))
				<-m.Done()
				m.end()
				var gaveUp *actor.GaveUpError
				var config *wscore.ConfigError
				err := m.Err()
				if !errors.As(err, &gaveUp) || test.want != nil && !errors.Is(err, test.want) && !(errors.As(test.want, &config) && errors.As(err, &config)) {
					t.Errorf("ended with %v", err)
				}
				if len(m.observer.panics) != test.panics || test.panics > 0 && m.observer.panics[0] != "producer" {
					t.Errorf("panics: %v", m.observer.panics)
				}
				code := uint16(0)
				select {
				case code = <-heard:
				default:
				}
				if code != test.code {
					t.Errorf("the server heard %d, want %d", code, test.code)
				}
			})
		})
	}
}

func TestDialerTellsWhyAttemptsFail(t *testing.T) {
	respond := func(response string) func(net.Conn) {
		return func(conn net.Conn) {
			if _, err := rawpeer.New(conn, rawpeer.Server).ReadRequest(); err == nil {
				_, _ = io.WriteString(conn, response)
			}
		}
	}
	bubble(t, func(t *testing.T) {
		waits := []time.Duration{}
		m := newMeeting(t)
		m.start(actor.DialerConfig{Retry: func(a actor.Attempt) actor.Decision {
			waits = append(waits, a.Default.After)
			return actor.Decision{Again: len(waits) < 6, After: -1}
		}}, nil,
			nil,
			respond("HTTP/1.1 503 x\r\nRetry-After: 60\r\n\r\n"),
			respond("HTTP/1.1 404 x\r\n\r\n"),
			respond("HTTP/1.1 101 x\r\n\r\n"),
			respond(""),
			func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) },
		)
		<-m.Done()
		m.end()
		if want := []string{"connect", "status", "status", "answer", "answer", "handshake"}; !slices.Equal(m.observer.dialFailures, want) {
			t.Errorf("failed with %v", m.observer.dialFailures)
		}
		if waits[1] < time.Minute || waits[2] != 0 || waits[3] != 0 || waits[4] == 0 || waits[5] == 0 {
			t.Errorf("default waits %v", waits)
		}
		if !errors.Is(m.Err(), context.DeadlineExceeded) {
			t.Errorf("ended with %v", m.Err())
		}
	})
}

// What a local end means is told by its code too.
func TestDialerFollowsLocalCloses(t *testing.T) {
	for name, test := range map[string]struct {
		end   func(*meeting, *client)
		code  actor.CloseCode
		again bool
	}{
		"closed with 1000": {func(_ *meeting, s *client) { _ = s.conn.Close(1000, "") }, 1000, false},
		"closed with 4000": {func(_ *meeting, s *client) { _ = s.conn.Close(4000, "") }, 4000, true},
		"session poisoned": {func(m *meeting, s *client) { m.engine.Poison(s.conn.SessionPID()) }, 1001, true},
		"session panicked": {func(*meeting, *client) { panic("in the session") }, 1011, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				m := newMeeting(t)
				m.start(actor.DialerConfig{}, func(*actor.Established) (actor.Receiver, error) {
					return m.session(func(s *client, c *actor.Context) {
						if _, ok := c.Message().(actor.Opened); ok {
							test.end(m, s)
						}
					}), nil
				}, m.accept(staying))
				time.Sleep(2 * time.Second)
				m.end()
				d := m.disconnected()[0]
				if d.Again != test.again || d.Attempt.Closed.Code != test.code {
					t.Errorf("%+v, %+v", d, d.Attempt.Closed)
				}
			})
		})
	}
}
