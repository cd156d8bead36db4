package observability

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/metrics"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// trouble is a service that goes wrong in every way when it is told to.
type trouble struct {
	t         *testing.T
	engine    *actor.Engine
	collector *metrics.Collector
	registry  *prometheus.Registry
	metrics   string // its address
	second    atomic.Bool
	later     string // the address of a pod that is not there until second is set

	main     string // a server's address: pings each 100 ms, compression, topics
	dropping string // one whose mailbox drops what is new
	strict   string // one that closes slow consumers
	limited  string // one that takes 10 messages a second
	topic    actor.Topic
	broker   *brokenBroker
	hub      *actor.Hub // which the main server's sessions subscribe at
	other    *actor.Hub // which is published at
}

func newTrouble(t *testing.T) *trouble {
	t.Helper()
	engine, err := actor.NewEngine()
	must(t, err)
	tr := &trouble{t: t, engine: engine, registry: prometheus.NewRegistry(), broker: &brokenBroker{}}
	tr.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	tr.collector, err = metrics.New(metrics.Config{Registerer: tr.registry})
	must(t, err)
	tr.metrics = tr.expose(tr.registry, nil)
	other := prometheus.NewRegistry()
	_, err = metrics.New(metrics.Config{Registerer: other})
	must(t, err)
	tr.later = tr.expose(other, &tr.second)

	tr.hub, err = actor.NewHub(engine, tr.broker, actor.HubConfig{Observer: tr.collector, PingInterval: 100 * time.Millisecond, PingTimeout: 500 * time.Millisecond})
	must(t, err)
	t.Cleanup(tr.hub.Close)
	tr.other, err = actor.NewHub(engine, tr.broker, actor.HubConfig{Observer: tr.collector, PingInterval: 100 * time.Millisecond, PingTimeout: 500 * time.Millisecond})
	must(t, err)
	t.Cleanup(tr.other.Close)

	small := split.MailboxConfig{MaxFrames: 64, MaxBytes: 256 << 10}
	tr.main = tr.serve(actor.ConnConfig{PingInterval: 100 * time.Millisecond, PingMisses: 1, Deflate: &wscore.DeflateConfig{}})
	tr.strict = tr.serve(actor.ConnConfig{PingInterval: time.Hour, Mailbox: small})
	tr.limited = tr.serve(actor.ConnConfig{PingInterval: time.Hour, InboundRate: actor.RateConfig{Messages: 10}})
	small.Policy = split.DropNewest
	tr.dropping = tr.serve(actor.ConnConfig{PingInterval: time.Hour, Mailbox: small})
	return tr
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// expose serves metrics, once the flag is set if there is one.
func (tr *trouble) expose(registry *prometheus.Registry, present *atomic.Bool) (addr string) {
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if present != nil && !present.Load() {
			http.Error(w, "not here yet", http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	tr.t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// server makes one, with an address.
func (tr *trouble) server(config actor.ConnConfig) (server *actor.Server, addr string) {
	tr.t.Helper()
	config.Observer = tr.collector
	server, err := actor.NewServer(tr.engine, func(h *actor.Handshake) (actor.Receiver, error) {
		if h.Request().URL.Path == "/slow" {
			time.Sleep(300 * time.Millisecond) // a producer that asks somebody
		}
		return &session{trouble: tr}, nil
	}, actor.ServerConfig{ConnConfig: config, MaxConnections: 500})
	must(tr.t, err)
	listener := httptest.NewServer(server)
	tr.t.Cleanup(listener.Close)
	return server, strings.TrimPrefix(listener.URL, "http://")
}

// serve is server with a shutdown at the end.
func (tr *trouble) serve(config actor.ConnConfig) (addr string) {
	tr.t.Helper()
	server, addr := tr.server(config)
	tr.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx) // peers that do not answer are what this is about
	})
	return addr
}

// session does what its peer tells it.
type session struct {
	trouble *trouble
	conn    *actor.Conn
	kept    []*actor.Buffer
}

func (s *session) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
	case actor.Closed:
		for _, b := range s.kept {
			b.Release()
		}
	case *actor.Message:
		if bytes.HasPrefix(m.Bytes(), []byte("keep")) {
			s.kept = append(s.kept, m.Take())
			return
		}
		s.do(c, m.Text())
	}
}

