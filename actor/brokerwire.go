package actor

import (
	"encoding/binary"
	"hash/maphash"
	"strings"
	"sync"

	"github.com/tandem-ws/tandem/split"
)

// What hubs send each other through a broker: a head of fixed length, then the
// message. The head says who sent it, so that a node does not take its own, and
// numbers what a node publishes to a subject, so that a loss or a repetition
// shows whatever the broker says.
//
//	version 1 | kind 1 | node 8 | epoch 4 | sequence 8 | message
const (
	brokerVersion  = 1
	brokerHeadSize = 22
)

// The kinds of messages between hubs.
const (
	kindText byte = 1 + iota
	kindBinary
	kindPresenceChange
	kindPresenceState
	kindPresenceDigest
	kindPresenceRequest
	kinds
)

// brokerHead is the head of a message between hubs.
type brokerHead struct {
	kind     byte
	node     uint64
	epoch    uint32
	sequence uint64
}

func (h brokerHead) append(to []byte) []byte {
	to = append(to, brokerVersion, h.kind)
	to = binary.BigEndian.AppendUint64(to, h.node)
	to = binary.BigEndian.AppendUint32(to, h.epoch)
	return binary.BigEndian.AppendUint64(to, h.sequence)
}

// parseBrokerHead reads a head; ok is false for what no hub sends.
func parseBrokerHead(payload []byte) (h brokerHead, message []byte, ok bool) {
	if len(payload) < brokerHeadSize || payload[0] != brokerVersion {
		return h, nil, false
	}
	h = brokerHead{
		kind: payload[1], node: binary.BigEndian.Uint64(payload[2:]),
		epoch: binary.BigEndian.Uint32(payload[10:]), sequence: binary.BigEndian.Uint64(payload[14:]),
	}
	return h, payload[brokerHeadSize:], h.kind > 0 && h.kind < kinds && h.sequence > 0
}

// outbox publishes to the broker and numbers what it publishes. What goes to
// one subject is numbered and published under one lock, so that its order is
// that of its numbers.
type outbox struct {
	broker Broker // nil for none
	node   uint64
	pool   *split.Pool
	seed   maphash.Seed
	shards [outboxShards]outboxShard
}

const (
	outboxShards = 64
	// outboxNumbers is how many subjects a shard numbers at once. When there
	// are more it begins anew: receivers then cannot tell what they lost just
	// before that.
	outboxNumbers = 4096
)

type outboxShard struct {
	mu      sync.Mutex
	epoch   uint32
	numbers map[string]*number
}

// number is the last sequence number of a subject.
type number struct {
	subject  string
	sequence uint64
}

// next numbers a message. The caller holds the lock.
func (s *outboxShard) next(subject []byte) *number {
	n := s.numbers[string(subject)]
	if n == nil {
		if len(s.numbers) >= outboxNumbers || s.numbers == nil {
			s.epoch++
			s.numbers = make(map[string]*number)
		}
		n = &number{subject: string(subject)}
		s.numbers[n.subject] = n
	}
	n.sequence++
	return n
}

// send publishes a message in two parts.
func (o *outbox) send(subject []byte, kind byte, first, second []byte) error {
	if o.broker == nil {
		return nil
	}
	scratch := o.pool.Get(brokerHeadSize + len(first) + len(second))
	defer scratch.Release()
	space, _ := scratch.Resize(brokerHeadSize + len(first) + len(second))
	shard := &o.shards[maphash.Bytes(o.seed, subject)%outboxShards]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	n := shard.next(subject)
	payload := brokerHead{kind: kind, node: o.node, epoch: shard.epoch, sequence: n.sequence}.append(space[:0])
	payload = append(append(payload, first...), second...)
	return o.broker.Publish(n.subject, payload)
}

// sources follows the numbers of those who publish to a subject.
type sources struct{ last map[uint64]source }

type source struct {
	epoch    uint32
	sequence uint64
}

// maxSources is how many nodes' numbers are followed for one subject. With more
// the following begins anew, and what is lost just then does not show.
const maxSources = 1024

// follow notes a number: how many are missing before it, and whether it is new
// or something that came before.
func (s *sources) follow(h brokerHead) (missed uint64, fresh bool) {
	last, known := s.last[h.node]
	switch {
	case !known:
		if s.last == nil || len(s.last) >= maxSources {
			s.last = make(map[uint64]source)
		}
	case h.epoch < last.epoch, h.epoch == last.epoch && h.sequence <= last.sequence:
		return 0, false
	case h.epoch == last.epoch:
		missed = h.sequence - last.sequence - 1
	default:
		missed = h.sequence - 1
	}
	s.last[h.node] = source{epoch: h.epoch, sequence: h.sequence}
	return missed, true
}

// MaxTopicName is the length in bytes of the longest name of a topic.
const MaxTopicName = 128

// NameError says why a name is refused.
type NameError struct {
	Name   string // cut after [MaxTopicName] bytes
	Reason string
}

// Error names the reason.
func (e *NameError) Error() string { return "websocket: topic name refused: " + e.Reason }

const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@=+~"

var nameAllows = func() (allows [256]bool) {
	for _, c := range []byte(nameCharacters) {
		allows[c] = true
	}
	return allows
}()

// checkName refuses what could not be a part of a broker's subject, or would
// reach others there.
func checkName(name string, longest int) error {
	switch {
	case name == "":
		return &NameError{Reason: "it is empty"}
	case len(name) > longest:
		return &NameError{Name: name[:min(len(name), MaxTopicName)], Reason: "it is too long"}
	case name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, ".."):
		return &NameError{Name: name, Reason: "a part between dots is empty"}
	}
	for i := range len(name) {
		if !nameAllows[name[i]] {
			return &NameError{Name: name, Reason: "it has a character other than letters, digits and - _ . : / @ = + ~"}
		}
	}
	return nil
}
