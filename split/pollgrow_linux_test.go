package split

import (
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

func TestIdleTimeOfTheMachineIsRead(t *testing.T) {
	for _, test := range []struct {
		name, stat string
		want       time.Duration
		ok         bool
	}{
		{"the first line counts", "cpu  10 20 30 400 5 6 7 8 9 10\ncpu0 1 2 3 4\n", 4 * time.Second, true},
		{"something else", "intr 1 2 3 4 5\n", 0, false},
		{"cut off", "cpu  10 20", 0, false},
		{"no number", "cpu 1 2 3 x\n", 0, false},
		{"nothing", "", 0, false},
	} {
		if got, ok := parseIdle([]byte(test.stat)); got != test.want || ok != test.ok {
			t.Errorf("%s: %v, %v", test.name, got, ok)
		}
	}
	if idle, ok := machineIdle(); !ok || idle <= 0 {
		t.Errorf("this machine: %v, %v", idle, ok)
	}
}

func TestSpareProcessorsAreJudgedOverTime(t *testing.T) {
	idle := 10 * time.Second
	g := growth{read: func() (time.Duration, bool) { return idle, true }}
	at := time.Unix(0, 0)
	step := func(elapsed, gained time.Duration) bool {
		at, idle = at.Add(elapsed), idle+gained
		return g.spare(at)
	}
	equal(t, "the first look", step(0, 0), false)
	equal(t, "too soon", step(judgeTime/2, judgeTime), false)
	equal(t, "a processor idle", step(judgeTime/2, 0), true)
	equal(t, "all busy", step(judgeTime, 0), false)
	equal(t, "half a processor", step(judgeTime, judgeTime/2), true)
	equal(t, "long ago", step(time.Hour, time.Hour), false)
	g.read = func() (time.Duration, bool) { return 0, false }
	equal(t, "unknown", step(judgeTime, 0), true)
}

// A loop that is busy throughout sheds half of its connections to a new loop,
// if the machine has a processor to spare, and only then.
func TestBusyLoopShedsToANewOneOnlyIfThatHelps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := NewPoller(2)
		spare := false
		idle, at := time.Duration(0), time.Duration(0)
		p.monitor.growth.read = func() (time.Duration, bool) {
			if spare {
				idle += time.Hour
			}
			at++
			return idle, true
		}
		busy := func() {
			p.monitor.seen[0].busy = 0xFFFF
			p.monitor.growth.since = time.Now().Add(-judgeTime)
			p.monitor.balance()
		}
		busy()
		equal(t, "loops without a spare processor", p.monitor.open.Load(), 1)
		spare = true
		busy()
		equal(t, "loops with one", p.monitor.open.Load(), 2)
		if p.loops[0].shed.Swap(nil) != &p.loops[1] {
			t.Error("the busy loop does not shed")
		}
		busy()
		if p.loops[0].shed.Swap(nil) != &p.loops[1] {
			t.Error("the busy loop does not shed to the calm one")
		}
		p.monitor.seen[1].busy = 0xFFFF
		busy()
		if p.loops[0].shed.Load() != nil || p.loops[1].shed.Load() != nil {
			t.Error("a busy loop sheds to a busy one")
		}
	})
}