func (s *session) do(c *actor.Context, command string) {
	switch command {
	case "panic":
		panic("as asked")
	case "sleep":
		time.Sleep(50 * time.Millisecond)
	case "subscribe":
		_ = s.conn.Subscribe(&s.trouble.topic)
		_ = s.trouble.hub.Subscribe(s.conn, "topic")
	case "recover":
		s.conn.Recovered(true)
		s.conn.Recovered(false)
	case "publish":
		s.trouble.topic.Publish(s.conn.Text("to all"))
	case "misaddress":
		c.Engine().Send(s.conn.PID(), 42)
	case "burst":
		for range 64 {
			_ = s.conn.SendText("one of many")
		}
	case "flood": // until the mailbox is full
		go func(conn *actor.Conn) {
			text := strings.Repeat("flood ", 1000)
			for range 100_000 {
				if conn.SendText(text) != nil {
					return
				}
			}
		}(s.conn)
	default:
		_ = s.conn.SendText(command)
	}
}

// peer connects and keeps answering until the end, if it is to read.
func (tr *trouble) peer(addr, path string, reads bool, header http.Header) *rawpeer.Peer {
	tr.t.Helper()
	peer, _, err := rawpeer.DialClient(addr, path, header)
	must(tr.t, err)
	peer.Timeout, peer.AllowRSV = patience, 0x40
	tr.t.Cleanup(func() { _ = peer.Shut() })
	if reads {
		go func() {
			for {
				event, err := peer.ReadEvent()
				if err != nil {
					return
				}
				if event.Opcode == rawpeer.OpPing && peer.Pong(event.Payload) != nil {
					return
				}
			}
		}()
	}
	return peer
}

// tell connects, sends, and gives back what ends the connection.
func (tr *trouble) tell(addr string, reads bool, commands ...string) (stop func()) {
	peer := tr.peer(addr, "/", reads, nil)
	for _, command := range commands {
		must(tr.t, peer.Text(command))
	}
	return func() { _ = peer.Shut() }
}

