package split

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

// outcome is what a send came to, and when.
type outcome struct {
	text  string
	wake  bool
	err   error
	after time.Duration
}

// blocking is a mailbox on which sends wait, inside a bubble of fake time.
type blocking struct {
	*mailboxTest
	outcomes chan outcome
}

func newBlocking(t *testing.T, bounds MailboxConfig) *blocking {
	t.Helper()
	bounds.Policy = Block
	return &blocking{mailboxTest: newMailbox(t, bounds), outcomes: make(chan outcome, 100)}
}

// start sends in goroutines, of which each waits before the next one starts.
func (m *blocking) start(texts ...string) {
	for _, text := range texts {
		m.startContext(context.Background(), text)
	}
}

func (m *blocking) startContext(ctx context.Context, text string) {
	began := time.Now()
	go func() {
		wake, err := m.push(ctx, entry{message: m.config.Pool.Text(text)}, true)
		m.outcomes <- outcome{text, wake, err, time.Since(began)}
	}()
	synctest.Wait()
}

// ended returns what has come to an end by now, in alphabetical order.
func (m *blocking) ended() string {
	synctest.Wait()
	var parts []string
	for len(m.outcomes) > 0 {
		o := <-m.outcomes
		part := o.text[:1]
		switch {
		case o.wake != (o.text == "a"): // the first message of a test that starts with it
			m.t.Errorf("%.10q: wake %t", o.text, o.wake)
		case o.err == ErrDropped:
			part += ":dropped"
		case o.err == ErrClosed:
			part += ":closed"
		case o.err != nil:
			part += ":" + o.err.Error()
		}
		parts = append(parts, part)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

func TestBlockedSendersEnterInOrderAsRoomIsMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newBlocking(t, MailboxConfig{MaxFrames: 2})
		m.start("a", "b", "c", "d", "e")
		equal(t, "at once", m.ended(), "a b")
		equal(t, "first batch", m.next(), "a b")
		equal(t, "into the empty queue", m.ended(), "c")
		m.depth(3, 3*smallest)
		m.done()
		equal(t, "in the place of what was written", m.ended(), "d")
		equal(t, "second batch", m.next(), "c d")
		equal(t, "into the empty queue", m.ended(), "e")
		equal(t, "third batch", m.next(), "e")
		equal(t, "fourth batch", m.next(), "nothing")
		equal(t, "dropped", m.ledger.dropped, [DropReasons]int{})
	})
}

func TestNobodyOvertakesABlockedSender(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newBlocking(t, MailboxConfig{MaxBytes: 3 * smallest})
		large := strings.Repeat("L", 3*smallest-Headroom)
		m.start("a", "b", large, "s")
		equal(t, "the small one stands behind the large one", m.ended(), "a b")
		_, err := m.push(t.Context(), entry{message: m.config.Pool.Text("t")}, false)
		equal[error](t, "one that does not wait", err, ErrDropped)
		equal(t, "first batch", m.next(), "a b")
		equal(t, "batch", m.next(), large)
		equal(t, "last batch", m.next(), "s")
		equal(t, "in the end", m.ended(), "L s")
	})
}

func TestWaitForRoomEndsAtItsTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newBlocking(t, MailboxConfig{MaxFrames: 1, BlockTimeout: 3 * time.Second})
		m.mustPut("a")
		m.start("b")
		time.Sleep(2 * time.Second)
		m.start("c")
		equal(t, "before the timeout", m.ended(), "")
		time.Sleep(time.Second)
		equal(t, "at the timeout", m.ended(), "b:dropped")
		equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropFull: 1})
		equal(t, "batch", m.next(), "a")
		equal(t, "the other", m.ended(), "c")
		equal(t, "batch", m.next(), "c")
	})
}

func TestThoseBehindAWithdrawnSenderMayFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newBlocking(t, MailboxConfig{MaxBytes: 3 * smallest})
		m.mustPut("a")
		ctx, cancel := context.WithCancel(t.Context())
		m.startContext(ctx, strings.Repeat("L", 3*smallest))
		m.start("s", "t", "u")
		equal(t, "while the large one waits", m.ended(), "")
		cancel()
		equal(t, "after it gave up", m.ended(), "L:websocket: message dropped: the wait for room was ended: context canceled s t")
		m.next()
		m.done()
		equal(t, "batch", m.next(), "u")
		m.ended()
	})
}

func TestContextEndsTheWaitOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newBlocking(t, MailboxConfig{MaxFrames: 1, BlockTimeout: time.Minute})
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := m.push(ended, entry{message: m.config.Pool.Text("fits")}, true)
		must(t, err) // nothing to wait for

		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		_, err = m.push(ctx, entry{message: m.config.Pool.Text("waits")}, true)
		equal(t, "waited", time.Since(began), 2*time.Second)
		equal(t, "the context's error", errors.Is(err, context.DeadlineExceeded), true)
		var refused *SendError
		equal(t, "a send error", errors.As(err, &refused), true)
		equal(t, "close code that is due", refused.Code, 0)
		equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropFull: 1})
		equal(t, "batch", m.next(), "fits")
		m.mustPut("goes on")
	})
}

func TestEndOfTheConnectionEndsEveryWait(t *testing.T) {
	for name, end := range map[string]func(m *blocking){
		"close":            func(m *blocking) { m.pushClose(1000, "", false) },
		"discarding close": func(m *blocking) { m.pushClose(1013, "", true) },
		"shut":             func(m *blocking) { m.shut() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newBlocking(t, MailboxConfig{MaxFrames: 1})
				m.mustPut("a")
				m.start("b", "c")
				began := time.Now()
				end(m)
				equal(t, "ended", m.ended(), "b:closed c:closed")
				equal(t, "time passed", time.Since(began), 0)
				lost := 1
				if name == "close" {
					lost = 0
				}
				equal(t, "dropped", m.ledger.dropped, [DropReasons]int{DropClosed: 2, DropLost: lost})
				_, err := m.put("late")
				equal[error](t, "send after the end", err, ErrClosed)
			})
		})
	}
}

func TestBlockedSendersDoNotHoldUpControlFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newBlocking(t, MailboxConfig{MaxFrames: 1})
		m.mustPut("a")
		m.start("b")
		m.pushPong([]byte("1"))
		m.pushPing([]byte("2"))
		equal(t, "batch", m.next(), "pong:1 ping:2 a")
		equal(t, "admitted", m.ended(), "b")
		m.start("c")
		m.pushPong([]byte("3"))
		m.pushClose(1001, "", false)
		equal(t, "second batch", m.next(), "pong:3 b close:1001:")
		equal(t, "turned away", m.ended(), "c:closed")
	})
}

func TestWriterSendsThatWaitAndThatDoNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWriter(t, wscore.Server, Config{Mailbox: MailboxConfig{MaxFrames: 1, Policy: Block, BlockTimeout: 2 * time.Second}})
		w.queue("a")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for name, c := range map[string]struct {
			send func() (bool, error)
			wait time.Duration
		}{
			"Send":        {func() (bool, error) { return w.Send(w.pool.Text("x")) }, 2 * time.Second},
			"SendText":    {func() (bool, error) { return w.SendText("x") }, 2 * time.Second},
			"SendKeyed":   {func() (bool, error) { return w.SendKeyed("key", w.pool.Text("x")) }, 2 * time.Second},
			"SendNotify":  {func() (bool, error) { return w.SendNotify(w.pool.Text("x"), neverTold(t)) }, 2 * time.Second},
			"TrySend":     {func() (bool, error) { return w.TrySend(w.pool.Text("x")) }, 0},
			"SendContext": {func() (bool, error) { return w.SendContext(ctx, w.pool.Text("x")) }, -1},
		} {
			began := time.Now()
			wake, err := c.send()
			var refused *SendError
			equal(t, name+" is refused", errors.As(err, &refused), true)
			equal(t, name+" wakes", wake, false)
			if c.wait >= 0 {
				equal[error](t, name, err, ErrDropped)
				equal(t, name+" waited", time.Since(began), c.wait)
			} else if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
				t.Errorf("%s: %v after %v", name, err, time.Since(began))
			}
		}
		w.flush()
		w.sent(serverFrames(textFrame("a")))
		equal(t, "dropped", w.ledger.dropped, [DropReasons]int{DropFull: 6})
	})
}

