package actor

import (
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	hollywood "github.com/anthdm/hollywood/actor"
	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// host is what connections share, and where they are known: a [Server] or a
// [Dialer] has one. It knows nothing of how their streams came about.
type host struct {
	engine   *Engine
	role     wscore.Role
	config   ConnConfig
	halves   split.Config
	wheel    wheel
	credits  creditLimits
	flusher  flusher
	watch    flushWatch
	letters  *deadLetters
	finished sync.Once
	left     func(*Conn) // called for each connection when nothing of it is left; nil for nobody
	rates    rateLimits

	mu       sync.Mutex
	conns    map[uint64]*Conn // by number
	admitted int              // open connections and those about to open
	draining bool             // nobody is admitted any more
	cut      bool             // a shutdown has run out of time
	live     sync.WaitGroup   // admitted connections with a part that has not ended
	drain    drain

	telling sync.Mutex // held while the observer is told of a shutdown's stage
	losses  losses
}

// losses counts the messages that were lost with connections.
type losses struct {
	split.Observer
	lost atomic.Int64
}

// FramesDropped counts and passes on.
func (l *losses) FramesDropped(reason split.DropReason, frames int) {
	if reason == split.DropLost {
		l.lost.Add(int64(frames))
	}
	l.Observer.FramesDropped(reason, frames)
}

// init makes a host whose settings have their defaults.
func (h *host) init(engine *Engine, role wscore.Role, config ConnConfig) error {
	switch {
	case contextLayoutError != nil:
		return contextLayoutError
	case engine == nil:
		return &ConfigError{Field: "engine", Value: nil, Range: "an engine"}
	}
	h.losses.Observer = config.Observer
	halves, err := config.halves(&h.losses)
	if err != nil {
		return err
	}
	if h.drain.config, err = (DrainConfig{}).withDefaults(); err != nil {
		return err
	}
	h.letters = collectDeadLetters(engine)
	h.engine, h.role, h.config, h.halves, h.conns = engine, role, config, halves, make(map[uint64]*Conn)
	h.credits = creditLimits{bytes: int64(config.InboundBytes), messages: int64(config.InboundMessages), clock: &h.wheel.now}
	h.rates = config.InboundRate.limits()
	return nil
}

// begin is the last step of making a server or a dialer: from here on dead letters
// to its name are its observer's.
func (h *host) begin() { h.letters.observe(h.config.Name, h.config.Observer) }

// finish follows the end of all its connections. It may be called more than once.
func (h *host) finish() { h.finished.Do(func() { h.letters.ended(h.config.Name) }) }

func (h *host) pool() *split.Pool { return h.halves.Pool }

// admit reserves one of at most that many places for a connection, before its
// session is made.
func (h *host) admit(most int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.draining:
		return ErrDraining
	case h.admitted >= most:
		return ErrTooManyConnections
	}
	h.admitted++
	h.live.Add(1)
	return nil
}

// attach makes a connection of a stream whose handshake is done.
func (h *host) attach(stream net.Conn, early []byte, answer wscore.Answer, receiver Receiver) (*Conn, error) {
	return h.adopt(answer, receiver, false, func(handler split.Handler) (split.Transport, error) {
		return h.take(stream, early, handler)
	})
}

// take gives a stream to the readiness.
func (h *host) take(stream net.Conn, early []byte, handler split.Handler) (split.Transport, error) {
	transport, err := h.config.Readiness.Attach(stream, early, handler)
	if err != nil {
		_ = stream.Close()
		return nil, &split.TransportError{Operation: "attach", Err: err}
	}
	return transport, nil
}

