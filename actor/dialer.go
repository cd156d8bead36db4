package actor

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// NewDialedSession makes the session of a connection that a [Dialer] opened: a
// new one, or the one of before, since sessions of one dialer never overlap. An
// error closes the connection with 1008 and, by default, ends the dialer; so
// does a panic.
type NewDialedSession func(*Established) (Receiver, error)

// Dialer keeps one connection to a server: it connects, and when the connection
// ends connects again, after a wait and as long as that makes sense (see
// [Attempt]). Each connection has a session of its own, which receives what a
// server's session does. The next attempt begins when the session has received
// its end.
//
// A dialer ends by itself, by [Dialer.Shutdown], or when its PID is stopped or
// poisoned. It takes one goroutine, and another while it is connected.
type Dialer struct {
	host       host
	newSession NewDialedSession
	config     DialerConfig
	pid        *PID
	left       chan struct{} // a session has ended

	ctx    context.Context // of the whole dialer
	cancel context.CancelFunc
	done   chan struct{}

	mu     sync.Mutex
	ended  bool
	err    error
	onDone []func()
}

// NewDialer makes a dialer whose actors run on the engine, and begins to
// connect. The error is a [*ConfigError] or what [split.DialConfig.Check]
// reports, before anything is dialed, or [ErrHollywoodVersion].
func NewDialer(engine *Engine, newSession NewDialedSession, config DialerConfig) (*Dialer, error) {
	if newSession == nil {
		return nil, &ConfigError{Field: "newSession", Value: nil, Range: "a function"}
	}
	config, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &Dialer{newSession: newSession, config: config, left: make(chan struct{}, 1), done: make(chan struct{})}
	if err := d.host.init(engine, wscore.Client, config.ConnConfig); err != nil {
		return nil, err
	}
	d.host.drain.config = DrainConfig{Code: wscore.CloseGoingAway, Reason: "client is shutting down"}
	d.host.left = func(*Conn) { d.left <- struct{}{} }
	d.config.Dial.Deflate = d.host.halves.Deflate
	d.pid = &PID{Address: engine.Address(), ID: config.Name + "/dialer/" + connPrefix + strconv.FormatUint(connCount.Add(1), 36)}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.host.begin()
	engine.SpawnProc(&dialerProcess{d})
	go d.run()
	return d, nil
}

// PID returns the dialer's address, which stays the same from connection to
// connection. What a [Conn]'s PID takes is passed on to the current connection,
// and is a dead letter while there is none. Stopping or poisoning it ends the
// dialer.
func (d *Dialer) PID() *PID { return d.pid }

// Conn returns the open connection, or nil while there is none.
func (d *Dialer) Conn() *Conn {
	d.host.mu.Lock()
	defer d.host.mu.Unlock()
	for _, c := range d.host.conns {
		return c
	}
	return nil
}

// Done returns a channel that is closed when the dialer has ended.
func (d *Dialer) Done() <-chan struct{} { return d.done }

// Err returns why the dialer ended: nil while it has not, and if it was told to
// or the last connection was closed with 1000, else a [*GaveUpError].
func (d *Dialer) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

// BuffersInUse returns how many message buffers are out; see
// [Server.BuffersInUse].
func (d *Dialer) BuffersInUse() int { return d.host.pool().InUse() }

// Shutdown ends the dialer: an attempt or a wait at once, an open connection
// with 1001 behind the messages that are queued for it. It waits until the
// connection and its session have ended. When the context ends first, the
// stream is closed at once and the context's error is returned.
func (d *Dialer) Shutdown(ctx context.Context) error {
	d.stop()
	select {
	case <-d.host.drain.ended:
	case <-ctx.Done():
		d.host.cutOff()
		return ctx.Err()
	}
	select {
	case <-d.done:
		return nil
	case <-ctx.Done(): // a hook has not returned
		return ctx.Err()
	}
}

