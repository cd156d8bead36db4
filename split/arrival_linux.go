package split

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
)

// arrival is a polled connection during its handshake: its first handler. It is
// gone when the handshake is over.
type arrival struct {
	place
	acceptor  *Acceptor
	transport *polled

	mu        sync.Mutex
	phase     arrivalPhase
	handshake *Handshake // from the first byte until it is decided on
	discarded int        // bytes thrown away while lingering
	next      Handler    // once opened
	early     []byte
}

// arrivalPhase is how far a handshake has come.
type arrivalPhase uint8

const (
	arrivalReading arrivalPhase = iota
	arrivalDeciding
	arrivalOpened    // the stream belongs to the next handler
	arrivalLingering // refused; what still comes is thrown away
	arrivalOver
)

// Fill reads a part of the request.
func (a *arrival) Fill(source io.Reader) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch a.phase {
	case arrivalReading:
		if a.handshake == nil {
			a.handshake = a.acceptor.handshake(a, a.transport.remote)
		}
		n, err := source.Read(a.handshake.room())
		if n > 0 {
			a.handshake.took(n)
		} else if len(a.handshake.buffer) == 0 {
			a.dropHandshake()
		}
		return readResult(n, err)
	case arrivalLingering:
		scratch := a.acceptor.handshake(a, a.transport.remote)
		defer scratch.release()
		n, err := source.Read(scratch.room())
		a.discarded += n
		return readResult(n, err)
	}
	return ErrWouldBlock
}

// Drain looks at what has come.
func (a *arrival) Drain(err error) Verdict {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil && a.phase != arrivalDeciding { // who decides finds out
		a.ended(err)
	}
	switch a.phase {
	case arrivalReading:
		if a.handshake == nil {
			return Park
		}
		whole, err := a.handshake.advance()
		if whole {
			a.phase = arrivalDeciding
			return Pause | WorkDue
		}
		if err == nil {
			return ReadMore
		}
		a.refuse(err)
	case arrivalDeciding, arrivalOpened:
		return Pause
	case arrivalLingering:
		if a.discarded > refusalBytes {
			a.shut()
		}
	}
	if a.phase == arrivalOver {
		return Stop
	}
	return Park
}

// ended deals with the end of the stream. The caller holds the lock, as for
// the following.
func (a *arrival) ended(err error) {
	if a.phase == arrivalReading && a.handshake != nil {
		a.acceptor.failed(endOfRequest(err))
	}
	a.shut()
}

// shut ends the handshake without a word.
func (a *arrival) shut() {
	if a.phase == arrivalOver {
		return
	}
	if a.phase == arrivalReading {
		a.dropHandshake()
	}
	a.phase = arrivalOver
	a.acceptor.leave(&a.place)
	_ = a.transport.Close() // always nil
}

func (a *arrival) dropHandshake() {
	if a.handshake != nil {
		a.handshake.release()
		a.handshake = nil
	}
}

// refuse reports and answers a handshake that will not do.
func (a *arrival) refuse(err error) {
	a.acceptor.failed(err)
	var untold *ProxyHeaderError
	if errors.As(err, &untold) {
		a.shut()
		return
	}
	response := refusalResponse(err)
	if a.phase == arrivalReading {
		a.dropHandshake()
	}
	a.phase = arrivalLingering
	n, err := a.transport.writeOnce(response)
	if err != nil || n < len(response) || a.transport.CloseWrite() != nil {
		a.shut()
		return
	}
	a.acceptor.linger(&a.place)
}

// Work lets the application decide.
func (a *arrival) Work(bool) {
	a.mu.Lock()
	h, due := a.handshake, a.phase == arrivalDeciding
	a.handshake = nil
	a.mu.Unlock()
	if h == nil {
		return
	}
	var err error = ErrDecidePanic
	defer func() { // also when the application ends this goroutine
		a.decided(h, err)
		h.release()
	}()
	if !due {
		return // its time was over before anybody came to it
	}
	err = h.decide()
}

// Late has nothing to tell: nobody waits for a decision.
func (a *arrival) Late() {}

// decided ends the handshake, unless it has become a connection.
func (a *arrival) decided(h *Handshake, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase != arrivalDeciding {
		a.acceptor.leave(&a.place) // if its time was over before
		return
	}
	if h.answered { // and the stream has failed
		a.acceptor.failed(err)
		a.shut()
		return
	}
	a.refuse(err)
	a.transport.Resume()
}

// open answers the handshake; see [channel].
func (a *arrival) open(h *Handshake, response, early []byte, next Handler) (Transport, error) {
	n, err := a.transport.writeOnce(response)
	if err == ErrWouldBlock || err == nil && n < len(response) {
		rest := net.Buffers{response[n:]}
		_, err = a.transport.Write(&rest, a.acceptor.config.Timeout)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err == nil && a.phase != arrivalDeciding {
		err = net.ErrClosed
	}
	if err != nil {
		_ = a.transport.Close() // always nil
		return nil, &TransportError{Operation: "handshake", Err: err}
	}
	a.transport.remote = h.remote
	a.phase, a.next, a.early = arrivalOpened, next, early
	a.acceptor.leave(&a.place)
	return a.transport, nil
}

func (a *arrival) stream() net.Conn { return nil }

// successor returns the handler that the stream goes on with, if there is one.
func (a *arrival) successor() (next Handler, early []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.next, a.early
}

// expire ends a handshake whose time is over.
func (a *arrival) expire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch a.phase {
	case arrivalReading:
		if a.handshake != nil {
			a.refuse(errHandshakeTimeout)
			return
		}
		a.shut()
	case arrivalDeciding: // counted until it is decided on, or any number could wait for that
		a.acceptor.failed(errHandshakeTimeout)
		a.phase = arrivalOver
		_ = a.transport.Close() // always nil
	case arrivalLingering:
		a.shut()
	}
}

// cancel ends a handshake that has not brought its request.
func (a *arrival) cancel() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase == arrivalReading {
		a.shut()
	}
}

// adopt gives the stream to the handler that follows a handshake, if there is
// one. It runs on the loop.
func (t *polled) adopt() (adopted bool) {
	a, ok := t.handler.(*arrival)
	if !ok {
		return false
	}
	next, early := a.successor()
	if next == nil {
		return false
	}
	t.mu.Lock() // the monitor may look at the worker
	t.handler, t.early = next, early
	t.worker, _ = next.(Worker)
	t.mu.Unlock()
	return true
}

// late tells the work that it has lost the loop.
func (t *polled) late() {
	t.mu.Lock()
	worker := t.worker
	t.mu.Unlock()
	if worker != nil {
		worker.Late()
	}
}

// writeOnce writes what the descriptor takes of p at once.
func (t *polled) writeOnce(p []byte) (int, error) {
	if !t.acquire() {
		return 0, net.ErrClosed
	}
	defer t.release()
	n, err := socketWrite(t.descriptor, p)
	if err != nil && err != ErrWouldBlock {
		err = os.NewSyscallError("sendto", err)
	}
	return n, err
}
