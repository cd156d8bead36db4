package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/natsbroker/embedded"
	chatclient "github.com/tandem-ws/tandem/examples/chat/client"
	"github.com/tandem-ws/tandem/split"
)

// natsVariable makes the test program be a NATS server, with these settings.
const natsVariable = "TANDEM_CHAT_TEST_NATS"

// natsSettings are those of a node of a NATS cluster.
type natsSettings struct {
	Name, Listen, StoreDir, ClusterListen string
	Routes                                []string
}

// beNATS runs a node of a NATS cluster until it is killed.
func beNATS(settings string) {
	var s natsSettings
	err := json.Unmarshal([]byte(settings), &s)
	if err == nil {
		_, err = embedded.Start(embedded.Config{
			Name: s.Name, Listen: s.Listen, StoreDir: s.StoreDir, Logger: newLogger(os.Stderr, zap.WarnLevel),
			Cluster: &embedded.Cluster{Listen: s.ClusterListen, Routes: s.Routes},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
	select {}
}

// freeAddresses returns addresses of this machine that nobody listens on.
func freeAddresses(t *testing.T, count int) (list []string) {
	t.Helper()
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = listener.Close() }() // only when all are chosen
		list = append(list, listener.Addr().String())
	}
	return list
}

// startNATS starts a cluster of processes, and returns them and their URLs.
func startNATS(t *testing.T, count int) (processes []*os.Process, urls []string) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addresses := freeAddresses(t, 2*count)
	clients, nodes := addresses[:count], addresses[count:]
	var routes []string
	for _, node := range nodes {
		routes = append(routes, "nats://"+node)
	}
	for i := range count {
		settings, err := json.Marshal(natsSettings{
			Name: fmt.Sprint("nats-", i), Listen: clients[i], StoreDir: t.TempDir(), ClusterListen: nodes[i], Routes: routes,
		})
		if err != nil {
			t.Fatal(err)
		}
		command := exec.Command(executable)
		command.Env = append(os.Environ(), natsVariable+"="+string(settings))
		log := newLineWriter()
		command.Stderr = log
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = command.Process.Kill() // it may be gone
			_ = command.Wait()         // that it was killed is known
			if t.Failed() {
				t.Logf("nats-%d says:\n%s", i, log)
			}
		})
		processes, urls = append(processes, command.Process), append(urls, "nats://"+clients[i])
	}
	return processes, urls
}

// crowdMember is a client that keeps what it is told.
type crowdMember struct {
	*chatclient.Client
	room string

	mu       sync.Mutex
	heard    []chatclient.Message
	stored   map[string]uint64
	joins    int
	waiting  int
	problems []string
	last     any       // what it was told last
	left     time.Time // when it lost its room; zero in it
	away     []time.Duration
}

func (m *crowdMember) take(event any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = event
	switch e := event.(type) {
	case chatclient.Joined:
		m.joins++
		if !m.left.IsZero() {
			m.away = append(m.away, time.Since(m.left))
			m.left = time.Time{}
		}
	case chatclient.State:
		if !e.Connected && m.left.IsZero() && m.joins > 0 {
			m.left = time.Now()
		}
	case chatclient.Message:
		m.heard = append(m.heard, e)
	case chatclient.Stored:
		m.stored[e.ID] = e.Seq
		m.waiting--
	case chatclient.Failed:
		m.waiting--
		m.problems = append(m.problems, fmt.Sprintf("%+v", e))
	case chatclient.Gap:
		m.problems = append(m.problems, "a gap")
	}
}

func (m *crowdMember) look(f func()) { m.mu.Lock(); defer m.mu.Unlock(); f() }

// crowd is many clients in some rooms.
type crowd struct {
	t       *testing.T
	members []*crowdMember
	rooms   int
}

// crowdPatience bounds a wait of a crowd; all of a test has less than a minute.
const crowdPatience = 40 * time.Second