// stop is Shutdown without the wait.
func (d *Dialer) stop() {
	d.cancel()
	d.host.startDraining()
}

// run is the life of a dialer.
func (d *Dialer) run() {
	number := 0 // attempts in a row
	returned := false
	defer func() {
		if !returned { // a function of the application called runtime.Goexit
			d.host.recovered("producer", nil, "runtime.Goexit was called")
			if d.ctx.Err() == nil {
				d.giveUp(Attempt{Number: number, Err: &RejectedError{Err: ErrSessionPanic}})
			}
		}
		d.finish()
	}()
	d.connectAgain(&number)
	returned = true
}

// connectAgain goes from one attempt to the next until there is none.
func (d *Dialer) connectAgain(number *int) {
	var last *Attempt
	for d.ctx.Err() == nil {
		*number++
		attempt := d.attempt(*number, last)
		if d.ctx.Err() != nil {
			d.tell(Disconnected{Dialer: d.pid, Attempt: attempt})
			return
		}
		if attempt.Uptime >= d.config.StableAfter {
			*number, attempt.Number = 0, 0
		}
		decision := d.decide(&attempt)
		d.tell(Disconnected{Dialer: d.pid, Attempt: attempt, Again: decision.Again, After: decision.After})
		d.host.config.Logger.Debug("websocket dialer disconnected", zap.String("dialer", d.pid.ID), zap.Int("attempt", attempt.Number),
			zap.Bool("again", decision.Again), zap.Duration("after", decision.After), zap.Error(attempt.err()))
		if !decision.Again {
			d.giveUp(attempt)
			return
		}
		if last = &attempt; !d.sleep(decision.After) {
			return
		}
	}
}

// sleep waits; it reports false when the dialer has been ended.
func (d *Dialer) sleep(wait time.Duration) bool {
	timer := time.NewTimer(max(0, wait))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-d.ctx.Done():
		return false
	}
}

// attempt connects and stays until the connection has ended.
func (d *Dialer) attempt(number int, last *Attempt) Attempt {
	attempt := Attempt{Number: number}
	conn, err := d.connect(number, last)
	if err != nil {
		attempt.Err = err
		if d.ctx.Err() == nil {
			d.host.config.Observer.DialFailed(dialFailure(err))
		}
		return attempt
	}
	<-conn.Done()
	attempt.Uptime = conn.age()
	closed, _ := conn.Cause()
	attempt.Closed = &closed
	select {
	case <-d.left:
	case <-d.ctx.Done(): // a session that is stuck is not waited for then
	}
	return attempt
}

// connect opens a connection with a session.
func (d *Dialer) connect(number int, last *Attempt) (*Conn, error) {
	next := NextDial{Attempt: number, Last: last, Dial: d.config.Dial}
	next.Dial.Header, next.Dial.ProxyHeader = copied(next.Dial.Header), copied(next.Dial.ProxyHeader)
	if err := d.prepare(&next); err != nil {
		return nil, err
	}
	next.Dial.Deflate, next.Dial.Timeout = d.config.Dial.Deflate, d.config.HandshakeTimeout
	d.tell(Connecting{Dialer: d.pid, Attempt: number})
	dialed, err := split.Dial(d.ctx, next.Dial)
	if err != nil {
		return nil, err
	}
	attached := false
	defer func() { // also when the producer ends this goroutine
		if !attached {
			_ = dialed.Conn.Close()
		}
	}()
	receiver, refusal := d.host.produce(func() (Receiver, error) {
		return d.newSession(&Established{dialed: dialed, attempt: number})
	})
	if refusal != nil {
		receiver = nobody{}
	}
	if err := d.host.admit(1); err != nil {
		return nil, err
	}
	conn, err := d.host.attach(dialed.Conn, dialed.Early, wscore.Answer{Subprotocol: dialed.Subprotocol, Deflate: dialed.Deflate}, receiver)
	if err != nil {
		d.host.leave(nil)
		return nil, err
	}
	attached = true
	if refusal != nil {
		conn.begin(closeRequest{cause: CauseUser, order: discardQueued, code: wscore.ClosePolicyViolation, reason: "refused"})
		<-conn.Done()
		<-d.left
		return nil, &RejectedError{Err: refusal}
	}
	return conn, nil
}

