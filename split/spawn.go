package split

import "sync"

// spawned starts work on a goroutine of its own. It is lent for the start, so
// that starting allocates nothing: a go statement with arguments does.
type spawned struct {
	worker Worker
	run    func() // work
}

var spawns sync.Pool

func spawn(worker Worker) {
	s, ok := spawns.Get().(*spawned)
	if !ok {
		s = &spawned{}
		s.run = s.work
	}
	s.worker = worker
	go s.run()
}

func (s *spawned) work() {
	worker := s.worker
	s.worker = nil
	spawns.Put(s)
	worker.Work(false)
}
