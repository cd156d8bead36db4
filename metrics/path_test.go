package metrics_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/metrics"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// framePath are the methods that are called for every frame or more often.
var framePath = []struct {
	name string
	call func(*metrics.Collector)
}{
	{"FrameRead", func(c *metrics.Collector) { c.FrameRead(wscore.OpText, 128) }},
	{"FrameWritten", func(c *metrics.Collector) { c.FrameWritten(wscore.OpBinary, 128) }},
	{"MessageRead", func(c *metrics.Collector) { c.MessageRead(128, 0) }},
	{"MessageWritten", func(c *metrics.Collector) { c.MessageWritten(1000, 300) }},
	{"BatchWritten", func(c *metrics.Collector) { c.BatchWritten(1) }},
	{"MailboxWaited", func(c *metrics.Collector) { c.MailboxWaited(40 * time.Microsecond) }},
	{"MailboxCrowded", func(c *metrics.Collector) { c.MailboxCrowded(1) }},
	{"SessionHandled", func(c *metrics.Collector) { c.SessionHandled(4 * time.Microsecond) }},
	{"Published", func(c *metrics.Collector) { c.Published(100, 100) }},
	{"MailboxChanged", func(c *metrics.Collector) { c.MailboxChanged(1, 128) }},
	{"FramesDropped", func(c *metrics.Collector) { c.FramesDropped(split.DropFull, 1) }},
	{"BufferAcquired", func(c *metrics.Collector) { c.BufferAcquired(256) }},
	{"BufferReleased", func(c *metrics.Collector) { c.BufferReleased(256) }},
	{"BrokerPublished", func(c *metrics.Collector) { c.BrokerPublished(128) }},
	{"BrokerReceived", func(c *metrics.Collector) { c.BrokerReceived(128) }},
}

// connectionPath are the methods of rarer events.
var connectionPath = []struct {
	name string
	call func(*metrics.Collector)
}{
	{"ConnectionOpened", func(c *metrics.Collector) { c.ConnectionOpened("epoll") }},
	{"ConnectionClosed", func(c *metrics.Collector) {
		c.ConnectionClosed(actor.Closed{Code: wscore.CloseGoingAway, Initiator: actor.Local, Cause: actor.CauseDrain}, time.Minute)
	}},
	{"HandshakeRefused", func(c *metrics.Collector) { c.HandshakeRefused("origin") }},
	{"AcceptFailed", func(c *metrics.Collector) { c.AcceptFailed(nil) }},
	{"PingRoundTrip", func(c *metrics.Collector) { c.PingRoundTrip(40 * time.Millisecond) }},
	{"MessageUnhandled", func(c *metrics.Collector) { c.MessageUnhandled() }},
	{"MessageRefused", func(c *metrics.Collector) { c.MessageRefused() }},
}

func TestFramePathAllocatesNothing(t *testing.T) {
	c, _ := newCollector(t)
	for _, method := range framePath {
		if n := testing.AllocsPerRun(1000, func() { method.call(c) }); n != 0 {
			t.Errorf("%s: %v allocations a call", method.name, n)
		}
	}
	for opcode := wscore.OpContinuation; opcode <= wscore.OpPong; opcode++ {
		if opcode.IsReserved() {
			continue
		}
		if n := testing.AllocsPerRun(1000, func() { c.FrameRead(opcode, 1); c.FrameWritten(opcode, 1) }); n != 0 {
			t.Errorf("opcode %v: %v allocations a call", opcode, n)
		}
	}
}

func TestConcurrentEventsAreAllCounted(t *testing.T) {
	const goroutines, rounds = 8, 500
	c, registry := newCollector(t)
	var group sync.WaitGroup
	for range goroutines {
		group.Go(func() {
			for range rounds {
				c.ConnectionOpened("epoll")
				c.FrameRead(wscore.OpText, 3)
				c.FrameWritten(wscore.OpText, 5)
				c.MailboxChanged(2, 20)
				c.MailboxChanged(-1, -10)
				c.FramesDropped(split.DropFull, 1)
				c.BufferAcquired(1 << 10)
				c.BufferAcquired(0)
				c.BufferReleased(1 << 10)
				c.HandshakeRefused("origin")
				c.HandshakeRefused("unheard of")
				c.PingRoundTrip(time.Millisecond)
				c.Panicked("session")
				c.MessageRefused()
				c.ConnectionClosing()
				c.MessageRead(70, 0)
				c.ConnectionClosed(actor.Closed{Code: 4000, Initiator: actor.Local, Cause: actor.CauseUser}, time.Second)
			}
		})
	}
	group.Go(func() {
		for range 20 {
			if _, err := registry.Gather(); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()

	total := func(perRound int) string { return fmt.Sprint(goroutines * rounds * perRound) }
	wantSamples(t, registry, map[string]string{
		`tandem_connections{state="open"}`:                                            "0",
		`tandem_connections{state="closing"}`:                                         "0",
		`tandem_message_bytes_count{direction="in"}`:                                  total(1),
		`tandem_message_bytes_sum{direction="in"}`:                                    total(70),
		`tandem_connections_opened_total{readiness="epoll"}`:                          total(1),
		`tandem_connections_closed_total{cause="user",code="4xxx",initiator="local"}`: total(1),
		`tandem_connection_lifetime_seconds_count`:                                    total(1),
		`tandem_frames_total{direction="in",opcode="text"}`:                           total(1),
		`tandem_frame_payload_bytes_total{direction="in",opcode="text"}`:              total(3),
		`tandem_frame_payload_bytes_total{direction="out",opcode="text"}`:             total(5),
		`tandem_mailbox_frames`:                                                       total(1),
		`tandem_mailbox_bytes`:                                                        total(10),
		`tandem_frames_dropped_total{reason="full"}`:                                  total(1),
		`tandem_buffers_in_use{class_bytes="1024"}`:                                   "0",
		`tandem_buffers_in_use{class_bytes="larger"}`:                                 total(1),
		`tandem_handshakes_refused_total{reason="other"}`:                             total(1),
		`tandem_ping_round_trip_seconds_count`:                                        total(1),
		`tandem_panics_total{part="session"}`:                                         total(1),
		`tandem_messages_refused_total`:                                               total(1),
	})
}

func BenchmarkFramePath(b *testing.B) {
	for _, method := range framePath {
		c, _ := newCollector(b)
		b.Run(method.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				method.call(c)
			}
		})
		b.Run(method.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					method.call(c)
				}
			})
		})
	}
}

func BenchmarkConnectionPath(b *testing.B) {
	for _, method := range connectionPath {
		c, _ := newCollector(b)
		b.Run(method.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				method.call(c)
			}
		})
	}
}

// BenchmarkGather is the cost of one scrape without its network.
func BenchmarkGather(b *testing.B) {
	_, registry := newCollector(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := registry.Gather(); err != nil {
			b.Fatal(err)
		}
	}
}