// copied returns header fields that may be changed, also if there were none.
func copied(header http.Header) http.Header {
	if header == nil {
		return make(http.Header)
	}
	return header.Clone()
}

// prepare calls the user's hook and survives it.
func (d *Dialer) prepare(next *NextDial) (err error) {
	if d.config.Prepare == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			d.host.recovered("producer", nil, v)
			err = &RejectedError{Err: ErrSessionPanic}
		}
	}()
	if err := d.config.Prepare(d.ctx, next); err != nil {
		return &RejectedError{Err: err}
	}
	return nil
}

// nobody is the session of a connection that is refused.
type nobody struct{}

// Receive does nothing.
func (nobody) Receive(*Context) {}

func (d *Dialer) giveUp(attempt Attempt) {
	if attempt.Closed != nil && attempt.Closed.Code == wscore.CloseNormal {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = &GaveUpError{Attempt: attempt}
}

// tell sends an event to the actor that wants them.
func (d *Dialer) tell(event any) {
	if d.config.Events != nil {
		d.host.engine.Send(d.config.Events, event)
	}
}

// finish is the end of every dialer.
func (d *Dialer) finish() {
	d.stop() // also if it gave up by itself
	d.host.engine.Registry.Remove(d.pid)
	d.host.finish()
	d.mu.Lock()
	d.ended = true
	onDone := d.onDone
	d.onDone = nil
	d.mu.Unlock()
	close(d.done)
	for _, f := range onDone {
		f()
	}
}

// whenDone calls f once the dialer has ended, at once if it has.
func (d *Dialer) whenDone(f func()) {
	d.mu.Lock()
	if !d.ended {
		d.onDone = append(d.onDone, f)
		d.mu.Unlock()
		return
	}
	d.mu.Unlock()
	f()
}

// GaveUpError is why a [Dialer] ended by itself. It wraps the last attempt's
// error: what [split.Dial] returned, a [*RejectedError], or Closed.Err.
type GaveUpError struct{ Attempt Attempt }

// Error tells how the last attempt ended.
func (e *GaveUpError) Error() string {
	text := "websocket: dialer gave up at attempt " + strconv.Itoa(e.Attempt.Number)
	if c := e.Attempt.Closed; c != nil {
		text += ": connection closed with " + c.Code.String()
	}
	if err := e.Unwrap(); err != nil {
		text += ": " + err.Error()
	}
	return text
}

// Unwrap returns the last attempt's error, nil for a connection that ended in
// order.
func (e *GaveUpError) Unwrap() error { return e.Attempt.err() }

// RejectedError is a connection that the application did not want: its
// [NewDialedSession] or DialerConfig.Prepare returned the error or, for
// [ErrSessionPanic], panicked.
type RejectedError struct{ Err error }

// Error names the application's error.
func (e *RejectedError) Error() string {
	return "websocket: connection refused by this side: " + e.Err.Error()
}

// Unwrap returns the application's error.
func (e *RejectedError) Unwrap() error { return e.Err }

// dialFailure names why an attempt brought no connection, for metrics.
func dialFailure(err error) string {
	var rejected *RejectedError
	var proxy *split.ProxyError
	var refusal *split.RefusalError
	var transport *split.TransportError
	var handshake *wscore.HandshakeError
	switch {
	case errors.As(err, &rejected):
		return "rejected"
	case errors.As(err, &proxy):
		return "proxy"
	case errors.As(err, &refusal):
		return "status"
	case errors.As(err, &transport):
		return transport.Operation
	case errors.As(err, &handshake) && handshake.Side == wscore.Remote:
		return "answer"
	}
	return "request"
}
