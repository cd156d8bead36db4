package actor

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/wscore"
)

// A shutdown goes through stages: first the server only says that it is not
// ready, then it accepts nobody any more and closes what is open bit by bit,
// then it waits. Whatever a stage waits for, a second call of Shutdown or the
// end of its context cuts the wait short.

// DrainConfig says how [Server.Shutdown] closes the open connections. The zero
// value closes all of them at once, without a delay, with 1001.
//
// A context whose deadline is too near for all of it shortens Spread first and
// Delay next, so that CloseTimeout, or half of the time if that is less, is
// left for the closes themselves.
type DrainConfig struct {
	// Delay is how long the server goes on accepting, though it says that it is
	// not ready, so that load balancers turn to other servers before this one
	// refuses anybody. No close begins before. Default: 0. Range: up to 1 h.
	Delay time.Duration
	// Spread is the time over which the closes then begin, evenly and in random
	// order, so that not all clients come back at the same moment; the last one
	// begins before it is over. Default: 0, all at once. Range: up to 1 h.
	Spread time.Duration
	// Code is what connections are closed with: 1001 (going away), 1012
	// (service restart), or any other that may be sent; 1005 for none.
	// Default: 1001.
	Code CloseCode
	// Reason is the text beside it, at most 123 bytes of UTF-8.
	// Default: "server is shutting down"; none with 1005.
	Reason string
}

// drainTick is the least time between two batches of closes.
const drainTick = wheelTick

// cutGrace is what sessions get to see their end in once a shutdown has run
// out of time.
const cutGrace = 100 * time.Millisecond

func (c DrainConfig) withDefaults() (DrainConfig, error) {
	fill(&c.Code, wscore.CloseGoingAway)
	if c.Code != wscore.CloseNoStatus {
		fill(&c.Reason, "server is shutting down")
	}
	if wscore.CheckClose(c.Code, "") != nil {
		return c, &ConfigError{Field: "Drain.Code", Value: c.Code, Range: "a code that may be sent, such as 1001 or 1012"}
	}
	if wscore.CheckClose(c.Code, c.Reason) != nil {
		return c, &ConfigError{Field: "Drain.Reason", Value: c.Reason, Range: "at most 123 bytes of UTF-8, none with 1005"}
	}
	return c, firstError(inRange("Drain.Delay", c.Delay, 0, time.Hour), inRange("Drain.Spread", c.Spread, 0, time.Hour))
}

// within returns the delay and the spread that fit into so much time.
func (c DrainConfig) within(left, closeTimeout time.Duration) (delay, spread time.Duration) {
	left = max(0, left)
	left -= min(closeTimeout, left/2)
	delay = min(c.Delay, left)
	return delay, min(c.Spread, left-delay)
}

// DrainStage is how far a shutdown has come.
type DrainStage uint8

// The stages, in order.
const (
	DrainWaiting  DrainStage = iota // not ready, but accepting still, for DrainConfig.Delay
	DrainClosing                    // refusing, and beginning to close what is open
	DrainEmptying                   // every close has begun; the ends are waited for
	DrainCut                        // the time is up, and what is left is cut off
	DrainDone                       // Shutdown returns

	// DrainStages is the number of stages.
	DrainStages = iota
)

// String returns the stage as used in metric labels.
func (s DrainStage) String() string {
	switch s {
	case DrainWaiting:
		return "waiting"
	case DrainClosing:
		return "closing"
	case DrainEmptying:
		return "emptying"
	case DrainCut:
		return "cut"
	}
	return "done"
}

// DrainReport says how the connections ended that were open when a shutdown
// began or opened after that.
type DrainReport struct {
	// Acknowledged ended in order: our close frame had left, and the peer had
	// answered it, closed first, or broken a rule.
	Acknowledged int
	// CutOff ended in any other way: lost, not answered within CloseTimeout, or
	// cut off when the shutdown's time was up.
	CutOff int
	// Dropped is how many messages were lost with connections: queued for
	// sending or being written as they ended, or dropped by the close of a slow
	// or silent peer.
	Dropped int
	// Unfinished is how many connections have not ended or have a session that
	// has not returned from Receive.
	Unfinished int
}

// DrainError is a shutdown that ended before all connections had. It wraps the
// context's error.
type DrainError struct {
	DrainReport
	Err error
}

// Error tells the report's numbers.
func (e *DrainError) Error() string {
	return fmt.Sprintf("websocket: shutdown cut short: %d connections ended in order, %d were cut off, %d messages dropped, %d sessions unfinished: %v",
		e.Acknowledged, e.CutOff, e.Dropped, e.Unfinished, e.Err)
}

// Unwrap returns the context's error.
func (e *DrainError) Unwrap() error { return e.Err }

// drain is the shutdown of a host. The host's lock guards it.
type drain struct {
	config  DrainConfig
	began   bool
	hurried bool
	hurry   chan struct{} // closed when nobody waits any longer for a better moment
	asked   chan struct{} // closed when every connection has been asked to close
	ended   chan struct{} // closed when all have ended
	stops   []*func()     // what ends the accepting
	told    int           // stages that the observer was told of

	acknowledged, cutOff int
	lostBefore           int64 // messages, before it began
}

// beginDrain makes the host not ready. It reports false, and hurries the
// shutdown that is under way, if that has happened before.
func (h *host) beginDrain() (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := &h.drain
	if d.began {
		if !d.hurried {
			d.hurried = true
			close(d.hurry)
		}
		return false
	}
	d.began, d.lostBefore = true, h.losses.lost.Load()
	d.hurry, d.asked, d.ended = make(chan struct{}), make(chan struct{}), make(chan struct{})
	return true
}

