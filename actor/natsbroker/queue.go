package natsbroker

import (
	"sync"

	"github.com/tandem-ws/tandem/actor"
)

// subscription is one handler and what waits for it. It holds no goroutine
// while nothing does.
type subscription struct {
	broker  *Broker
	handler actor.BrokerHandler

	mu      sync.Mutex
	queue   [][]byte // nil stands for what is missing
	bytes   int
	running bool
	ended   bool
}

// put queues a payload, or notes that one is missing.
func (s *subscription) put(payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if payload != nil && !s.fits(len(payload)) {
		payload = nil
		s.broker.lost.Add(1)
	}
	if last := len(s.queue) - 1; payload == nil && last >= 0 && s.queue[last] == nil {
		return
	}
	s.queue = append(s.queue, payload) // what is missing is one more than the bound
	s.bytes += len(payload)
	s.broker.pending.Add(int64(len(payload)))
	if !s.running {
		s.running = true
		go s.deliver()
	}
}

func (s *subscription) fits(n int) bool {
	c := &s.broker.config
	return len(s.queue) < c.PendingMessages && (s.bytes == 0 || s.bytes+n <= c.PendingBytes) &&
		s.broker.pending.Load()+int64(n) <= c.TotalPendingBytes
}

// deliver empties the queue.
func (s *subscription) deliver() {
	for {
		s.mu.Lock()
		queue := s.queue
		s.queue, s.bytes = nil, 0
		if len(queue) == 0 {
			s.running = false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		for at, payload := range queue {
			queue[at] = nil
			s.call(payload)
			s.broker.pending.Add(-int64(len(payload)))
		}
	}
}

// call gives a payload to the handler, unless the subscription has ended.
func (s *subscription) call(payload []byte) {
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	switch {
	case ended:
	case payload == nil:
		s.handler.Missed()
	default:
		s.handler.Deliver(payload)
	}
}

func (s *subscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.broker.pending.Add(-int64(s.bytes))
	s.queue, s.bytes = nil, 0
}
