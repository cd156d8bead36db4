package actor

import "sync"

// sessionQueue is what waits for a session: a ring of count entries from head
// on. It is lent while there is any, so that an idle session holds none and
// messages allocate none.
type sessionQueue struct {
	entries []envelope
	head    int32
	count   int32
}

// lentEntries is how many entries a queue has that is lent. A longer one is left
// to the garbage collector.
const lentEntries = 64

var sessionQueues = sync.Pool{New: func() any { return &sessionQueue{entries: make([]envelope, lentEntries)} }}

func borrowQueue() *sessionQueue { return sessionQueues.Get().(*sessionQueue) }

// giveBack takes back an empty queue.
func (q *sessionQueue) giveBack() {
	if q != nil && len(q.entries) == lentEntries {
		q.head, q.count = 0, 0
		sessionQueues.Put(q)
	}
}

// length is how many entries wait; nil has none.
func (q *sessionQueue) length() int {
	if q == nil {
		return 0
	}
	return int(q.count)
}

// at returns the entry that is so many behind the oldest.
func (q *sessionQueue) at(i int) envelope {
	return q.entries[(int(q.head)+i)%len(q.entries)]
}

// push adds an entry; a full queue grows before.
func (q *sessionQueue) push(e envelope) {
	if int(q.count) == len(q.entries) {
		larger := make([]envelope, 2*len(q.entries))
		for i := range larger[:q.count] {
			larger[i] = q.at(i)
		}
		q.entries, q.head = larger, 0
	}
	q.entries[int(q.head+q.count)%len(q.entries)] = e
	q.count++
}

// pop takes the oldest entry out.
func (q *sessionQueue) pop() envelope {
	e := q.entries[q.head]
	q.entries[q.head] = envelope{}
	q.head = (q.head + 1) % int32(len(q.entries))
	q.count--
	return e
}