func newCrowd(t *testing.T, clients, rooms int, urls []string) *crowd {
	t.Helper()
	engine, err := actor.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	c := &crowd{t: t, rooms: rooms}
	t.Cleanup(func() {
		var closing sync.WaitGroup
		for _, m := range c.members {
			closing.Go(m.Close)
		}
		closing.Wait()
	})
	poller := split.NewReadiness()
	for i := range clients {
		m := &crowdMember{room: fmt.Sprint("room-", i%rooms), stored: make(map[string]uint64)}
		at := i / rooms % len(urls)
		m.Client, err = chatclient.New(engine, chatclient.Config{
			URLs: append(slices.Clone(urls[at:]), urls[:at]...), Room: m.room, Nick: fmt.Sprint("member ", i), Events: m.take,
			MaxBackoff: time.Second, Conn: actor.ConnConfig{Readiness: poller},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.members = append(c.members, m)
	}
	c.until("everybody to be in", func(m *crowdMember) bool { return m.joins > 0 })
	return c
}

// until waits until something holds for all.
func (c *crowd) until(what string, holds func(*crowdMember) bool) {
	c.t.Helper()
	for limit := time.Now().Add(crowdPatience); ; time.Sleep(50 * time.Millisecond) {
		missing := 0
		for _, m := range c.members {
			m.look(func() {
				if !holds(m) {
					missing++
				}
			})
		}
		if missing == 0 {
			return
		}
		if time.Now().After(limit) {
			for i, m := range c.members {
				m.look(func() {
					if !holds(m) {
						c.t.Errorf("client %d was told last %#v, heard %d, waits for %d; it has ended with %v", i, m.last, len(m.heard), m.waiting, m.Err())
					}
				})
			}
			c.t.Fatalf("waited in vain for %s: %d of %d are missing", what, missing, len(c.members))
		}
	}
}

// talk lets everybody say something now and then; meanwhile things happen, one
// after the other, at equal distances.
func (c *crowd) talk(each int, pause time.Duration, happens ...func()) {
	var talking sync.WaitGroup
	for i, m := range c.members {
		talking.Go(func() {
			for n := range each {
				time.Sleep(time.Duration(rand.Int64N(int64(2 * pause))))
				m.look(func() { m.waiting++ })
				if _, err := m.Say(fmt.Sprintf("%d of %d", n, i)); err != nil {
					c.t.Errorf("client %d: %v", i, err)
				}
			}
		})
	}
	for _, f := range happens {
		time.Sleep(time.Duration(each) * pause / time.Duration(len(happens)+1))
		f()
	}
	talking.Wait()
}

// judge waits until all is told, and compares what everybody has heard.
func (c *crowd) judge() {
	c.t.Helper()
	c.until("everything to be stored", func(m *crowdMember) bool { return m.waiting == 0 })
	last := make(map[string]uint64)
	for _, m := range c.members {
		m.look(func() {
			for _, seq := range m.stored {
				last[m.room] = max(last[m.room], seq)
			}
		})
	}
	c.until("everybody to hear the last message", func(m *crowdMember) bool {
		return len(m.heard) > 0 && m.heard[len(m.heard)-1].Seq >= last[m.room]
	})
	same := make(map[string]*crowdMember)
	total := 0
	for i, m := range c.members {
		for _, problem := range m.problems {
			c.t.Errorf("client %d: %s", i, problem)
		}
		if same[m.room] == nil {
			same[m.room] = m
			total += len(m.heard)
		}
		if !slices.Equal(m.heard, same[m.room].heard) {
			c.t.Errorf("%s: client %d heard %d messages, another one %d, or others", m.room, i, len(m.heard), len(same[m.room].heard))
		}
	}
	times := make(map[string]int)
	seqs := make(map[string]uint64)
	for _, m := range same {
		for _, heard := range m.heard {
			times[heard.ID]++
			seqs[heard.ID] = heard.Seq
		}
	}
	acknowledged := 0
	for i, m := range c.members {
		for id, seq := range m.stored {
			acknowledged++
			if times[id] != 1 || seqs[id] != seq {
				c.t.Errorf("client %d: a message that was stored as %d was heard %d times, as %d", i, seq, times[id], seqs[id])
			}
		}
	}
	if total != acknowledged {
		c.t.Errorf("%d messages were heard, %d acknowledged", total, acknowledged)
	}
	c.t.Logf("%d clients in %d rooms: %d messages, each heard once by all of its room, in one order", len(c.members), len(same), total)
}

func socketURL(p *program) string { return "ws" + strings.TrimPrefix(p.url, "http") + "ws" }

func TestKilledChatAndNATSNodesLoseNothing(t *testing.T) {
	began := time.Now()
	servers, natsURLs := startNATS(t, 3)
	var urls []string
	var chats []*os.Process
	for i := range 3 {
		nats := strings.Join(append(slices.Clone(natsURLs[i:]), natsURLs[:i]...), ",")
		p, process, _ := startChild(t, "-nats", nats, "-replicas", "3", "-log-level", "info")
		urls, chats = append(urls, socketURL(p)), append(chats, process)
	}
	t.Logf("three of each are up after %v", time.Since(began))
	c := newCrowd(t, 300, 6, urls)
	t.Logf("everybody is in after %v", time.Since(began))
	kill := func(p *os.Process) func() {
		return func() {
			if err := p.Kill(); err != nil {
				t.Error(err)
			}
		}
	}
	server := rand.IntN(len(servers)) // with some luck it leads one of the streams
	t.Logf("NATS node %d is going to be killed", server)
	c.talk(4, 2*time.Second, kill(chats[0]), kill(servers[server]))
	t.Logf("all is said after %v", time.Since(began))
	c.judge()
	t.Logf("took %v", time.Since(began))
}

func TestKilledChatWithItsOwnNATSLosesNothing(t *testing.T) {
	began := time.Now()
	address, data := freeAddresses(t, 1)[0], t.TempDir()
	start := func() (*program, *os.Process, <-chan int) {
		return startChild(t, "-addr", address, "-data", data, "-log-level", "info")
	}
	p, process, ended := start()
	c := newCrowd(t, 100, 4, []string{socketURL(p)})
	c.talk(5, time.Second, func() {
		if err := process.Kill(); err != nil {
			t.Error(err)
		}
		<-ended
		p, _, _ = start()
	})
	c.judge()
	if all, some := p.metric("tandem_recoveries_total", `result="complete"`), p.metric("tandem_recoveries_total", `result="incomplete"`); all < 100 || some > 0 {
		t.Errorf("%v clients recovered everything, and %v not", all, some)
	}
	t.Logf("took %v", time.Since(began))
}
