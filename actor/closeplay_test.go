package actor_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
)

// The limits of the plays, in fake time.
const (
	playCloseTimeout = 5 * time.Second
	playWriteTimeout = 3 * time.Second
	playMoment       = 10 * time.Millisecond
)

// player is a session that does what it is told, and keeps what it received.
type player struct {
	panicOn string // the kind of message that makes it panic
	orders  chan func(*actor.Context)

	mu     sync.Mutex
	conn   *actor.Conn
	life   []string
	closed []actor.Closed
}

func (s *player) Receive(c *actor.Context) {
	kind := kindOf(c.Message())
	s.mu.Lock()
	s.life = append(s.life, kind)
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
	case actor.Closed:
		s.closed = append(s.closed, m)
	}
	s.mu.Unlock()
	if kind == s.panicOn {
		panic("on " + kind)
	}
	switch m := c.Message().(type) {
	case func(*actor.Context):
		m(c)
	case *actor.Message:
		if m.Text() == "work" {
			for order := range s.orders {
				order(c)
			}
		}
		if text, ok := strings.CutPrefix(m.Text(), "say "); ok {
			_ = s.conn.SendText(text) // the connection may be closing
		}
	}
}

// play is one connection in a bubble, with everything that touches it.
type play struct {
	t        *testing.T
	engine   *actor.Engine
	server   *actor.Server
	observer *recorder
	stream   *stream
	session  *player
	conn     *actor.Conn
	peer     *rawpeer.Peer // encodes frames

	working   bool // the session is in Receive and takes orders
	released  bool // it takes no more
	fragments bool // a fragmented message is unfinished
	unread    []byte
	mu        sync.Mutex
	waits     []context.Context
	shutdown  sync.WaitGroup
}

func newPlay(t *testing.T, config actor.ServerConfig, panicOn string) *play {
	engine, err := actor.NewEngine()
	must(t, err)
	p := &play{t: t, engine: engine, observer: newRecorder(), stream: newStream(), peer: rawpeer.New(nil, rawpeer.Client)}
	p.session = &player{panicOn: panicOn, orders: make(chan func(*actor.Context))}
	config.Readiness, config.Observer = scripted{}, p.observer
	config.CloseTimeout, config.WriteTimeout = playCloseTimeout, playWriteTimeout
	config.Mailbox.MaxFrames = 4
	p.server, err = actor.NewServer(engine, func(*actor.Handshake) (actor.Receiver, error) { return p.session, nil }, config)
	must(t, err)
	must(t, p.server.AttachForTest(streamConn{stream: p.stream}, p.session))
	p.conn = p.stream.conn
	return p
}

// settle lets everybody finish what can be finished now, or in the moment for
// which a write may wait for others.
func (p *play) settle() {
	time.Sleep(playMoment)
	synctest.Wait()
}

// text, closing, violation, tooLong and tooFast are what the peer may say.
func (p *play) text(s string) {
	p.feed(p.peer.NewFrame(true, rawpeer.OpText, []byte(s)))
}

func (p *play) closing(code uint16, reason string) {
	var body []byte
	if code != rawpeer.NoStatus {
		body = rawpeer.ClosePayload(code, reason)
	}
	p.feed(p.peer.NewFrame(true, rawpeer.OpClose, body))
}

func (p *play) violation() {
	p.feed(rawpeer.Frame{Fin: true, Opcode: rawpeer.OpPing}) // without a mask
}

func (p *play) tooLong() {
	opcode := rawpeer.OpBinary
	if p.fragments {
		opcode = rawpeer.OpContinuation
	}
	p.feedBytes(rawpeer.AppendHeaderLying(nil, p.peer.NewFrame(true, opcode, nil), rawpeer.Lie{Declare: true, Length: 1<<20 + 1}))
}

func (p *play) tooFast() {
	for range 30 {
		p.feed(p.peer.NewFrame(true, rawpeer.OpPing, nil))
	}
}

func (p *play) feed(f rawpeer.Frame) { p.feedBytes(rawpeer.AppendFrame(nil, f)) }

// feedBytes says the rest of an unfinished frame first.
func (p *play) feedBytes(b []byte) {
	p.stream.feed(append(p.unread, b...))
	p.unread = nil
}

// work makes the session stay in Receive until release.
func (p *play) work() {
	p.text("work")
	p.settle()
	p.working = true
}

func (p *play) release() {
	if !p.released {
		p.released = true
		close(p.session.orders)
	}
}

// inside runs f in the session's Receive.
func (p *play) inside(f func(*actor.Context)) {
	if p.working {
		select {
		case p.session.orders <- f:
		case <-time.After(time.Minute):
			p.t.Error("the session takes no orders")
		}
		return
	}
	p.engine.Send(p.conn.SessionPID(), f)
}

// stop asks for the end of a PID and keeps the wait.
func (p *play) stop(stop func(*actor.Engine, *actor.PID) context.Context, pid *actor.PID, times int) (last context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for range times {
		last = stop(p.engine, pid)
		p.waits = append(p.waits, last)
	}
	return last
}

// overflow sends until the mailbox is full and the connection counts as slow.
func (p *play) overflow() {
	p.stream.block(0)
	_ = p.conn.SendText("more") // this one is being written, the others wait
	p.settle()
	for range 10 {
		if err := p.conn.SendText("more"); err == split.ErrSlowConsumer || err == split.ErrClosed {
			return
		}
	}
	p.t.Error("the mailbox took more than its bound")
}

