package actor_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// wheelTick is how old the clock may be that the rates go by, and how long
// after its time a pause may end.
const wheelTick = 50 * time.Millisecond

// rated is one connection with limits in a bubble, in memory. Its session
// echoes, and notes when messages come.
type rated struct {
	server   *actor.Server
	observer *recorder
	stream   *stream
	conn     *actor.Conn
	peer     *rawpeer.Peer // encodes frames
	began    time.Time
	mu       sync.Mutex
	times    []time.Duration
}

// came returns when messages came.
func (r *rated) came() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.times)
}

func withRate(t *testing.T, config actor.ConnConfig, test func(r *rated)) {
	synctest.Test(t, func(t *testing.T) {
		engine, err := actor.NewEngine()
		must(t, err)
		r := &rated{observer: newRecorder(), stream: newStream(), peer: rawpeer.New(nil, rawpeer.Client), began: time.Now()}
		config.Readiness, config.Observer = scripted{}, r.observer
		if config.PingInterval == 0 {
			config.PingInterval = time.Hour
		}
		session := &receive{f: func(s *receive, c *actor.Context) {
			if m, ok := c.Message().(*actor.Message); ok {
				r.mu.Lock()
				r.times = append(r.times, time.Since(r.began))
				r.mu.Unlock()
				_ = s.conn.Send(m.Take())
			}
		}}
		r.server, err = actor.NewServer(engine, func(*actor.Handshake) (actor.Receiver, error) { return session, nil }, actor.ServerConfig{ConnConfig: config})
		must(t, err)
		must(t, r.server.AttachForTest(streamConn{stream: r.stream}, session))
		r.conn = r.stream.conn
		test(r)
		_ = r.stream.Close()
		must(t, r.server.Shutdown(context.Background()))
		if n := r.server.BuffersInUse(); n != 0 {
			t.Errorf("%d buffers in use", n)
		}
	}) // and the bubble finds a wheel that goes on for a connection that has ended
}

// say is what the peer says at once, and lets it be read as far as it may.
func (r *rated) say(opcode byte, payload string, times int) {
	frame := r.peer.NewFrame(true, opcode, []byte(payload))
	r.stream.feed(rawpeer.AppendFrames(nil, slices.Repeat([]rawpeer.Frame{frame}, times)...))
	synctest.Wait()
}

// heard counts the frames of that kind that have left.
func (r *rated) heard(t *testing.T, opcode byte) (n int, last rawpeer.Frame) {
	frames, _ := (&play{t: t, stream: r.stream}).frames()
	for _, f := range frames {
		if f.Opcode == opcode {
			n++
			last = f
		}
	}
	return n, last
}

// Messages are delivered at the rate, neither more slowly nor faster, whichever
// of the two limits is the narrow one.
func TestMessagesComeAtTheRate(t *testing.T) {
	for _, test := range []struct {
		name    string
		rate    actor.RateConfig
		length  int
		burst   int // messages
		between time.Duration
	}{
		{name: "messages", rate: actor.RateConfig{Messages: 100, MessageBurst: 20}, length: 5, burst: 20, between: 10 * time.Millisecond},
		{name: "the least burst", rate: actor.RateConfig{Messages: 100, MessageBurst: 10}, length: 5, burst: 10, between: 10 * time.Millisecond},
		{name: "bytes", rate: actor.RateConfig{Messages: 1000, Bytes: 10_000, ByteBurst: 2000}, length: 100, burst: 20, between: 10 * time.Millisecond},
		{name: "slowly", rate: actor.RateConfig{Messages: 2, MessageBurst: 1}, length: 5, burst: 1, between: 500 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			withRate(t, actor.ConnConfig{InboundRate: test.rate}, func(r *rated) {
				const count = 300
				r.say(rawpeer.OpText, strings.Repeat("x", test.length), count)
				time.Sleep(count * test.between)
				synctest.Wait()
				if len(r.came()) != count {
					t.Fatalf("%d of %d messages came", len(r.came()), count)
				}
				for i, at := range r.came() {
					due := max(0, time.Duration(i-test.burst)) * test.between // one more than the burst is let through
					if at < due-wheelTick || at > due+test.between+2*wheelTick {
						t.Fatalf("message %d came after %v, want %v", i, at, due)
					}
				}
				if n, _ := r.heard(t, rawpeer.OpText); n != count {
					t.Errorf("%d echoes", n)
				}
			})
		})
	}
}

// A peer that stays within its limits is never made to wait, whatever it sends.
func TestPeersWithinTheirRateNoticeNothing(t *testing.T) {
	withRate(t, actor.ConnConfig{InboundRate: actor.RateConfig{Messages: 10, Bytes: 1000}}, func(r *rated) {
		for turn := range 20 {
			r.say(rawpeer.OpText, "hello", 9)
			r.say(rawpeer.OpPing, "there?", 1) // the last of the burst
			if n, _ := r.heard(t, rawpeer.OpPong); n != turn+1 {
				t.Fatalf("%d pongs to %d pings", n, turn+1)
			}
			time.Sleep(time.Second + wheelTick)
		}
		r.say(rawpeer.OpText, "hello", 10)
		r.say(rawpeer.OpPong, "unasked", 10)
		r.say(rawpeer.OpClose, string(rawpeer.ClosePayload(1000, "")), 1)
		if n, frame := r.heard(t, rawpeer.OpClose); n != 1 || string(frame.Payload) != string(rawpeer.ClosePayload(1000, "")) {
			t.Errorf("the close was answered %d times, with %q", n, frame.Payload)
		}
		if len(r.observer.exceeded) > 0 {
			t.Errorf("went over %q", r.observer.exceeded)
		}
	})
}

