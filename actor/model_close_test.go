package actor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	hollywood "github.com/anthdm/hollywood/actor"

	"github.com/tandem-ws/tandem/internal/explore"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// closeModel is a real connection whose reader, session, flusher, timer and
// users are threads of an explorer. They pause where the connection calls its
// transport, its observer and its session, so that whatever ends it meets
// every other end at every point.
type closeModel struct {
	NopObserver
	scenario  *closeScenario
	server    *Server
	threads   explore.Threads
	conn      *Conn
	faults    int
	wire      []byte
	down      bool // CloseWrite was called
	closed    bool // Close was
	resumed   bool
	read      int // what of the peer's script was read
	readEnded bool
	paused    bool
	observed  int // ends that the observer was told of
	told      [2]int
	done      int // calls of what waits for the end
	lates     int // messages that the session got after its end
	fault     error
}

type closeScenario struct {
	name   string
	peer   []string // what the peer says: a message, "close", "violation" or "end"
	panics bool     // the session does, at its first message
	users  []string
	faults int // how often writing may fail
	large  bool
}

// closeObserver leads to the model that runs.
type closeObserver struct {
	NopObserver
	model *closeModel
}

func (o *closeObserver) ConnectionClosed(Closed, time.Duration) {
	o.model.threads.Pause("tells the observer")
	o.model.observed++
}

