//go:build !race

package actor_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
)

// What a message allocates on its way from one socket through reader, session
// and writer to another, counted over the whole process: the client sends
// frames that were made before, and reads into a fixed buffer. The race
// detector makes pools forget at random, so it is not for it.

// What may be left: nearlyNothing is for the garbage collector, which empties
// pools, and for goroutines that are started while the machine is busy.
const nearlyNothing = 0.02

// allocServer serves one test after the other, not in parallel: what others
// allocate would count.
func allocServer(t *testing.T, readiness split.Readiness, newSession actor.NewSession) (server *actor.Server, addr string) {
	t.Helper()
	engine, err := actor.NewEngine()
	must(t, err)
	server, err = actor.NewServer(engine, newSession, actor.ServerConfig{ConnConfig: actor.ConnConfig{Readiness: readiness, PingInterval: time.Hour}})
	must(t, err)
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		defer web.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		must(t, server.Shutdown(ctx))
	})
	return server, strings.TrimPrefix(web.URL, "http://")
}

// allocPeers are clients that have their only ping behind them.
func allocPeers(t *testing.T, addr string, count int) (conns []net.Conn) {
	t.Helper()
	var peers []*rawpeer.Peer
	for range count {
		conn := dialTCP(t, addr)
		peer, _, err := rawpeer.OpenClient(conn, addr, "/", nil)
		must(t, err)
		conns, peers = append(conns, conn), append(peers, peer)
	}
	for _, peer := range peers {
		event, err := peer.ReadEvent()
		must(t, err, peer.Pong(event.Payload), peer.Conn().SetDeadline(time.Now().Add(time.Minute)))
	}
	return conns
}

// allocations returns how many allocations a run makes on average.
func allocations(runs int, run func()) float64 {
	for range runs / 10 {
		run() // fills pools and grows stacks
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		run()
	}
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / float64(runs)
}

var readinesses = map[string]split.Readiness{"default": split.NewReadiness(), "parked": split.NewParked()}

// exchange sends the frames and reads as many bytes as the answers have.
func exchange(t *testing.T, conn net.Conn, frames, answers []byte) {
	if _, err := conn.Write(frames); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, answers); err != nil {
		t.Fatal(err)
	}
}

func TestAllocationsOfAnEcho(t *testing.T) {
	for name, readiness := range readinesses {
		for _, inFlight := range []int{1, 16} {
			t.Run(fmt.Sprintf("%s, %d in flight", name, inFlight), func(t *testing.T) {
				_, addr := allocServer(t, readiness, sessions(echo))
				conn := allocPeers(t, addr, 1)[0]
				frame := rawpeer.AppendFrame(nil, rawpeer.Frame{Fin: true, Opcode: rawpeer.OpBinary, Masked: true, Key: [4]byte{1, 2, 3, 4}, Payload: make([]byte, 100)})
				frames, answers := bytes.Repeat(frame, inFlight), make([]byte, inFlight*(2+100))
				each := allocations(10_000/inFlight, func() { exchange(t, conn, frames, answers) }) / float64(inFlight)
				t.Logf("%.4f allocations an echo", each)
				if each > nearlyNothing {
					t.Errorf("%.4f allocations an echo, at most %v are allowed", each, nearlyNothing)
				}
			})
		}
	}
}

func TestAllocationsOfABroadcast(t *testing.T) {
	const subscribers = 100
	for name, readiness := range readinesses {
		t.Run(name, func(t *testing.T) {
			var topic actor.Topic
			server, addr := allocServer(t, readiness, sessions(func(s *receive, c *actor.Context) {
				if opened, ok := c.Message().(actor.Opened); ok {
					_ = opened.Conn.Subscribe(&topic)
				}
			}))
			conns := allocPeers(t, addr, subscribers)
			text := strings.Repeat("x", 100)
			answer := make([]byte, 2+len(text))
			each := allocations(500, func() {
				if n := topic.Publish(server.Text(text)); n != subscribers {
					t.Fatalf("%d took the message", n)
				}
				for _, conn := range conns {
					if _, err := io.ReadFull(conn, answer); err != nil {
						t.Fatal(err)
					}
				}
			}) / subscribers
			t.Logf("%.4f allocations a delivery", each)
			if each > nearlyNothing {
				t.Errorf("%.4f allocations a delivery, at most %v are allowed", each, nearlyNothing)
			}
		})
	}
}

func TestAllocationsOfAPong(t *testing.T) {
	for name, readiness := range readinesses {
		t.Run(name, func(t *testing.T) {
			_, addr := allocServer(t, readiness, sessions(echo))
			conn := allocPeers(t, addr, 1)[0]
			frame := rawpeer.AppendFrame(nil, rawpeer.Frame{Fin: true, Opcode: rawpeer.OpPing, Masked: true, Payload: make([]byte, 8)})
			answer := make([]byte, 2+8)
			each := allocations(5_000, func() { exchange(t, conn, frame, answer) })
			t.Logf("%.4f allocations a pong", each)
			if each > nearlyNothing {
				t.Errorf("%.4f allocations a pong, at most %v are allowed", each, nearlyNothing)
			}
		})
	}
}

// What a hub adds to a topic: nothing without a broker, and with one the copy
// that the broker makes.
func TestAllocationsOfPublishingToAHub(t *testing.T) {
	engine, err := actor.NewEngine()
	must(t, err)
	for _, test := range []struct {
		name   string
		broker actor.Broker
		most   float64
	}{{"no broker", nil, nearlyNothing}, {"a broker that takes it", nothingBroker{}, nearlyNothing}} {
		t.Run(test.name, func(t *testing.T) {
			hub, err := actor.NewHub(engine, test.broker, actor.HubConfig{})
			must(t, err)
			defer hub.Close()
			payload := make([]byte, 128)
			if n := allocations(1000, func() {
				if _, err := hub.Publish("room.7", hub.Binary(payload)); err != nil {
					t.Fatal(err)
				}
			}); n > test.most {
				t.Errorf("%.2f allocations a message", n)
			}
		})
	}
}

// nothingBroker publishes to nobody.
type nothingBroker struct{}

func (nothingBroker) Publish(string, []byte) error                          { return nil }
func (nothingBroker) Subscribe(string, actor.BrokerHandler) (func(), error) { return func() {}, nil }
func (nothingBroker) Watch(func(actor.BrokerState)) (cancel func())         { return func() {} }
