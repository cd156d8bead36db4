package split

// notice is what a sender asked to be told of: the end of its message. It is
// told once no lock is held.
type notice struct {
	index int // of the message in its batch
	done  func(error)
	err   error
}

type notices []notice

func (n *notices) add(done func(error), err error) { *n = append(*n, notice{done: done, err: err}) }

// tell tells each, also those behind one that panics.
func (n notices) tell() {
	if len(n) > 0 {
		n.tellAll()
	}
}

func (n notices) tellAll() {
	next := 0
	defer func() { n[next:].tell() }()
	for next < len(n) {
		told := n[next]
		next++
		told.done(told.err)
	}
}