// Connections move between loops while they are used, paused, resumed, written
// to and closed.
func TestConnectionsMoveWhileTheyAreUsed(t *testing.T) {
	const moves = 200 // to each loop
	p := NewPoller(2)
	var stop sync.WaitGroup
	done := make(chan struct{})
	for i := range 12 {
		e := &echoer{ended: make(chan struct{})}
		var err error
		config, _ := newConfig(t, Config{Pool: NewPool(nil)})
		server, client := loopback(t, "tcp", "127.0.0.1:0")
		e.reader, e.writer, err = New(wscore.Server, config, wscore.DeflateParams{})
		must(t, err)
		e.pausing = i%3 == 0
		e.transport, err = p.Attach(server, nil, e)
		must(t, err)
		e.writer.Bind(e.transport)
		e.transport.Start()
		stop.Go(func() {
			peer := rawpeer.New(client, rawpeer.Client)
			for n := 0; ; n++ {
				text := strings.Repeat("m", 1+n%3000)
				if err := peer.Text(text); err != nil {
					t.Error(err)
				}
				if err := peer.ExpectText(text); err != nil {
					t.Error(err)
					break
				}
				select {
				case <-done:
				default:
					continue
				}
				break
			}
			if i%2 == 0 {
				_ = client.Close()
			} else {
				_ = e.transport.Close()
			}
			<-e.ended
			_, _ = client.Close(), e.transport.Close()
		})
	}
	for limit := time.Now().Add(patience); ; runtime.Gosched() {
		counts := countPlaces(p)
		if counts[0].taken >= moves+12 && counts[1].taken >= moves {
			if a, b := counts[0].members, counts[1].members; a+b != 12 || a == 0 || b == 0 {
				t.Errorf("%d and %d connections", a, b)
			}
			break
		}
		if time.Now().After(limit) {
			t.Errorf("places taken, members: %v", counts)
			break
		}
		for i := range p.loops {
			p.loops[i].shed.Store(&p.loops[1-i])
		}
	}
	close(done)
	stop.Wait()
}

// places is how many connections have ever come to a loop, and how many are
// there.
type places struct {
	taken   uint32
	members int
}

// countPlaces counts both loops' at one moment, with no connection on its way
// from one to the other.
func countPlaces(p *Poller) (counts [2]places) {
	p.monitor.moving.Lock()
	defer p.monitor.moving.Unlock()
	for i := range counts {
		l := &p.loops[i]
		l.mu.Lock()
		counts[i] = places{l.issued, l.members}
		l.mu.Unlock()
	}
	return counts
}

// A loop that sheds its only connection would only pass on what keeps it busy,
// to and fro.
func TestShedGivesHalfAwayAndNeverTheLastConnection(t *testing.T) {
	for _, test := range []struct{ has, gives int }{{1, 0}, {2, 1}, {3, 1}, {12, 6}} {
		p := NewPoller(2)
		var hello func()
		var open []*parkTest
		for range test.has {
			h, _, client := polledPair(t, p, nil)
			open = append(open, h)
			hello = func() {
				must(t, rawpeer.New(client, rawpeer.Client).Text("hello"))
				h.finds("hello")
			}
			hello() // once it is found the start is over
		}
		p.loops[0].shed.Store(&p.loops[1])
		hello()
		for limit := time.Now().Add(patience); p.loops[0].shed.Load() != nil; runtime.Gosched() {
			if time.Now().After(limit) {
				t.Fatal("the loop does not shed")
			}
		}
		hello() // behind the shedding, whichever loop finds it
		counts := countPlaces(p)
		equal(t, "left", counts[0].members, test.has-test.gives)
		equal(t, "given", counts[1].members, test.gives)
		for _, h := range open {
			must(t, h.Close())
			h.ends(net.ErrClosed)
		}
	}
}

// echoer echoes on the loop, and pauses now and then.
type echoer struct {
	reader    *Reader
	writer    *Writer
	transport Transport
	pausing   bool
	count     int
	ended     chan struct{}
}

func (e *echoer) Fill(source io.Reader) error { return e.reader.Fill(source) }

func (e *echoer) Drain(err error) Verdict {
	if err != nil {
		_ = e.reader.End(err)
		e.writer.Shut()
		close(e.ended)
		return Stop
	}
	for {
		event, err := e.reader.Next()
		if err != nil || event.Kind == NeedMore {
			break
		}
		if event.Kind == Message {
			if wake, _ := e.writer.Send(event.Buffer); wake {
				_, _ = e.writer.TryFlush() // the peer takes all of it
			}
		}
	}
	e.reader.Rest()
	if e.count++; e.pausing && e.count%7 == 0 {
		go e.transport.Resume()
		return Pause
	}
	if e.reader.Unfinished() {
		return ReadMore
	}
	return Park
}