// One that goes over can be closed instead; what it sent up to there is
// answered.
func TestRateCanCloseTheConnection(t *testing.T) {
	for _, test := range []struct {
		rate     actor.RateConfig
		limit    string
		field    string
		answered int
	}{
		{rate: actor.RateConfig{Messages: 5, Close: true}, limit: "messages", field: "InboundRate.Messages", answered: 6},
		{rate: actor.RateConfig{Messages: 50, Bytes: 20, Close: true}, limit: "bytes", field: "InboundRate.Bytes", answered: 5},
	} {
		t.Run(test.limit, func(t *testing.T) {
			withRate(t, actor.ConnConfig{InboundRate: test.rate}, func(r *rated) {
				r.say(rawpeer.OpText, "hello", 20)
				if n, _ := r.heard(t, rawpeer.OpText); n != test.answered {
					t.Errorf("%d messages answered, want %d", n, test.answered)
				}
				if n, frame := r.heard(t, rawpeer.OpClose); n != 1 || string(frame.Payload) != string(rawpeer.ClosePayload(1008, "too many "+test.limit)) {
					t.Errorf("%d close frames, %q", n, frame.Payload)
				}
				r.stream.finish(io.EOF)
				synctest.Wait()
				closed, _ := r.conn.Cause()
				var limit *actor.LimitError
				if closed.Cause != actor.CauseLimit || closed.Code != 1008 || !errors.As(closed.Err, &limit) || limit.Field != test.field {
					t.Errorf("closed with %+v", closed)
				}
				if !slices.Equal(r.observer.exceeded, []string{test.limit}) {
					t.Errorf("went over %q", r.observer.exceeded)
				}
			})
		})
	}
}

// indebted is a connection whose peer has just sent half a minute's worth.
func indebted(t *testing.T, config actor.ConnConfig, test func(*rated)) {
	config.InboundRate = actor.RateConfig{Bytes: 1000}
	withRate(t, config, func(r *rated) {
		r.say(rawpeer.OpBinary, string(make([]byte, 31_000)), 1)
		r.say(rawpeer.OpBinary, "waits", 1)
		if len(r.came()) != 1 {
			t.Fatalf("%d messages came", len(r.came()))
		}
		test(r)
	})
}

// Silence says nothing about a peer that nobody listens to.
func TestPausedForARateIsNeitherSilentNorIdle(t *testing.T) {
	indebted(t, actor.ConnConfig{PingInterval: time.Second, PingMisses: 1, IdleTimeout: 5 * time.Second}, func(r *rated) {
		time.Sleep(30*time.Second + 2*wheelTick)
		synctest.Wait()
		if times := r.came(); len(times) != 2 || times[1] < 30*time.Second-wheelTick {
			t.Errorf("messages came after %v", times)
		}
		if closed, ended := r.conn.Cause(); ended {
			t.Errorf("closed with %+v", closed)
		}
		if !slices.Equal(r.observer.exceeded, []string{"bytes", "bytes"}) {
			t.Errorf("went over %q", r.observer.exceeded) // the second message does again, by its few bytes
		}
	})
}

// Once the debt is paid, silence counts from there on.
func TestIdlenessBeginsWithTheEndOfAPause(t *testing.T) {
	config := actor.ConnConfig{InboundRate: actor.RateConfig{Bytes: 1000}, IdleTimeout: 5 * time.Second}
	withRate(t, config, func(r *rated) {
		r.say(rawpeer.OpBinary, string(make([]byte, 31_000)), 1)
		time.Sleep(34 * time.Second)
		synctest.Wait()
		if n, frame := r.heard(t, rawpeer.OpClose); n > 0 {
			t.Errorf("closed too early with %q", frame.Payload)
		}
		time.Sleep(7 * time.Second)
		synctest.Wait()
		if n, frame := r.heard(t, rawpeer.OpClose); n != 1 || string(frame.Payload) != string(rawpeer.ClosePayload(1001, "idle")) {
			t.Errorf("%d close frames, %q", n, frame.Payload)
		}
	})
}

// A close does not wait until a debt is paid, and leaves nothing in the wheel.
func TestCloseEndsThePauseForARate(t *testing.T) {
	indebted(t, actor.ConnConfig{}, func(r *rated) {
		must(t, r.conn.Close(4001, "bye"))
		synctest.Wait()
		r.say(rawpeer.OpClose, string(rawpeer.ClosePayload(4001, "")), 1)
		r.stream.finish(io.EOF)
		synctest.Wait()
		closed, ended := r.conn.Cause()
		if want := (actor.Closed{Code: 4001, Reason: "bye", Initiator: actor.Local, Cause: actor.CauseUser}); !ended || closed != want {
			t.Errorf("closed with %+v (%v)", closed, ended)
		}
		if len(r.came()) != 2 {
			t.Errorf("%d messages came before the peer's close", len(r.came()))
		}
	})
	indebted(t, actor.ConnConfig{}, func(r *rated) {
		began := time.Now()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = r.server.Shutdown(ctx) // cuts it off
		synctest.Wait()
		if _, ended := r.conn.Cause(); !ended || time.Since(began) > 0 {
			t.Errorf("ended: %v, after %v", ended, time.Since(began))
		}
	})
}