// drain begins the server's shutdown.
func (p *play) drain(ctx context.Context) {
	p.shutdown.Go(func() { _ = p.server.Shutdown(ctx) }) // the play's end asks again
}

// help lets the close go through: the session returns, writing goes on, and
// the peer answers and ends its stream.
func (p *play) help() {
	p.stream.block(-1)
	p.settle() // there is room for what the session sends when it returns
	p.release()
	p.settle()
	if p.closeOnWire() != nil {
		p.closing(1000, "")
	}
	p.settle()
	p.stream.finish(io.EOF)
	p.settle()
}

// abandon ends the connection if nothing else has, so that a test which fails
// can end too.
func (p *play) abandon() {
	p.release()
	_ = p.stream.Close()
	p.settle()
}

// frames returns the whole frames on the wire; torn is true if a part of one
// follows.
func (p *play) frames() (frames []rawpeer.Frame, torn bool) {
	wire := rawpeer.New(recording{Reader: bytes.NewReader(p.stream.written())}, rawpeer.Client)
	for {
		frame, err := wire.ReadFrame()
		switch {
		case err == io.EOF:
			return frames, false
		case errors.Is(err, io.ErrUnexpectedEOF):
			return frames, true
		case err != nil:
			p.t.Fatalf("frame %d on the wire: %v", len(frames), err)
		}
		frames = append(frames, frame)
	}
}

// recording lets recorded bytes pass where a net.Conn is asked for.
type recording struct {
	net.Conn
	*bytes.Reader
}

func (r recording) Read(p []byte) (int, error)    { return r.Reader.Read(p) }
func (r recording) Write([]byte) (int, error)     { return 0, net.ErrClosed }
func (recording) SetReadDeadline(time.Time) error { return nil }
func (p *play) isDone() bool                      { _, done := p.conn.Cause(); return done }
func (p *play) received() []string {
	p.session.mu.Lock()
	defer p.session.mu.Unlock()
	return slices.Clone(p.session.life)
}

// closeOnWire returns our close frame's payload, or nil.
func (p *play) closeOnWire() []byte {
	frames, _ := p.frames()
	for _, f := range frames {
		if f.Opcode == rawpeer.OpClose {
			return append([]byte{}, f.Payload...)
		}
	}
	return nil
}

// textsOnWire returns the text messages that left.
func (p *play) textsOnWire() (texts []string) {
	frames, _ := p.frames()
	for _, f := range frames {
		if f.Opcode == rawpeer.OpText {
			texts = append(texts, string(f.Payload))
		}
	}
	return texts
}

// checkWire proves that whole frames left, at most one close frame among
// them, and nothing behind it.
func (p *play) checkWire() {
	frames, cut := p.frames()
	torn, wrong := p.stream.verdict()
	if wrong != nil {
		p.t.Error(wrong)
	}
	if cut && !torn {
		p.t.Error("the last frame on the wire is cut though no write failed")
	}
	for i, f := range frames {
		if f.Opcode == rawpeer.OpClose && (i != len(frames)-1 || cut) {
			p.t.Errorf("something follows the close frame, which is %d of %d", i+1, len(frames))
		}
	}
}

// checkEnd proves that nothing is left of the connection, and that all were
// told once and the same.
func (p *play) checkEnd(stopped bool) {
	t := p.t
	must(t, p.server.Shutdown(context.Background()))
	p.shutdown.Wait()
	closed, done := p.conn.Cause()
	if !done || len(p.observer.closed) != 1 || p.observer.closed[0] != closed {
		t.Errorf("observed ends: %+v, the connection's cause: %+v %v", p.observer.closed, closed, done)
	}
	wantTail := []string{"closed", "stopped"}
	if stopped {
		wantTail = wantTail[1:]
	} else if len(p.session.closed) != 1 || p.session.closed[0] != closed {
		t.Errorf("the session was told %+v, not %+v", p.session.closed, closed)
	}
	life := p.received()
	if tail := life[max(0, len(life)-len(wantTail)):]; !slices.Equal(tail, wantTail) || count(life, "closed") != len(wantTail)-1 || count(life, "stopped") != 1 {
		t.Errorf("the session's life was %q, wanted to end with %q", life, wantTail)
	}
	synctest.Wait() // for the engine's events
	endless := 0
	for _, wait := range p.waits {
		if wait.Err() == nil {
			endless++
		}
	}
	if endless > 0 {
		t.Errorf("%d waits for %d stop requests did not end", endless, len(p.waits))
	}
	for _, part := range []string{"reader", "writer", "session"} {
		if p.engine.Registry.GetPID("websocket/"+part, p.conn.ID()) != nil {
			t.Errorf("the %s is still registered", part)
		}
	}
	if n := p.server.BuffersInUse(); n != 0 {
		t.Errorf("%d buffers in use", n)
	}
	if n := p.server.Len(); n != 0 {
		t.Errorf("the server counts %d connections", n)
	}
	if p.observer.depth != 0 {
		t.Errorf("the mailbox gauge is %d", p.observer.depth)
	}
	if err := p.conn.SendText("late"); err != split.ErrClosed {
		t.Errorf("a send after the end: %v", err)
	}
	if err := p.conn.Close(1000, ""); err != split.ErrClosed {
		t.Errorf("a close after the end: %v", err)
	}
	p.checkWire()
}

func count(list []string, item string) (n int) {
	for _, s := range list {
		if s == item {
			n++
		}
	}
	return n
}
