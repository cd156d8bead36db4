package actor

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	hollywood "github.com/anthdm/hollywood/actor"

	"github.com/tandem-ws/tandem/split"
)

// sessionProcess hosts the user's Receiver: a Hollywood process with a bounded
// queue, in which a panic ends its own connection and nothing else.
type sessionProcess struct {
	conn     *Conn
	pid      PID
	context  Context
	borrowed Message // the message that Receive sees

	mu      sync.Mutex
	queue   *sessionQueue // nil for none
	foreign int32         // entries that other actors sent
	running bool          // a goroutine works off the queue
	over    bool          // the session has ended: nothing more is queued

	later   flushLater
	hosted  atomic.Bool // it runs where somebody else watches how long that takes
	watched atomic.Bool // it is in the host's flushWatch
	seen    bool        // guarded by the flushWatch: something was due at the last look

	// Touched only by the goroutine that works off the queue.
	deaf bool // the Receiver gets no more messages from its peer
	told bool // the Receiver was given Stopped

	received uint8 // counts messages, to time some of them
}

// envelope is an entry of the queue. A message from the peer is a
// *split.Buffer, which the queue owns.
type envelope struct {
	message any
	sender  *PID // internal if no other actor sent it
}

// internal is the sender of what the connection tells its own session.
var internal = &PID{}

func (e *envelope) foreign() bool { return e.sender != internal }

// closeMarker stands behind the last message before a close: our close frame
// may leave once it is reached.
type closeMarker struct{ stop bool }

// endMarker stands at the end.
type endMarker struct{}

// Start, Invoke and Shutdown complete Hollywood's Processer.
func (s *sessionProcess) Start() {}

// Invoke is not used: messages come through Send.
func (s *sessionProcess) Invoke([]hollywood.Envelope) {}

// Shutdown closes the connection.
func (s *sessionProcess) Shutdown() { s.conn.stopped(afterSession, true) }

// PID returns the session's address.
func (s *sessionProcess) PID() *PID { return &s.pid }

// Send queues a message from another actor. A stop request closes the
// connection: a graceful one once the session has handled what was delivered.
func (s *sessionProcess) Send(pid *PID, message any, sender *PID) {
	if pill, ok := asPoisonPill(message); ok {
		s.conn.whenDone(pill.cancel)
		if !pill.graceful {
			s.dropQueued()
		}
		s.conn.stopped(afterSession, true)
		return
	}
	s.post(envelope{message: message, sender: sender})
}

// post queues an entry and sees to it that it is handled.
func (s *sessionProcess) post(e envelope) {
	if s.enqueue(e) {
		go s.run(false)
	}
}

// enqueue queues an entry, or releases it when the session has ended or the
// bound on messages from other actors is reached. With start the caller must
// see to it that the session runs, and nobody else will.
func (s *sessionProcess) enqueue(e envelope) (start bool) {
	s.mu.Lock()
	if s.over || e.foreign() && int(s.foreign) >= s.conn.host.config.SessionMailbox {
		s.mu.Unlock()
		s.release(e)
		return false
	}
	if s.queue == nil {
		s.queue = borrowQueue()
	}
	s.queue.push(e)
	if e.foreign() {
		s.foreign++
	}
	start = !s.running
	s.running = true
	s.mu.Unlock()
	return start
}

// rest ends the run, unless there is something to handle or to flush.
func (s *sessionProcess) rest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue.length() > 0 || !s.later.end() {
		return false
	}
	s.running = false
	s.queue.giveBack()
	s.queue = nil
	return true
}

// next takes the oldest entry.
func (s *sessionProcess) next() (envelope, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queue.length() == 0 {
		return envelope{}, false
	}
	e := s.queue.pop()
	if e.foreign() {
		s.foreign--
	}
	return e, true
}

// dropQueued releases what the session has not begun to handle.
func (s *sessionProcess) dropQueued() {
	s.mu.Lock()
	var dropped []envelope
	for range s.queue.length() {
		e := s.queue.pop()
		if _, peer := e.message.(*split.Buffer); peer || e.foreign() {
			dropped = append(dropped, e)
		} else {
			s.queue.push(e)
		}
	}
	s.foreign = 0
	s.mu.Unlock()
	for _, e := range dropped {
		s.release(e)
	}
}

// release deals with an entry that will not be handled: a message from the peer
// is given back, one from another actor becomes a dead letter.
func (s *sessionProcess) release(e envelope) {
	if e.foreign() {
		s.conn.host.refuseMessage(&s.pid, e.message, e.sender)
		return
	}
	if buffer, ok := e.message.(*split.Buffer); ok {
		s.conn.host.config.Observer.MessageUnhandled()
		s.giveCredit(buffer.Cap())
		buffer.Release()
	}
}

func (s *sessionProcess) giveCredit(bytes int) {
	s.conn.beat.noteMessage(s.conn.host.wheel.now.Load()) // before the reader goes on
	if s.conn.reader.credits.give(bytes) {
		s.conn.transport.Resume()
	}
}

// flushEvery is how many entries a session handles between flushes, if there
// are as many.
const flushEvery = 64

