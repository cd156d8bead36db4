package main

import "sync"

// members is the set of connections that a broadcast goes to.
type members[K comparable] struct {
	mu  sync.RWMutex
	all map[K]struct{}
}

func (m *members[K]) add(k K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = make(map[K]struct{})
	}
	m.all[k] = struct{}{}
}

func (m *members[K]) remove(k K) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.all, k)
}

func (m *members[K]) each(do func(K)) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for k := range m.all {
		do(k)
	}
}
