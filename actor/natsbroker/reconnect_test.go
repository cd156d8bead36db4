package natsbroker_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/natsbroker"
	"github.com/tandem-ws/tandem/actor/natsbroker/embedded"
)

// restart starts a server where another one was.
func restart(t *testing.T, server *embedded.Server) *embedded.Server {
	t.Helper()
	at, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	return start(t, embedded.Config{Listen: at.Host})
}

func TestLossOfTheConnectionIsMissedAndWatched(t *testing.T) {
	noLeaks(t)
	server := start(t, embedded.Config{Listen: "127.0.0.1:0"})
	from, to := connect(t, natsbroker.Config{URLs: []string{server.URL()}}), connect(t, natsbroker.Config{URLs: []string{server.URL()}})
	got, silent := subscribe(t, to, "room"), subscribe(t, to, "silent")
	told, toldFrom := watch(t, to), watch(t, from)
	if err := from.Publish("room", []byte("before")); err != nil {
		t.Fatal(err)
	}
	got.until(t, "what came before", contains("before"))
	restart(t, server)
	told.expect(t, false)
	toldFrom.expect(t, false)
	told.expect(t, true)
	toldFrom.expect(t, true)
	silent.until(t, "the gap where nothing follows", func(list [][]byte) bool { return len(list) == 1 && list[0] == nil })
	if err := from.Publish("room", []byte("after")); err != nil {
		t.Fatal(err)
	}
	list := got.until(t, "what came after", contains("after"))
	if !isNil(list[1]) {
		t.Errorf("nothing was missed between %q", list)
	}
	if n := to.Stats().Reconnects; n != 1 {
		t.Errorf("%d reconnects are counted", n)
	}
}

// What is published without a connection waits, within its bound, and leaves in
// order once there is one again.
func TestWhatIsPublishedWithoutConnectionWaits(t *testing.T) {
	noLeaks(t)
	server := start(t, embedded.Config{Listen: "127.0.0.1:0"})
	from := connect(t, natsbroker.Config{URLs: []string{server.URL()}, QueuedBytes: 4 << 10})
	told := watch(t, from)
	at, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	server.Close()
	told.expect(t, false)
	taken := 0
	for err = error(nil); err == nil; taken++ {
		err = from.Publish("room", fmt.Append(nil, taken))
	}
	taken--
	if !errors.Is(err, actor.ErrBrokerFull) || taken < 40 || taken > 80 {
		t.Errorf("%d were taken, then %v", taken, err)
	}
	server = start(t, embedded.Config{Listen: "127.0.0.1:0"})
	to := connect(t, natsbroker.Config{InProcess: server})
	got := subscribe(t, to, "room")
	// Where the first server was now is a way to the second one.
	forward(t, at.Host, server.URL())
	for i, payload := range got.until(t, "what waited", func(list [][]byte) bool { return len(list) == taken }) {
		if string(payload) != fmt.Sprint(i) {
			t.Errorf("message %d is %q", i, payload)
		}
	}
}

// forward takes connections at an address and hands their bytes to a server.
func forward(t *testing.T, at, serverURL string) {
	t.Helper()
	listener, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	target := strings.TrimPrefix(serverURL, "nats://")
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				_ = in.Close()
				continue
			}
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1]) // ends with either end
					_, _ = in.Close(), out.Close()
				}()
			}
		}
	}()
}

// Publish does not wait for a server that takes nothing, and neither does Close.
func TestStuckServerHoldsUpNobody(t *testing.T) {
	noLeaks(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	stuck := make(chan struct{})
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, `INFO {"server_id":"x","version":"2.10.0","proto":1,"max_payload":1048576}`+"\r\n")
		lines := bufio.NewScanner(conn)
		for lines.Scan() && lines.Text() != "PING" {
		}
		_, _ = io.WriteString(conn, "PONG\r\n")
		<-stuck
	}()
	b := connect(t, natsbroker.Config{URLs: []string{"nats://" + listener.Addr().String()}, QueuedBytes: 1 << 20})
	began, longest, payload := time.Now(), time.Duration(0), make([]byte, 64<<10)
	for err = nil; err == nil && time.Since(began) < patience; {
		published := time.Now()
		err = b.Publish("room", payload)
		longest = max(longest, time.Since(published))
		if errors.Is(err, actor.ErrBrokerFull) && b.Stats().Queued < 1<<20-128<<10 {
			err = nil // it has gone on meanwhile
		}
	}
	if !errors.Is(err, actor.ErrBrokerFull) || longest > 5*time.Second {
		t.Errorf("publishing took up to %v and ended with %v", longest, err)
	}
	began = time.Now()
	b.Close()
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the close took %v", took)
	}
	close(stuck)
}

