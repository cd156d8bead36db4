package actor_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
)

// meeting is a dialer in a bubble and the servers that it meets, in memory.
type meeting struct {
	*actor.Dialer
	t        *testing.T
	engine   *actor.Engine
	observer *recorder
	servers  sync.WaitGroup

	mu       sync.Mutex
	dials    []time.Duration // when, since the beginning
	events   []any
	sessions []*client
	requests []*rawpeer.Request
}

// client is a session; hear is told of each message.
type client struct {
	hear func(s *client, c *actor.Context)
	conn *actor.Conn
	life []string
}

func (s *client) Receive(c *actor.Context) {
	s.life = append(s.life, kindOf(c.Message()))
	if opened, ok := c.Message().(actor.Opened); ok {
		s.conn = opened.Conn
	}
	if s.hear != nil {
		s.hear(s, c)
	}
}

var errNobodyThere = errors.New("nobody there")

// newMeeting makes one whose dialer is to be started.
func newMeeting(t *testing.T) *meeting {
	t.Helper()
	engine, err := actor.NewEngine()
	must(t, err)
	return &meeting{t: t, engine: engine, observer: newRecorder()}
}

// start starts the dialer, whose attempts meet one server after the other: nil
// is one that cannot be reached, and so is whatever comes after the last.
func (m *meeting) start(config actor.DialerConfig, producer func(*actor.Established) (actor.Receiver, error), servers ...func(net.Conn)) {
	m.t.Helper()
	began := time.Now()
	if config.Dial.URL == "" && config.Prepare == nil {
		config.Dial.URL = "ws://server.example/room"
	}
	config.Observer, config.Readiness = m.observer, split.NewParked()
	config.Dial.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		m.mu.Lock()
		n := len(m.dials)
		m.dials = append(m.dials, time.Since(began))
		m.mu.Unlock()
		if n >= len(servers) || servers[n] == nil {
			return nil, errNobodyThere
		}
		near, far := net.Pipe()
		m.servers.Go(func() {
			defer far.Close()
			servers[n](far)
		})
		return near, nil
	}
	config.Events = m.engine.SpawnFunc(func(c *actor.Context) {
		switch event := c.Message().(type) {
		case actor.Connecting, actor.Disconnected:
			m.mu.Lock()
			m.events = append(m.events, event)
			m.mu.Unlock()
		}
	}, "events")
	if producer == nil {
		producer = func(*actor.Established) (actor.Receiver, error) { return m.session(nil), nil }
	}
	var err error
	m.Dialer, err = actor.NewDialer(m.engine, producer, config)
	must(m.t, err)
}

// end shuts everything down and demands that nothing is left.
func (m *meeting) end() {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.Shutdown(ctx); err != nil {
		m.t.Errorf("shutdown: %v", err)
	}
	m.servers.Wait()
	synctest.Wait()
	if n := m.BuffersInUse(); n != 0 {
		m.t.Errorf("%d buffers in use", n)
	}
	if m.Conn() != nil {
		m.t.Error("a connection is left")
	}
	if m.engine.Registry.GetPID(m.PID().ID, "") != nil {
		m.t.Error("the dialer is still registered")
	}
	m.observer.mu.Lock()
	defer m.observer.mu.Unlock()
	if m.observer.opened != len(m.observer.closed) {
		m.t.Errorf("%d connections opened, %d closed", m.observer.opened, len(m.observer.closed))
	}
}

// session is a new one that the meeting knows.
func (m *meeting) session(hear func(*client, *actor.Context)) *client {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := &client{hear: hear}
	m.sessions = append(m.sessions, s)
	return s
}

func (m *meeting) disconnected() (all []actor.Disconnected) {
	synctest.Wait() // for the actor that takes them
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, event := range m.events {
		if d, ok := event.(actor.Disconnected); ok {
			all = append(all, d)
		}
	}
	return all
}

// accept is a server that shakes hands and goes on as told.
func (m *meeting) accept(then func(*rawpeer.Peer)) func(net.Conn) {
	return func(conn net.Conn) {
		peer, request, err := rawpeer.AcceptServer(conn, rawpeer.AcceptOptions{})
		m.mu.Lock()
		m.requests = append(m.requests, request)
		m.mu.Unlock()
		if err == nil {
			peer.Timeout = 24 * time.Hour // of fake time
			then(peer)
		}
	}
}

// closing is a server that closes after a while.
func closing(code uint16, after time.Duration) func(*rawpeer.Peer) {
	return func(peer *rawpeer.Peer) {
		timer := time.AfterFunc(after, func() {
			if code == 1006 {
				_ = peer.Shut()
				return
			}
			_ = peer.Close(code, "")
		})
		defer timer.Stop()
		staying(peer)
	}
}

// staying is a server that answers pings until the client closes.
func staying(peer *rawpeer.Peer) {
	for {
		if _, err := peer.ReadMessage(); err != nil {
			var end *rawpeer.CloseError
			if errors.As(err, &end) {
				_ = peer.Close(end.Code, "") // a second one, of a server that closed first, is ignored
			}
			return
		}
	}
}