// ready returns nil, or [ErrDraining] once a shutdown has begun.
func (h *host) ready() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drain.began {
		return ErrDraining
	}
	return nil
}

// stopAccepting registers what ends the accepting of connections, such as a
// listener's Close. It is called once, when a shutdown gets there, or now if
// one has. forget takes it back.
func (h *host) stopAccepting(stop func()) (forget func()) {
	h.mu.Lock()
	refusing := h.draining
	if !refusing {
		h.drain.stops = append(h.drain.stops, &stop)
	}
	h.mu.Unlock()
	if refusing {
		stop()
	}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		for i, registered := range h.drain.stops {
			if registered == &stop {
				h.drain.stops = append(h.drain.stops[:i:i], h.drain.stops[i+1:]...)
				return
			}
		}
	}
}

// refuse admits nobody any more.
func (h *host) refuse() {
	h.mu.Lock()
	h.draining = true
	stops := h.drain.stops
	h.drain.stops = nil
	h.mu.Unlock()
	for _, stop := range stops {
		(*stop)()
	}
	go func() {
		h.live.Wait()
		close(h.drain.ended)
	}()
}

// reached tells the observer of a stage, once, and of none before it.
func (h *host) reached(stage DrainStage) {
	h.telling.Lock()
	defer h.telling.Unlock()
	h.mu.Lock()
	news, left := int(stage) >= h.drain.told, len(h.conns)
	if news {
		h.drain.told = int(stage) + 1
	}
	h.mu.Unlock()
	if news {
		h.config.Observer.Draining(stage, left)
		h.config.Logger.Info("websocket shutdown", zap.Stringer("stage", stage), zap.Int("connections", left))
	}
}

// shutdown drains the host; see [Server.Shutdown].
func (h *host) shutdown(ctx context.Context) error {
	d := &h.drain
	if h.beginDrain() {
		delay, spread := d.config.Delay, d.config.Spread
		if deadline, ok := ctx.Deadline(); ok {
			delay, spread = d.config.within(time.Until(deadline), h.config.CloseTimeout)
		}
		h.reached(DrainWaiting)
		d.wait(ctx, delay)
		h.refuse()
		h.reached(DrainClosing)
		h.closeAll(ctx, spread)
		h.reached(DrainEmptying)
		close(d.asked)
	}
	<-d.asked // soon: who began the shutdown waits for nothing any more
	defer h.reached(DrainDone)
	select {
	case <-d.ended:
		return nil
	case <-ctx.Done():
	}
	if h.len() > 0 {
		h.reached(DrainCut)
	}
	cut := h.cutOff()
	grace := time.NewTimer(cutGrace)
	defer grace.Stop()
	select {
	case <-d.ended:
		if cut == 0 {
			return nil // all had closed, and only their sessions had not seen it yet
		}
	case <-grace.C:
	}
	return &DrainError{DrainReport: h.drainReport(), Err: ctx.Err()}
}

// startDraining is a shutdown in one stage that nobody is told of and that does
// not wait; drain.ended tells its end.
func (h *host) startDraining() {
	if h.beginDrain() {
		h.refuse()
		h.closeAll(context.Background(), 0)
		close(h.drain.asked)
	}
}

// wait waits for that time; it reports false if it was cut short.
func (d *drain) wait(ctx context.Context, how time.Duration) bool {
	timer := time.NewTimer(how) // fires at once if that is not positive
	defer timer.Stop()
	select {
	case <-d.hurry:
		return false
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// closeAll asks every open connection to close, over that time. Those that open
// later are asked as they do.
func (h *host) closeAll(ctx context.Context, spread time.Duration) {
	conns := h.open()
	rand.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })
	asked := 0
	ask := func(upTo int) {
		for ; asked < upTo; asked++ {
			conns[asked].drain()
			conns[asked] = nil
		}
	}
	defer func() { ask(len(conns)) }()
	if spread <= 0 {
		return
	}
	batches := max(1, int64(spread/drainTick))
	every := spread / time.Duration(batches)
	next := time.Now().Add(rand.N(every)) // several servers do not keep step
	for batch := int64(1); batch <= batches; batch++ {
		if !h.drain.wait(ctx, time.Until(next)) {
			return
		}
		ask(int(int64(len(conns)) * batch / batches))
		next = next.Add(every)
	}
}

// cutOff ends what is left, and returns how many connections that is.
func (h *host) cutOff() (cut int) {
	h.mu.Lock()
	h.cut = true
	h.mu.Unlock()
	conns := h.open()
	for _, c := range conns {
		c.end()
	}
	return len(conns)
}

// open returns the open connections.
func (h *host) open() []*Conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	conns := make([]*Conn, 0, len(h.conns))
	for _, c := range h.conns {
		conns = append(conns, c)
	}
	return conns
}

func (h *host) drainReport() DrainReport {
	h.mu.Lock()
	defer h.mu.Unlock()
	d := &h.drain
	report := DrainReport{Acknowledged: d.acknowledged, CutOff: d.cutOff}
	if d.began {
		report.Unfinished, report.Dropped = h.admitted, int(h.losses.lost.Load()-d.lostBefore)
	}
	return report
}

// drain asks the connection to close.
func (c *Conn) drain() {
	config := &c.host.drain.config
	c.begin(closeRequest{cause: CauseDrain, order: afterQueued, code: config.Code, reason: config.Reason})
}