// conditions are what can be provoked. Each gives back what ends it.
var conditions = map[string]func(*trouble) (stop func()){
	"many connect": func(tr *trouble) func() {
		var stops []func()
		for range 40 {
			stops = append(stops, tr.tell(tr.main, true))
		}
		return all(stops)
	},
	"many leave": func(tr *trouble) func() {
		for range 20 {
			tr.tell(tr.main, true)()
		}
		return nothing
	},
	"slow handshakes": func(tr *trouble) func() {
		for range 3 {
			_ = tr.peer(tr.main, "/slow", true, nil).Shut()
		}
		return nothing
	},
	"no handshake": func(tr *trouble) func() {
		for range 20 {
			response, err := http.Get("http://" + tr.main)
			must(tr.t, err)
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
		}
		return nothing
	},
	"failing accepts": func(tr *trouble) func() {
		server, _ := tr.server(actor.ConnConfig{})
		_ = server.Serve(&brokenListener{})
		return nothing
	},
	"failing dials": func(tr *trouble) func() {
		dialer, err := actor.NewDialer(tr.engine, func(*actor.Established) (actor.Receiver, error) { return &session{trouble: tr}, nil }, actor.DialerConfig{
			ConnConfig: actor.ConnConfig{Observer: tr.collector}, Dial: split.DialConfig{URL: "ws://" + freeAddress(tr.t) + "/"},
			MinBackoff: 10 * time.Millisecond, MaxBackoff: 20 * time.Millisecond,
		})
		must(tr.t, err)
		return func() { _ = dialer.Shutdown(context.Background()) }
	},
	"slow pongs": func(tr *trouble) func() {
		var stops []func()
		for range 10 {
			peer := tr.peer(tr.main, "/", false, nil)
			go func() {
				for {
					event, err := peer.ReadEvent()
					if err != nil {
						return
					}
					if event.Opcode == rawpeer.OpPing {
						time.Sleep(70 * time.Millisecond)
						if peer.Pong(event.Payload) != nil {
							return
						}
					}
				}
			}()
			stops = append(stops, func() { _ = peer.Shut() })
		}
		return all(stops)
	},
	"slow reader": func(tr *trouble) func() {
		peer := tr.peer(tr.dropping, "/", false, nil)
		must(tr.t, peer.Text("flood"))
		time.Sleep(500 * time.Millisecond) // which is what is to be measured
		go func() {
			for {
				if _, err := peer.ReadEvent(); err != nil {
					return
				}
			}
		}()
		return func() { _ = peer.Shut() }
	},
	"full mailboxes": func(tr *trouble) func() {
		var stops []func()
		for range 3 {
			stops = append(stops, tr.tell(tr.dropping, false, "flood"))
		}
		return all(stops)
	},
	"slow consumer": func(tr *trouble) func() { return tr.tell(tr.strict, false, "flood") },
	"slow sessions": func(tr *trouble) func() {
		var stops []func()
		for range 5 {
			stops = append(stops, tr.tell(tr.main, true, "sleep", "sleep"))
		}
		return all(stops)
	},
	"silence": func(tr *trouble) func() { return tr.tell(tr.main, false) },
	"vanishing": func(tr *trouble) func() {
		for range 5 {
			_ = tr.peer(tr.main, "/", false, nil).Shut()
		}
		return nothing
	},
	"violation": func(tr *trouble) func() {
		peer := tr.peer(tr.main, "/", true, nil)
		must(tr.t, peer.WriteRaw([]byte{0x81, 1, 'x'})) // not masked
		return func() { _ = peer.Shut() }
	},
	"panic": func(tr *trouble) func() { return tr.tell(tr.main, true, "panic", "nobody hears this") },
	"rate limit": func(tr *trouble) func() {
		return tr.tell(tr.limited, true, strings.Split(strings.Repeat("too much ", 50), " ")[:100]...)
	},
	"misaddressed": func(tr *trouble) func() {
		return tr.tell(tr.main, true, "misaddress", "misaddress")
	},
	"recoveries": func(tr *trouble) func() { return tr.tell(tr.main, true, "recover", "recover") },
	"drain": func(tr *trouble) func() {
		server, addr := tr.server(actor.ConnConfig{PingInterval: time.Hour})
		stop := tr.tell(addr, false)
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		go func() {
			defer cancel()
			_ = server.Shutdown(ctx) // its peer does not answer the close frame
		}()
		return stop
	},
	"talk": func(tr *trouble) func() {
		var stops []func()
		for range 30 {
			stops = append(stops, tr.tell(tr.main, true, "hello", "hello", "hello", "hello", "hello", "hello"))
		}
		return all(stops)
	},
	"large messages": func(tr *trouble) func() {
		return tr.tell(tr.main, true, strings.Repeat("large ", 10_000), strings.Repeat("large ", 10_000))
	},
	"compression": func(tr *trouble) func() {
		peer := tr.peer(tr.main, "/", true, http.Header{"Sec-WebSocket-Extensions": {"permessage-deflate"}})
		must(tr.t, peer.Text(strings.Repeat("again and again ", 100)))
		return func() { _ = peer.Shut() }
	},
	"bursts": func(tr *trouble) func() { return tr.tell(tr.main, true, "burst", "burst", "burst", "burst") },
	"publishing": func(tr *trouble) func() {
		var stops []func()
		for range 10 {
			stops = append(stops, tr.tell(tr.main, true, "subscribe"))
		}
		for range 20 {
			stops = append(stops, tr.tell(tr.main, true, "publish"))
		}
		return all(stops)
	},
	"kept buffers": func(tr *trouble) func() {
		return tr.tell(tr.main, true, strings.Split(strings.Repeat("keep ", 40), " ")[:40]...)
	},
	"a second pod": func(tr *trouble) func() { tr.second.Store(true); return nothing },
	"a busy processor": func(tr *trouble) func() {
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			for ctx.Err() == nil {
			}
		}()
		return cancel
	},
	"memory": func(*trouble) func() {
		held := bytes.Repeat([]byte("held"), 16<<20)
		return func() { held[0]++ }
	},
	"goroutines": func(*trouble) func() {
		ctx, cancel := context.WithCancel(context.Background())
		for range 200 {
			go func() { <-ctx.Done() }()
		}
		return cancel
	},
	"another poller": func(tr *trouble) func() {
		tr.serve(actor.ConnConfig{Readiness: split.NewPoller(1)})
		return nothing
	},
	"nodes talk": func(tr *trouble) func() {
		stop := tr.tell(tr.main, true, "subscribe")
		for range 20 {
			_, err := tr.other.Publish("topic", tr.other.Text("to the other nodes"))
			must(tr.t, err)
		}
		return stop
	},
	"broker refuses": func(tr *trouble) func() {
		tr.broker.full.Store(true)
		_, _ = tr.other.Publish("topic", tr.other.Text("in vain"))
		return func() { tr.broker.full.Store(false) }
	},
	"slow broker": func(tr *trouble) func() {
		tr.broker.slow.Store(true)
		return func() { tr.broker.slow.Store(false) }
	},
	"broker loses": func(tr *trouble) func() {
		stop := tr.tell(tr.main, true, "subscribe")
		tr.broker.lose()
		return stop
	},
}

