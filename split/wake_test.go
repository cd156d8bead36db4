package split

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

// crowd runs pushers on a writer, and a flush whenever one of them is told to.
type crowd struct {
	w         *Writer
	pushers   sync.WaitGroup
	flushes   sync.WaitGroup
	lastWords atomic.Int32 // flushes that ended with ErrClosed
}

func (c *crowd) woken(wake bool) {
	if wake {
		c.flushes.Go(func() {
			if _, err := c.w.Flush(); err == ErrClosed {
				c.lastWords.Add(1)
			}
		})
	}
}

func TestConcurrentPushesAreAllFlushedByOneAtATime(t *testing.T) {
	const pushers, each = 16, 250
	config, l := newConfig(t, Config{Mailbox: MailboxConfig{MaxFrames: pushers * each, MaxBytes: 1 << 30}})
	_, w, err := New(wscore.Server, config, wscore.DeflateParams{})
	must(t, err)
	out := &wire{onWrite: func(net.Buffers) error { runtime.Gosched(); return nil }}
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
				if i%10 == 0 {
					c.woken(w.Pong([]byte("p")))
					c.woken(w.Ping())
				}
			}
		})
	}
	c.pushers.Wait()
	c.flushes.Wait()

	// No flush is due or running any more: whatever still waits was forgotten.
	frames, bytes := w.Depth()
	equal(t, "messages left behind", frames, 0)
	equal(t, "bytes left behind", bytes, 0)
	equal(t, "writes that ran at once", out.overlap, false)
	equal(t, "messages dropped", l.dropped[DropFull]+l.dropped[DropClosed]+l.dropped[DropLost], 0)

	next := make([]int, pushers)
	messages := 0
	peer := rawpeer.New(&playback{rest: strings.NewReader(out.all())}, rawpeer.Client)
	for messages < pushers*each {
		f, err := peer.ReadFrame()
		must(t, err)
		if f.Opcode != rawpeer.OpText {
			continue
		}
		messages++
		var id, i int
		_, err = fmt.Sscanf(string(f.Payload), "%d/%d", &id, &i)
		must(t, err)
		if i != next[id] {
			t.Fatalf("message %d of pusher %d came in the place of %d", i, id, next[id])
		}
		next[id]++
	}
}

func TestShutAmongPushesEndsTheWriterExactlyOnce(t *testing.T) {
	for range 200 {
		config, l := newConfig(t, Config{Mailbox: MailboxConfig{MaxFrames: 8, Policy: DropOldest}})
		_, w, err := New(wscore.Server, config, wscore.DeflateParams{})
		must(t, err)
		w.Bind(&wire{})
		c := &crowd{w: w}
		const pushers, each = 4, 5
		for range pushers {
			c.pushers.Go(func() {
				for range each {
					wake, _ := w.SendText("x")
					c.woken(wake)
				}
			})
		}
		idle := atomic.Int32{}
		for range 2 {
			c.pushers.Go(func() {
				if w.Shut() {
					idle.Add(1)
				}
			})
		}
		c.pushers.Wait()
		c.flushes.Wait()
		equal(t, "ends of the writer", idle.Load()+c.lastWords.Load(), 1)
		equal(t, "messages sent or counted as dropped", len(l.written)+l.dropped[DropFull]+l.dropped[DropClosed]+l.dropped[DropLost], pushers*each)
	}
}