// What a blocked sender relies on: while anything is queued a flush is due or
// at work, and nobody waits behind an empty queue.
func TestQueuedMessagesAlwaysHaveSomebodyOnTheWay(t *testing.T) {
	for seed := range uint64(50) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			m := newBlocking(t, MailboxConfig{MaxFrames: 1 + random.IntN(4), MaxBytes: smallest * (1 + random.IntN(8)), BlockTimeout: time.Second})
			sends, ends, flushing := 0, 0, false
			woken := func(wake bool) {
				if wake && flushing {
					t.Fatal("two rights to write")
				}
				flushing = flushing || wake
			}
			for step := range 300 {
				switch random.IntN(6) {
				case 0, 1, 2:
					sends++
					text := strings.Repeat("x", random.IntN(1200))
					go func() {
						wake, err := m.put(text)
						m.outcomes <- outcome{wake: wake, err: err}
					}()
				case 3:
					if flushing && m.next() == "nothing" {
						flushing = false
					}
				case 4:
					m.done()
				case 5:
					time.Sleep(time.Duration(random.IntN(800)) * time.Millisecond)
				}
				synctest.Wait()
				for len(m.outcomes) > 0 {
					o := <-m.outcomes
					ends++
					woken(o.wake)
				}
				m.mu.Lock()
				count, scheduled, waiting := m.count(), m.scheduled, m.line != nil
				fits := waiting && m.fits(0, 0, m.line.entry.message.Cap())
				m.mu.Unlock()
				switch {
				case count > 0 && !scheduled:
					t.Fatalf("step %d: %d messages wait and nobody is on the way", step, count)
				case scheduled != flushing:
					t.Fatalf("step %d: the right to write is held by nobody", step)
				case waiting && count == 0:
					t.Fatalf("step %d: somebody waits behind an empty queue", step)
				case fits:
					t.Fatalf("step %d: somebody waits although there is room", step)
				}
			}
			m.shut()
			synctest.Wait()
			equal(t, "sends that ended", ends+len(m.outcomes), sends)
		})
	}
}

func TestBlockedSendersAreAllServed(t *testing.T) {
	const pushers, each = 16, 200
	config, l := newConfig(t, Config{Mailbox: MailboxConfig{MaxFrames: 3, Policy: Block, BlockTimeout: time.Minute}})
	_, w, err := New(wscore.Server, config, wscore.DeflateParams{})
	must(t, err)
	out := &wire{}
	w.Bind(out)
	c := &crowd{w: w}
	for id := range pushers {
		c.pushers.Go(func() {
			for i := range each {
				wake, err := w.SendText(fmt.Sprintf("%d/%d", id, i))
				if err != nil {
					t.Error(err)
				}
				c.woken(wake)
			}
		})
	}
	c.pushers.Wait()
	c.flushes.Wait()
	equal(t, "frames written", len(l.written), pushers*each)
	next := make([]int, pushers)
	for _, f := range framesOf(t, out.all(), rawpeer.Client) {
		var id, i int
		_, err = fmt.Sscanf(string(f.Payload), "%d/%d", &id, &i)
		must(t, err)
		equal(t, "message of its pusher", i, next[id])
		next[id]++
	}
}

// Timeouts, contexts and the end, all at once: every send ends, once, and is
// written or counted.
func TestRacesAroundTheEndOfAWaitLoseNothing(t *testing.T) {
	for round := range 60 {
		config, l := newConfig(t, Config{Mailbox: MailboxConfig{MaxFrames: 2, Policy: Block, BlockTimeout: time.Millisecond}})
		_, w, err := New(wscore.Server, config, wscore.DeflateParams{})
		must(t, err)
		w.Bind(&wire{})
		c := &crowd{w: w}
		const pushers, each = 8, 20
		var accepted atomic.Int32
		for range pushers {
			c.pushers.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				defer cancel()
				for range each {
					wake, err := w.SendContext(ctx, config.Pool.Text("x"))
					if err == nil {
						accepted.Add(1)
					}
					c.woken(wake)
				}
			})
		}
		if round%2 == 0 {
			c.pushers.Go(func() { w.Shut() })
		}
		c.pushers.Wait()
		c.flushes.Wait()
		equal(t, "messages written or dropped", len(l.written)+l.dropped[DropFull]+l.dropped[DropClosed]+l.dropped[DropLost], pushers*each)
		if round%2 == 1 {
			equal(t, "messages written", len(l.written), int(accepted.Load()))
		}
	}
}