func TestSubscribeWaitsForAConnection(t *testing.T) {
	noLeaks(t)
	server := start(t, embedded.Config{Listen: "127.0.0.1:0"})
	b := connect(t, natsbroker.Config{URLs: []string{server.URL()}, SubscribeTimeout: 300 * time.Millisecond})
	patient := connect(t, natsbroker.Config{URLs: []string{server.URL()}, SubscribeTimeout: patience})
	at, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	told, toldPatient := watch(t, b), watch(t, patient)
	server.Close()
	told.expect(t, false)
	toldPatient.expect(t, false)
	if _, err := b.Subscribe("room", newCalls()); err == nil {
		t.Error("it subscribed without a server")
	}
	subscribed := make(chan error, 1)
	got := newCalls()
	go func() {
		_, err := patient.Subscribe("room", got)
		subscribed <- err
	}()
	start(t, embedded.Config{Listen: at.Host})
	if err := <-subscribed; err != nil {
		t.Fatal(err)
	}
	told.expect(t, true)
	if err := b.Publish("room", []byte("x")); err != nil {
		t.Fatal(err)
	}
	got.until(t, "what followed Subscribe", contains("x"))
}

// cluster starts three servers that know each other.
func cluster(t *testing.T) []*embedded.Server {
	t.Helper()
	var servers []*embedded.Server
	var routes []string
	for range 3 {
		server := start(t, embedded.Config{Cluster: &embedded.Cluster{Listen: "127.0.0.1:0", Routes: routes}})
		servers, routes = append(servers, server), append(routes, server.ClusterURL())
	}
	for _, server := range servers {
		for limit := time.Now().Add(patience); server.Routes() < 2; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatalf("the cluster does not form: a node has %d routes", server.Routes())
			}
		}
	}
	return servers
}

func TestClusterKeepsTheOrderAndAKilledNodeShows(t *testing.T) {
	noLeaks(t)
	servers := cluster(t)
	var nodes []*natsbroker.Broker
	var rooms []*calls
	for _, server := range servers {
		b := connect(t, natsbroker.Config{URLs: []string{server.URL()}})
		nodes, rooms = append(nodes, b), append(rooms, subscribe(t, b, "room"))
	}
	// A message from each says that all servers know of all subscriptions.
	for i, b := range nodes {
		for limit := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			if err := b.Publish("room", fmt.Append(nil, "hello ", i)); err != nil || time.Now().After(limit) {
				t.Fatal(err, "or nobody answers")
			}
			heard := 0
			for _, room := range rooms {
				room.mu.Lock()
				if contains(fmt.Sprint("hello ", i))(room.list) {
					heard++
				}
				room.mu.Unlock()
			}
			if heard == len(nodes)-1 {
				break
			}
		}
	}
	const count = 5000
	for i := range count {
		if err := nodes[0].Publish("room", fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	for at, room := range rooms[1:] {
		list := room.until(t, "all messages", contains(fmt.Sprint(count-1)))
		list = slices.DeleteFunc(slices.Clone(list), func(got []byte) bool { return strings.HasPrefix(string(got), "hello") })
		for i, got := range list {
			if string(got) != fmt.Sprint(i) {
				t.Fatalf("node %d: message %d is %q", at+1, i, got)
			}
		}
	}

	told := watch(t, nodes[1])
	servers[1].Close()
	told.expect(t, false)
	told.expect(t, true) // at another node, which it knows from the cluster
	rooms[1].until(t, "the gap", func(list [][]byte) bool { return isNil(list[len(list)-1]) })
	if err := nodes[0].Publish("room", []byte("after")); err != nil {
		t.Fatal(err)
	}
	for at, room := range rooms[1:] {
		list := room.until(t, "what came after", contains("after"))
		if missed := slices.ContainsFunc(list, isNil); missed != (at == 0) {
			t.Errorf("node %d: missed is %v", at+1, missed)
		}
	}
}

// A hub on each node of a cluster: the kit's own messages, across servers.
func TestHubsOfAClusterKnowEachOther(t *testing.T) {
	noLeaks(t)
	servers := cluster(t)
	var hubs []*actor.Hub
	var watchers []chan actor.PresenceChange
	for _, server := range servers {
		engine, err := actor.NewEngine()
		if err != nil {
			t.Fatal(err)
		}
		hub, err := actor.NewHub(engine, connect(t, natsbroker.Config{InProcess: server}), actor.HubConfig{PresenceInterval: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(hub.Close)
		changes := make(chan actor.PresenceChange, 100)
		pid := engine.SpawnFunc(func(c *actor.Context) {
			if change, ok := c.Message().(actor.PresenceChange); ok {
				changes <- change
			}
		}, "watcher")
		t.Cleanup(func() { <-engine.Poison(pid).Done() })
		if err := hub.Watch("room", pid); err != nil {
			t.Fatal(err)
		}
		hubs, watchers = append(hubs, hub), append(watchers, changes)
	}
	for i, hub := range hubs {
		if err := hub.JoinAs("room", actor.Member{ID: fmt.Sprint("member ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	for i, changes := range watchers {
		for count := 0; count != len(hubs); {
			select {
			case change := <-changes:
				count = change.Count
			case <-time.After(patience):
				t.Fatalf("node %d knows of %d", i, count)
			}
		}
	}
}