// adopt makes a connection whose stream take returns. greets says that its
// Start calls Drain, which then lets the session run without a goroutine.
func (h *host) adopt(answer wscore.Answer, receiver Receiver, greets bool, take func(split.Handler) (split.Transport, error)) (*Conn, error) {
	reader, writer, err := split.New(h.role, &h.halves, answer.Deflate)
	if err != nil {
		return nil, err
	}
	c := &Conn{host: h, number: connCount.Add(1), subprotocol: answer.Subprotocol, opened: time.Since(epoch)}
	c.parts.Store(3)
	c.name()
	c.reader.conn, c.reader.half, c.reader.credits.limits = c, reader, &h.credits
	if h.rates.any() {
		c.reader.rate = &inboundRate{messages: bucket{empty: c.opened}, bytes: bucket{empty: c.opened}}
	}
	c.writer.conn, c.writer.half = c, writer
	c.session.conn = c
	initContext(&c.session.context, h.engine, c.session.PID(), receiver)
	if c.transport, err = take(&c.reader); err != nil {
		reader.Discard()
		writer.Shut()
		return nil, err
	}
	writer.Bind(c.transport)
	writer.OnFull(&c.writer)

	h.config.Observer.ConnectionOpened(c.readiness()) // before anybody can close it
	h.engine.SpawnProc(&c.session)
	// Nobody knew the connection up to here. Its end, which may come at once,
	// waits for this lock before it forgets what is put down now.
	h.mu.Lock()
	draining, cut := h.draining, h.cut
	h.conns[c.number] = c
	c.startHeartbeat() // its limits may end the connection, which must be listed by then
	for _, first := range [...]any{Initialized{}, Started{}, Opened{Conn: c}} {
		if !c.session.enqueue(envelope{message: first, sender: internal}) {
			continue
		}
		if greets {
			c.session.hosted.Store(true)
			c.reader.workDue = true
		} else {
			go c.session.run(false)
		}
	}
	h.mu.Unlock()
	c.logOpened()
	c.transport.Start()
	if draining {
		c.drain() // it was admitted before the shutdown began
	}
	if cut {
		c.end()
	}
	return c, nil
}

// readiness names what wakes the connection's reader.
func (c *Conn) readiness() string {
	if kind, ok := c.transport.(fmt.Stringer); ok {
		return kind.String()
	}
	return c.host.config.Readiness.String()
}

// forget takes an ended connection out of the host.
func (h *host) forget(c *Conn, acknowledged bool) {
	h.wheel.remove(&c.beat.entry)
	if c.reader.rate != nil {
		h.wheel.remove(&c.reader.rate.entry)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c.number)
	switch {
	case !h.drain.began:
	case acknowledged:
		h.drain.acknowledged++
	default:
		h.drain.cutOff++
	}
}

// leave gives up an admitted connection's place; nil stands for one that never
// opened. A session that is stuck keeps it, so that there are never more of
// those than connections allowed.
func (h *host) leave(c *Conn) {
	h.mu.Lock()
	h.admitted--
	h.mu.Unlock()
	if c != nil && h.left != nil {
		h.left(c)
	}
	h.live.Done()
}

// refuseMessage reports a message to a connection's PID that cannot be taken.
func (h *host) refuseMessage(pid *PID, message any, sender *PID) {
	h.config.Observer.MessageRefused()
	h.letters.refuse(hollywood.DeadLetterEvent{Target: pid, Message: message, Sender: sender})
}

// recovered reports a panic in user code or in one of our own processes.
func (h *host) recovered(part string, c *Conn, value any) {
	h.config.Observer.Panicked(part)
	stack := debug.Stack()
	if before, ok := value.(*split.PanicError); ok {
		value, stack = before.Value, before.Stack
	}
	fields := []zap.Field{zap.String("part", part), zap.Any("panic", value), zap.ByteString("stack", stack)}
	if c != nil {
		fields = append(fields, zap.String("connection", c.ID()))
	}
	h.config.Logger.Error("websocket panic", fields...)
}

// produce makes a session by the user's function and survives it.
func (h *host) produce(newSession func() (Receiver, error)) (receiver Receiver, err error) {
	defer func() {
		if v := recover(); v != nil {
			h.recovered("producer", nil, v)
			receiver, err = nil, ErrSessionPanic
		}
	}()
	receiver, err = newSession()
	if err == nil && receiver == nil {
		err = errNoReceiver
	}
	return receiver, err
}

var errNoReceiver = errors.New("websocket: session producer returned neither a receiver nor an error")

// conn returns the open connection with that id, or nil.
func (h *host) conn(id string) *Conn {
	number, ok := numbered(id)
	if !ok {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.conns[number]; c != nil && c.ID() == id { // there are other ways to write a number
		return c
	}
	return nil
}

func (h *host) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}
