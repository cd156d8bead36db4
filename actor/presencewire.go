package actor

import "encoding/binary"

// What nodes tell each other of a presence, behind the head. Every one carries
// the version of the sender's own members and how many they are.
//
//	change:  version before 8 | version 8 | count 4 | joined 2 | members | left 2 | ids
//	state:   version 8 | count 4 | part 2 | last 1 | number 2 | members
//	digest:  version 8 | count 4
//	request: nothing
//
// A member is its id (length 1) and its metadata (length 2).
const (
	// presencePart is the size in bytes from which a state is cut into parts.
	presencePart = 32 << 10
	// maxPresenceParts bounds what is put together.
	maxPresenceParts = 1<<16 - 1
)

// presenceNews is any of them.
type presenceNews struct {
	before, version uint64
	count           uint32
	part            uint16
	last            bool
	joined          []Member
	left            []string
}

// memberSize is the length of a member on the wire.
func memberSize(id, metadata string) int { return 1 + len(id) + 2 + len(metadata) }

// size is about the length on the wire.
func (n *presenceNews) size() (size int) {
	for _, m := range n.joined {
		size += memberSize(m.ID, m.Metadata)
	}
	for _, id := range n.left {
		size += memberSize(id, "")
	}
	return size
}

func appendMember(to []byte, id, metadata string) []byte {
	to = append(append(to, byte(len(id))), id...)
	return append(binary.BigEndian.AppendUint16(to, uint16(len(metadata))), metadata...)
}

// appendChange appends a change, which is not longer than presencePart and so
// has less than 1<<16 of each.
func (n *presenceNews) appendChange(to []byte) []byte {
	to = binary.BigEndian.AppendUint64(to, n.before)
	to = binary.BigEndian.AppendUint64(to, n.version)
	to = binary.BigEndian.AppendUint32(to, n.count)
	to = appendMembers(to, n.joined)
	to = binary.BigEndian.AppendUint16(to, uint16(len(n.left)))
	for _, id := range n.left {
		to = append(append(to, byte(len(id))), id...)
	}
	return to
}

func appendMembers(to []byte, members []Member) []byte {
	to = binary.BigEndian.AppendUint16(to, uint16(len(members)))
	for _, m := range members {
		to = appendMember(to, m.ID, m.Metadata)
	}
	return to
}

func (n *presenceNews) appendDigest(to []byte) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(to, n.version), n.count)
}

func (n *presenceNews) appendState(to []byte) []byte {
	to = binary.BigEndian.AppendUint16(n.appendDigest(to), n.part)
	last := byte(0)
	if n.last {
		last = 1
	}
	return appendMembers(append(to, last), n.joined)
}

// parsePresenceNews reads what stands behind a head of that kind; ok is false
// for what no hub sends.
func parsePresenceNews(kind byte, message []byte, maxMetadata int) (n presenceNews, ok bool) {
	r := &wireReader{rest: message, ok: true}
	switch kind {
	case kindPresenceChange:
		n.before, n.version, n.count = r.uint64(), r.uint64(), r.uint32()
		n.joined = r.members(maxMetadata)
		for range r.uint16() {
			if !r.ok {
				break
			}
			n.left = append(n.left, r.id())
		}
	case kindPresenceState:
		n.version, n.count, n.part, n.last = r.uint64(), r.uint32(), r.uint16(), r.byte() == 1
		n.joined = r.members(maxMetadata)
	case kindPresenceDigest:
		n.version, n.count = r.uint64(), r.uint32()
	case kindPresenceRequest:
	default:
		return n, false
	}
	return n, r.ok && len(r.rest) == 0 && n.count <= mostMembers
}

// wireReader reads fields; after the first that is not there all are zero.
type wireReader struct {
	rest []byte
	ok   bool
}

func (r *wireReader) take(size int) []byte {
	if !r.ok || len(r.rest) < size {
		r.ok = false
		return nil
	}
	taken := r.rest[:size]
	r.rest = r.rest[size:]
	return taken
}

func (r *wireReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *wireReader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *wireReader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *wireReader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *wireReader) id() string {
	size := int(r.byte())
	if size == 0 || size > MaxMemberID {
		r.ok = false
	}
	return string(r.take(size))
}

func (r *wireReader) members(maxMetadata int) (list []Member) {
	for range r.uint16() {
		if !r.ok {
			return nil
		}
		m := Member{ID: r.id()}
		size := int(r.uint16())
		if size > maxMetadata {
			r.ok = false
		}
		m.Metadata = string(r.take(size))
		list = append(list, m)
	}
	return list
}