// run works off the queue, and flushes what that brought at its end. With
// hosted somebody else watches how long it takes, and calls late.
func (s *sessionProcess) run(hosted bool) {
	returned := false
	defer func() {
		if !returned && !s.over {
			go s.run(false) // the Receiver ended this goroutine
		}
	}()
	s.work(hosted)
	returned = true
}

func (s *sessionProcess) work(hosted bool) {
	if !hosted { // otherwise it was set before the host began to watch
		s.hosted.Store(false)
	}
	s.later.begin()
	for handled := 1; ; handled++ {
		e, ok := s.next()
		if ok {
			if ended := s.handle(e); ended {
				return
			}
		}
		if !ok || handled%flushEvery == 0 {
			s.flushOwn()
		}
		if !ok && s.rest() {
			return
		}
	}
}

// flushOwn flushes from the session's own goroutine what is due.
func (s *sessionProcess) flushOwn() {
	if others, ok := s.later.settle(); ok {
		s.conn.host.flusher.add(others...)
		s.conn.writer.flushDue()
	}
}

// late is called when a hosted run takes its time: what it sends is flushed
// meanwhile.
func (s *sessionProcess) late() {
	s.hosted.Store(false)
	s.flushLate()
}

// flushLate hands over what is due, because the session does not return.
func (s *sessionProcess) flushLate() {
	if others, ok := s.later.settle(); ok {
		s.conn.host.flusher.add(append(others, &s.conn.writer)...)
	}
}

// handle handles an entry and reports whether it was the last.
func (s *sessionProcess) handle(e envelope) (ended bool) {
	if e.foreign() {
		if s.deaf {
			s.release(e)
		} else {
			s.receive(e.message, e.sender)
		}
		return false
	}
	switch m := e.message.(type) {
	case *split.Buffer:
		s.receiveMessage(m)
	case closeMarker:
		if m.stop {
			s.tellStopped()
		}
		s.conn.queueClose(false)
	case endMarker:
		s.end()
		return true
	default:
		s.receive(m, nil)
	}
	return false
}

// receiveMessage lends a message from the peer to the Receiver.
func (s *sessionProcess) receiveMessage(buffer *split.Buffer) {
	size := buffer.Cap()
	s.borrowed.buffer = buffer
	defer func() {
		if left := s.borrowed.buffer; left != nil {
			s.borrowed.buffer = nil
			left.Release()
		}
		s.giveCredit(size)
	}()
	if s.deaf {
		s.conn.host.config.Observer.MessageUnhandled()
		return
	}
	s.receive(&s.borrowed, nil)
}

// receive calls the Receiver and survives it. After a panic it gets nothing
// but the end.
func (s *sessionProcess) receive(message any, sender *PID) {
	if s.told {
		return
	}
	if _, ending := message.(Closed); s.deaf && !ending && message != (Stopped{}) {
		return
	}
	returned := false
	defer func() {
		if returned {
			return
		}
		v := recover()
		if v == nil {
			v = "runtime.Goexit was called"
		}
		s.deaf = true
		s.conn.host.recovered("session", s.conn, v)
		s.conn.panicked(fmt.Errorf("session panicked: %v", v))
	}()
	setContextMessage(&s.context, message, sender)
	s.timed()
	returned = true
}

// timeEvery is how many messages there are to each that is timed: looking at
// the clock twice costs more than all else that is counted of a message.
const timeEvery = 16

// timed calls the Receiver, and now and then tells how long it took.
func (s *sessionProcess) timed() {
	if s.received++; s.received%timeEvery != 4 { // 4: the first from its peer
		contextReceiver(&s.context).Receive(&s.context)
		return
	}
	began := time.Since(epoch)
	contextReceiver(&s.context).Receive(&s.context)
	s.conn.host.config.Observer.SessionHandled(time.Since(epoch) - began)
}

// tellStopped gives the Receiver its last message and stops its children.
func (s *sessionProcess) tellStopped() {
	if s.told {
		return
	}
	defer func() {
		s.deaf, s.told = true, true
		s.conn.host.engine.Registry.Remove(&s.pid)
	}()
	s.stopChildren()
	s.receive(Stopped{}, nil)
}

// stopChildren stops the actors that the session spawned, as Hollywood does,
// but waits no longer for them than the close may take.
func (s *sessionProcess) stopChildren() {
	children := s.context.Children()
	if len(children) == 0 {
		return
	}
	limit := time.NewTimer(s.conn.host.config.CloseTimeout)
	defer limit.Stop()
	for _, child := range children {
		select {
		case <-s.conn.host.engine.Poison(child).Done():
		case <-limit.C:
			return
		}
	}
}

// end tells the Receiver how its connection ended.
func (s *sessionProcess) end() {
	defer s.finish()
	defer s.tellStopped()
	s.receive(s.conn.last.closed, nil)
}

// finish empties the queue, and flushes what is still due to other
// connections.
func (s *sessionProcess) finish() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	for {
		e, ok := s.next()
		if !ok {
			break
		}
		s.release(e)
	}
	setContextMessage(&s.context, nil, nil)
	for !s.later.end() {
		s.flushOwn()
	}
	s.conn.partEnded()
}
