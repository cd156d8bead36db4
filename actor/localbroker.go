package actor

import (
	"slices"
	"sync"
)

// LocalBroker connects the hubs of one process. The zero value is ready; it
// must not be copied. It behaves like one with a network between: deliveries
// come later, from other goroutines, and each subscription has a bounded queue,
// beyond which payloads are lost and [BrokerHandler.Missed] is called.
type LocalBroker struct {
	mu       sync.RWMutex
	subjects map[string][]*localSubscription
}

var _ Broker = (*LocalBroker)(nil)

// What waits for one subscription of a LocalBroker at most.
const (
	localQueueLength = 16 << 10
	localQueueBytes  = 16 << 20
)

type localSubscription struct {
	handler BrokerHandler

	mu      sync.Mutex
	queue   [][]byte // nil stands for what is missing
	bytes   int
	running bool
	ended   bool
}

// Publish copies the payload once for all subscriptions.
func (b *LocalBroker) Publish(subject string, payload []byte) error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	subscriptions := b.subjects[subject]
	if len(subscriptions) == 0 {
		return nil
	}
	shared := append(make([]byte, 0, max(1, len(payload))), payload...)
	for _, s := range subscriptions {
		s.put(shared)
	}
	return nil
}

// Subscribe never fails.
func (b *LocalBroker) Subscribe(subject string, handler BrokerHandler) (cancel func(), err error) {
	s := &localSubscription{handler: handler}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subjects == nil {
		b.subjects = make(map[string][]*localSubscription)
	}
	b.subjects[subject] = append(b.subjects[subject], s)
	return func() { b.remove(subject, s) }, nil
}

// Watch does nothing: memory does not lose its connection.
func (b *LocalBroker) Watch(func(BrokerState)) (cancel func()) { return func() {} }

func (b *LocalBroker) remove(subject string, s *localSubscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s.end()
	left := slices.DeleteFunc(b.subjects[subject], func(other *localSubscription) bool { return other == s })
	if len(left) == 0 {
		delete(b.subjects, subject)
	} else {
		b.subjects[subject] = left
	}
}

func (s *localSubscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.queue = true, nil
}

// put queues a payload, or notes that one is missing.
func (s *localSubscription) put(payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	if len(s.queue) >= localQueueLength || s.bytes+len(payload) > localQueueBytes && s.bytes > 0 {
		if last := len(s.queue) - 1; s.queue[last] == nil {
			return
		}
		payload = nil // one more entry than the bound
	}
	s.queue = append(s.queue, payload)
	s.bytes += len(payload)
	if !s.running {
		s.running = true
		go s.deliver()
	}
}

// deliver empties the queue.
func (s *localSubscription) deliver() {
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
		for _, payload := range queue {
			s.call(payload)
		}
	}
}

// call gives a payload to the handler, unless the subscription has ended.
func (s *localSubscription) call(payload []byte) {
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