func newCloseServer(t *testing.T) (*Server, *closeObserver) {
	engine, err := hollywood.NewEngine(hollywood.NewEngineConfig())
	if err != nil {
		t.Fatal(err)
	}
	observer := &closeObserver{}
	server, err := NewServer(engine, func(*Handshake) (Receiver, error) { return nil, nil }, ServerConfig{ConnConfig: ConnConfig{Observer: observer, CloseTimeout: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	server.host.flusher.workers = 1 << 20 // the model's thread does what they would
	return server, observer
}

func newCloseModel(server *Server, observer *closeObserver, scenario *closeScenario) explore.System {
	m := &closeModel{scenario: scenario, server: server, faults: scenario.faults}
	observer.model = m
	reader, writer, err := split.New(wscore.Server, &server.host.halves, wscore.DeflateParams{})
	if err != nil {
		panic(err)
	}
	// As in attach, but for what would start goroutines.
	c := &Conn{host: &server.host, number: 1, transport: closeTransport{m}, opened: time.Since(epoch)}
	c.parts.Store(3)
	c.name()
	c.reader.conn, c.reader.half = c, reader
	c.reader.credits.limits = &creditLimits{bytes: 1 << 20, messages: 1, clock: &server.host.wheel.now}
	c.writer.conn, c.writer.half = c, writer
	c.session.conn = c
	c.session.running = true // so that nobody else runs it
	initContext(&c.session.context, server.host.engine, c.session.PID(), m)
	writer.Bind(c.transport)
	m.conn = c
	if err := server.host.admit(1 << 20); err != nil {
		panic(err)
	}
	server.host.conns[c.number] = c
	_, _ = c.ReaderPID(), c.PID() // registers them
	server.host.engine.SpawnProc(&c.session)
	c.whenDone(func() { m.done++ })

	m.threads.Go("reader", "begins", m.reader)
	m.threads.Go("session", "begins", func() {
		for m.threads.Await("runs", func() bool { return c.session.queue.length() > 0 }) {
			m.threads.Forget()
			c.session.hosted.Store(true) // no watch of real time
			c.session.work(true)
			if c.session.over {
				return
			}
			c.session.running = true
		}
	})
	m.threads.Go("flusher", "begins", func() {
		var chunk [1]*writerProcess
		for m.threads.Await("flushes", func() bool { return len(server.host.flusher.queue) > server.host.flusher.head }) {
			m.threads.Forget()
			server.host.flusher.take(chunk[:])
			chunk[0].flushDue()
		}
	})
	m.threads.Go("timer", "begins", func() {
		if m.threads.Await("rings", func() bool { return c.phase == closing }) {
			c.end()
		}
	})
	for i, user := range scenario.users {
		m.threads.Go(fmt.Sprint("user ", i+1), user, func() { m.user(user) })
	}
	return m
}

func (m *closeModel) user(what string) {
	c := m.conn
	switch what {
	case "closes":
		_ = c.Close(wscore.CloseNormal, "bye")
	case "sends":
		_ = c.SendText("hello")
	case "finds it slow":
		c.slowConsumer(split.ErrSlowConsumer)
	case "drains":
		c.drain()
	case "stops the session":
		c.session.dropQueued()
		c.stopped(afterSession, true)
	case "stops the writer":
		c.stopped(afterQueued, false)
	case "loses the stream":
		c.lostStream(&split.TransportError{Operation: "read", Err: io.ErrUnexpectedEOF})
	case "ends it":
		c.end()
	case "posts":
		c.session.post(envelope{message: "hello"})
	default:
		panic(what)
	}
}

// reader is what a readiness does.
func (m *closeModel) reader() {
	c := m.conn
	verdict := split.Park
	for verdict != split.Stop {
		m.paused = verdict == split.Pause
		if !m.threads.Await("reads", func() bool {
			return m.closed || m.paused && m.resumed || !m.paused && m.read < len(m.scenario.peer)
		}) {
			return
		}
		m.threads.Forget()
		m.threads.Saw(uint64(verdict))
		switch {
		case m.closed:
			verdict = c.reader.Drain(net.ErrClosed)
			continue
		case m.paused:
			m.resumed = false
			verdict = c.reader.Drain(nil)
			continue
		}
		what := m.scenario.peer[m.read]
		m.read++
		frame := rawpeer.Frame{Fin: true, Opcode: rawpeer.OpText, Payload: []byte(what), Masked: true}
		switch what {
		case "end":
			m.readEnded = true
			verdict = c.reader.Drain(io.EOF)
			continue
		case "close":
			frame.Opcode, frame.Payload = rawpeer.OpClose, rawpeer.ClosePayload(1000, "")
		case "violation":
			frame.Masked = false
		}
		if err := c.reader.Fill(bytes.NewReader(rawpeer.AppendFrame(nil, frame))); err != nil {
			m.fail("reading failed: %v", err)
		}
		verdict = c.reader.Drain(nil)
	}
}

func (m *closeModel) fail(format string, arguments ...any) {
	if m.fault == nil {
		m.fault = fmt.Errorf(format, arguments...)
	}
}

// Receive is the session.
func (m *closeModel) Receive(c *Context) {
	switch message := c.Message().(type) {
	case Closed:
		m.told[0]++
		m.threads.Pause("is told that it is closed")
	case Stopped:
		m.told[1]++
		m.threads.Pause("is told to stop")
	case *Message:
		if m.told[0]+m.told[1] > 0 {
			m.lates++
		}
		m.threads.Pause("receives")
		if m.scenario.panics {
			panic("the session panics")
		}
		_ = m.conn.Send(message.Take())
	}
}

type closeTransport struct{ model *closeModel }

func (t closeTransport) Start() {}
func (t closeTransport) Resume() {
	t.model.resumed = true
}

func (t closeTransport) Write(buffers *net.Buffers, _ time.Duration) (int64, error) {
	return t.TryWrite(buffers)
}

var errCloseWrite = errors.New("the stream is lost")

func (t closeTransport) TryWrite(buffers *net.Buffers) (int64, error) {
	m, all := t.model, bytes.Join(*buffers, nil)
	options := []string{"it leaves"}
	if m.faults > 0 {
		options = append(options, "it fails")
	}
	m.threads.Saw(uint64(len(all)))
	choice := m.threads.Choose("writes", options...)
	switch {
	case m.closed:
		return 0, net.ErrClosed
	case choice > 0:
		m.faults--
		return 0, errCloseWrite
	case m.down:
		m.fail("a write follows CloseWrite")
	}
	m.wire = append(m.wire, all...)
	*buffers = nil
	return int64(len(all)), nil
}

func (t closeTransport) CloseWrite() error {
	t.model.threads.Pause("ends the writing side")
	t.model.down = true
	return nil
}

func (t closeTransport) Close() error {
	t.model.threads.Pause("closes the stream")
	t.model.closed = true
	return nil
}

func (t closeTransport) RemoteAddr() net.Addr { return &net.TCPAddr{} }

func (m *closeModel) Steps() int           { return m.threads.Steps() }
func (m *closeModel) Name(step int) string { return m.threads.Name(step) }
func (m *closeModel) Do(step int)          { m.threads.Do(step) }

func (m *closeModel) Check() error {
	c := m.conn
	switch {
	case m.fault != nil:
		return m.fault
	case c.parts.Load() < 0:
		return fmt.Errorf("more parts have ended than there are")
	case m.observed > 1 || m.done > 1 || m.told[0] > 1 || m.told[1] > 1:
		return fmt.Errorf("the end was observed %d times, waited for %d times, the session told %v times", m.observed, m.done, m.told)
	case m.lates > 0:
		return fmt.Errorf("the session got a message after its end")
	case m.done > 0 && !m.closed:
		return fmt.Errorf("the end was told before the stream was closed")
	}
	return m.checkWire()
}

// checkWire demands whole frames, one close frame at most and nothing after it.
func (m *closeModel) checkWire() error {
	closes := 0
	for rest := m.wire; len(rest) > 0; {
		if len(rest) < 2 || len(rest) < 2+int(rest[1]) || closes > 0 {
			return fmt.Errorf("%x on the wire, behind %d close frames", rest, closes)
		}
		if rest[0] == 0x88 {
			closes++
		}
		rest = rest[2+int(rest[1]):]
	}
	return nil
}

func (m *closeModel) End() error {
	c, s := m.conn, &m.server.host
	for _, thread := range m.threads.Unfinished() {
		switch thread {
		case "session at runs", "flusher at flushes", "timer at rings", "reader at reads":
		default:
			return fmt.Errorf("deadlock: %s", thread)
		}
	}
	if c.phase == open {
		return nil
	}
	_, known := c.Cause()
	closed := 1
	if c.last.request.stop && m.told[0] == 0 {
		closed = 0 // it is told to stop instead
	}
	select {
	case <-c.Done():
	default:
		return fmt.Errorf("the connection is not done")
	}
	switch {
	case c.phase != ended || !known || c.parts.Load() != 0 || !m.closed:
		return fmt.Errorf("phase %d, parts left %d, the stream is closed: %v, the cause known: %v", c.phase, c.parts.Load(), m.closed, known)
	case m.observed != 1 || m.done != 1 || m.told[0] != closed || m.told[1] != 1:
		return fmt.Errorf("the end was observed %d times, waited for %d times, the session told %v times", m.observed, m.done, m.told)
	case s.admitted != 0 || len(s.conns) != 0:
		return fmt.Errorf("the server counts %d connections and keeps %d", s.admitted, len(s.conns))
	case s.engine.Registry.GetPID("websocket/session", c.ID()) != nil || s.engine.Registry.GetPID("websocket/writer", c.ID()) != nil || s.engine.Registry.GetPID("websocket/reader", c.ID()) != nil:
		return fmt.Errorf("a part is still registered")
	case s.pool().InUse() != 0:
		return fmt.Errorf("%d buffers are in use", s.pool().InUse())
	case c.session.queue.length() != 0 || c.session.later.state.Load() != notRunning:
		return fmt.Errorf("the session has ended with %d messages queued, in state %d", c.session.queue.length(), c.session.later.state.Load())
	case c.writer.due.Load() && len(s.flusher.queue) == s.flusher.head:
		return fmt.Errorf("a flush was forgotten")
	}
	return nil
}

func (m *closeModel) State(to []byte) []byte {
	c, s := m.conn, &m.conn.session
	to = m.threads.State(to)
	frames, pinned := c.writer.half.Depth()
	to = fmt.Append(to, ' ', c.phase, c.closeWritten, c.peerDone, c.peerEnded, c.parts.Load(), c.over.Load(), ' ', c.writer.half.Lifecycle().State(), frames, ' ', pinned,
		c.writer.due.Load(), len(m.server.host.flusher.queue)-m.server.host.flusher.head, s.later.state.Load(), s.queue.length(), s.running, s.over, s.deaf, s.told,
		c.reader.discarding, c.reader.gone, c.reader.discarded, ' ', c.reader.credits.bytes.Load(), ' ', c.reader.credits.messages.Load(), c.reader.credits.paused.Load(),
		m.faults, m.wire, m.down, m.closed, m.resumed, m.read, m.paused, m.observed, m.told, m.done, m.lates, len(m.server.host.conns), m.server.BuffersInUse())
	if c.last != nil {
		r := c.last.request
		to = fmt.Append(to, ' ', r.cause, r.order, r.code, r.stop)
	}
	for i := range s.queue.length() {
		to = fmt.Appendf(to, " %T", s.queue.at(i).message)
	}
	box := reflect.ValueOf(c.writer.half).Elem().FieldByName("mailbox")
	for _, name := range []string{"sealed", "ended", "scheduled"} {
		to = fmt.Append(to, box.FieldByName(name).Bool())
	}
	lane := box.FieldByName("control")
	return fmt.Append(to, lane.IsNil() || lane.Elem().FieldByName("closing").IsNil())
}

// Close ends the connection wherever it is.
func (m *closeModel) Close() error {
	c, s := m.conn, &m.server.host
	m.faults = 0
	m.threads.Stop()
	if !c.begin(closeRequest{order: lost}) {
		c.end()
	}
	for c.session.queue.length() > 0 && !c.session.over {
		c.session.running = true
		c.session.hosted.Store(true)
		c.session.run(true)
	}
	for s.flusher.head < len(s.flusher.queue) {
		var chunk [1]*writerProcess
		s.flusher.take(chunk[:])
		chunk[0].flushDue()
	}
	c.writer.flushDue()
	if c.last.timer != nil {
		c.last.timer.Stop()
	}
	if !c.reader.gone {
		c.reader.stop()
	}
	if c.parts.Load() != 0 || s.pool().InUse() != 0 {
		return fmt.Errorf("%d parts are left, %d buffers in use", c.parts.Load(), s.pool().InUse())
	}
	return nil
}

// Whatever ends a connection, and in whatever order and however far several
// ends have come: it ends once, is observed once, tells its session once, and
// each part is counted out once.
func TestEveryOrderOfEndsIsOneEnd(t *testing.T) {
	for _, scenario := range []closeScenario{
		{name: "the peer", peer: []string{"hello", "close", "end"}, users: []string{"sends"}, faults: 1},
		{name: "the user", peer: []string{"close", "end"}, users: []string{"closes", "sends"}, faults: 1},
		{name: "a violation", peer: []string{"hello", "violation", "end"}, users: []string{"closes"}},
		{name: "a lost stream", peer: []string{"hello"}, users: []string{"loses the stream", "closes"}},
		{name: "a slow consumer", peer: []string{"close"}, users: []string{"finds it slow", "sends"}, faults: 1},
		{name: "a stopped session", peer: []string{"hello", "close", "end"}, users: []string{"stops the session", "posts"}},
		{name: "a panic", peer: []string{"hello", "close"}, panics: true, users: []string{"closes"}},
		{name: "an end by force", peer: []string{"close", "end"}, users: []string{"drains", "ends it"}, faults: 1},
		{name: "everybody", peer: []string{"hello", "close", "end"}, users: []string{"closes", "stops the session", "loses the stream", "finds it slow"}, faults: 1, large: true},
		{name: "a crowd of users", peer: []string{"close"}, users: []string{"closes", "drains", "stops the writer", "ends it", "sends"}, large: true},
	} {
		if scenario.large && !explore.Large() {
			continue
		}
		t.Run(strings.ReplaceAll(scenario.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			server, observer := newCloseServer(t)
			explore.All(t, func() explore.System { return newCloseModel(server, observer, &scenario) })
		})
	}
}