func nothing() {}

func all(stops []func()) func() {
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// brokenListener is out of descriptors once, and then closed.
type brokenListener struct{ failed atomic.Bool }

func (l *brokenListener) Accept() (net.Conn, error) {
	if l.failed.Swap(true) {
		return nil, net.ErrClosed
	}
	return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
}
func (l *brokenListener) Close() error   { return nil }
func (l *brokenListener) Addr() net.Addr { return &net.TCPAddr{} }

// brokenBroker is a broker that can be full, and can lose what it carries.
type brokenBroker struct {
	actor.LocalBroker
	full atomic.Bool
	slow atomic.Bool

	mu       sync.Mutex
	handlers []actor.BrokerHandler
	watchers []func(actor.BrokerState)
}

func (b *brokenBroker) Publish(subject string, payload []byte) error {
	if b.full.Load() {
		return errors.New("full")
	}
	return b.LocalBroker.Publish(subject, payload)
}

// Ping takes as long as a server that is busy, now and then.
func (b *brokenBroker) Ping(ctx context.Context) error {
	if b.slow.Load() {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (b *brokenBroker) Subscribe(subject string, handler actor.BrokerHandler) (func(), error) {
	b.mu.Lock()
	b.handlers = append(b.handlers, handler)
	b.mu.Unlock()
	return b.LocalBroker.Subscribe(subject, handler)
}

func (b *brokenBroker) Watch(watch func(actor.BrokerState)) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.watchers = append(b.watchers, watch)
	return nothing
}

// lose loses the connection, has it again, and misses what came meanwhile.
func (b *brokenBroker) lose() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, watch := range b.watchers {
		watch(actor.BrokerState{Err: errors.New("lost")})
		watch(actor.BrokerState{Connected: true})
	}
	for _, handler := range b.handlers {
		handler.Missed()
	}
}

// hum keeps a little traffic going, so that quantiles and ratios exist.
func (tr *trouble) hum() {
	peer := tr.peer(tr.main, "/", true, nil)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if peer.Text(fmt.Sprint("hum ", i)) != nil {
				return
			}
		}
	}()
	tr.t.Cleanup(func() {
		cancel()
		<-done
	})
}
