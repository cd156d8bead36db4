package actor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// manyConns is a server with connections that need no sockets.
func manyConns(t *testing.T, count int) (server *actor.Server, streams []*stream) {
	t.Helper()
	engine, err := actor.NewEngine()
	must(t, err)
	server, err = actor.NewServer(engine, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{Readiness: scripted{}}})
	must(t, err)
	for range count {
		s := newStream()
		must(t, server.AttachForTest(streamConn{stream: s}, &receive{f: echo}))
		streams = append(streams, s)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // nobody answers our close frames
		_ = server.Shutdown(ctx)
		must(t, server.Shutdown(context.Background()))
	})
	return server, streams
}

func TestConnectionsAreListedOnceEach(t *testing.T) {
	for _, count := range []int{0, 1, 63, 64, 65, 128, 1000} {
		server, streams := manyConns(t, count)
		seen := make(map[*actor.Conn]bool)
		for c := range server.Connections() {
			if seen[c] || server.Conn(c.ID()) != c {
				t.Fatalf("of %d connections one is listed twice or not known", count)
			}
			seen[c] = true
		}
		if len(seen) != len(streams) {
			t.Errorf("%d of %d connections listed", len(seen), count)
		}
	}
}

// Whatever is done with a connection that is handed out, no lock stands in the
// way, and what was there all the time is listed.
func TestConnectionsMayComeAndGoWhileTheyAreListed(t *testing.T) {
	server, streams := manyConns(t, 500)
	stays := make(map[*actor.Conn]bool)
	for _, s := range streams[:250] {
		stays[s.conn] = true
	}
	next, opened := 250, 0
	for c := range server.Connections() {
		delete(stays, c)
		if next < len(streams) {
			_ = streams[next].conn.Close(1000, "")
			_ = streams[next].Close() // whose end is put down while the list goes on
			next++
		}
		if opened < 500 { // otherwise it might never end
			opened++
			must(t, server.AttachForTest(streamConn{stream: newStream()}, &receive{f: echo}))
		}
	}
	if len(stays) != 0 {
		t.Errorf("%d connections that were there all the time were not listed", len(stays))
	}
	for range server.Connections() {
		break // and the list can be left
	}
	if server.Len() < 500 {
		t.Errorf("%d connections", server.Len())
	}
}

func TestListingTakesNoMemoryForEachConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, _ := manyConns(t, 2000)
		synctest.Wait() // sessions that still open allocate too
		n := testing.AllocsPerRun(10, func() {
			for c := range server.Connections() {
				_ = c
			}
		})
		if n > 2 {
			t.Errorf("%v allocations for 2000 connections", n)
		}
	})
}

func TestInfoTellsWhatAConnectionIs(t *testing.T) {
	busy, release := make(chan struct{}), make(chan struct{})
	var topic actor.Topic
	began := time.Now()
	h := serve(t, func(hs *actor.Handshake) (actor.Receiver, error) {
		hs.SelectSubprotocol("v1")
		return &receive{f: func(s *receive, c *actor.Context) {
			if m, ok := c.Message().(*actor.Message); ok && m.Text() == "work" {
				must(t, s.conn.Subscribe(&topic), s.conn.SendText("waits for the end of the run, or not"))
				close(busy)
				<-release
			}
		}}, nil
	}, actor.ServerConfig{})
	peer, _, err := rawpeer.DialClient(h.addr, "/", map[string][]string{"Sec-Websocket-Protocol": {"v1"}})
	must(t, err)
	defer func() { _ = peer.Shut() }()
	event, err := peer.ReadEvent() // the first ping
	must(t, err, peer.Pong(event.Payload), peer.Text("work"))
	<-busy
	var conn *actor.Conn
	for c := range h.Connections() {
		conn = c
	}
	info := conn.Info()
	if info.ID != conn.ID() || info.RemoteAddr != peer.Conn().LocalAddr().String() || info.Subprotocol != "v1" || info.State != "open" ||
		info.Opened.Before(began.Add(-time.Second)) || info.Opened.After(time.Now()) || info.RoundTrip <= 0 {
		t.Errorf("info is %+v", info)
	}
	if info.Readiness != "epoll" && info.Readiness != "parked" {
		t.Errorf("readiness is %q", info.Readiness)
	}
	if info.Paused || info.Waiting != 0 || info.Topics != 1 {
		t.Errorf("paused %v, %d waiting, %d topics", info.Paused, info.Waiting, info.Topics)
	}
	close(release)
	must(t, conn.Close(1000, ""))
	if state := conn.Info().State; state == "open" {
		t.Errorf("state %q after Close", state)
	}
	must(t, peer.ExpectText("waits for the end of the run, or not"), peer.ExpectClose(1000), peer.Close(1000, ""), peer.Shut())
	<-conn.Done()
	if info := conn.Info(); info.State != "ended" || info.QueuedFrames != 0 || info.QueuedBytes != 0 || info.Topics != 0 {
		t.Errorf("info after the end is %+v", info)
	}
}

func TestInfoCountsWhatWaitsForTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlay(t, actor.ServerConfig{ConnConfig: actor.ConnConfig{InboundMessages: 3}}, "")
		defer p.abandon()
		p.work()
		for range 3 {
			p.text("waits, or is not read")
		}
		p.settle()
		if info := p.conn.Info(); !info.Paused || info.Waiting != 2 {
			t.Errorf("paused %v, %d waiting", info.Paused, info.Waiting)
		}
		p.help()
		if info := p.conn.Info(); info.Paused || info.Waiting != 0 {
			t.Errorf("paused %v, %d waiting", info.Paused, info.Waiting)
		}
		must(t, p.server.Shutdown(context.Background()))
	})
}

func TestInfoCountsWhatWaitsToBeSent(t *testing.T) {
	server, streams := manyConns(t, 1)
	streams[0].block(0)
	conn := streams[0].conn
	for range 3 {
		must(t, conn.SendText("waits"))
	}
	if info := conn.Info(); info.QueuedFrames != 3 || info.QueuedBytes < 3*5 || info.RoundTrip != 0 || server.Len() != 1 {
		t.Errorf("info is %+v", info)
	}
}

func TestOperatorDisconnects(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{})
	peers := []*rawpeer.Peer{h.dial(t), h.dial(t), h.dial(t)}
	for _, peer := range peers {
		must(t, peer.Text("known"), peer.ExpectText("known"))
	}
	byAddr := func(peer *rawpeer.Peer) func(*actor.Conn) bool {
		return func(c *actor.Conn) bool { return c.RemoteAddr().String() == peer.Conn().LocalAddr().String() }
	}
	var violation *wscore.ProtocolError
	if n, err := h.DisconnectAll(nil, 1006, ""); n != 0 || !errors.As(err, &violation) {
		t.Errorf("a code that may not be sent closed %d: %v", n, err)
	}
	if err := h.Disconnect("nobody", 1006, ""); !errors.As(err, &violation) {
		t.Errorf("a code that may not be sent: %v", err)
	}
	if err := h.Disconnect("nobody", 1000, ""); err != actor.ErrNoConnection {
		t.Errorf("nobody was disconnected: %v", err)
	}
	for c := range h.Connections() {
		if byAddr(peers[0])(c) {
			must(t, h.Disconnect(c.ID(), 1008, "banned"))
			if err := c.Disconnect(1008, "banned"); err != split.ErrClosed {
				t.Errorf("disconnected twice: %v", err)
			}
		}
	}
	n, err := h.DisconnectAll(byAddr(peers[1]), 4000, "you")
	if n != 1 || err != nil {
		t.Errorf("disconnected %d: %v", n, err)
	}
	must(t, peers[0].ExpectClose(1008), peers[1].ExpectClose(4000), peers[2].Text("unharmed"), peers[2].ExpectText("unharmed"))
	if n, err := h.DisconnectAll(nil, 1001, "all"); n != 1 || err != nil {
		t.Errorf("disconnected %d: %v", n, err)
	}
	must(t, peers[2].ExpectClose(1001))
	for _, peer := range peers {
		must(t, peer.Close(1000, ""), peer.Shut())
	}
	closed := h.observer.waitClosed(t, 3)
	if slices.ContainsFunc(closed, func(c actor.Closed) bool { return c.Cause != actor.CauseAdmin || c.Initiator != actor.Local }) {
		t.Errorf("closed with %+v", closed)
	}
}
