package actor

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Times and bounds of presences beside those of [HubConfig].
const (
	// presenceSettles is how long the first look at a presence waits for what
	// other nodes know.
	presenceSettles = 250 * time.Millisecond
	// presenceKept is how long a presence that nobody looks at is kept.
	presenceKept = 30 * time.Second
	// presenceMisses is after how many intervals in silence a node's members have
	// left.
	presenceMisses = 3
	// maxPresenceNodes is how many nodes may have members of one presence.
	maxPresenceNodes = 1024
)

// presence is who is present under a name. Each node tells the others of its
// own members: what changed, with a version and the one before it; on request,
// the whole state; and now and then a digest, by which the others notice what
// they have lost. What is told is put together for a moment (hubPace).
type presence struct {
	hub    *Hub
	feed   *feed
	joined Topic // the connections that are members, so that they leave with their end

	inAgenda atomic.Bool

	mu       sync.Mutex
	began    time.Time // when other nodes were asked first, once the subscription was made
	local    members
	changed  map[string]struct{} // of the local ones, since others were told
	digested time.Time           // when others heard of the local ones
	tellAll  bool                // somebody asks for the state
	askAll   bool                // something of others was missed
	remote   map[uint64]*remoteMembers
	known    int // members of all nodes that are known by name
	watchers map[string]*watcher
	pruned   time.Time            // when ended ones, and members without names, were last looked for
	before   map[memberKey]Member // of those who changed, as watchers know them; the zero Member if not
	used     time.Time            // when somebody looked last
	sources  sources
}

// members are those of one node.
type members struct {
	version uint64
	count   int // more than byID if there are too many
	byID    map[string]string
}

// remoteMembers are what another node has told.
type remoteMembers struct {
	members
	heard time.Time
	next  *members // a state of which parts are missing
	parts uint16
}

type memberKey struct {
	node uint64
	id   string
}

type watcher struct {
	pid   *PID
	fresh bool // knows nothing yet
}

func newPresence(h *Hub, f *feed) *presence {
	p := &presence{
		hub: h, feed: f, used: time.Now(), askAll: true,
		local: members{byID: make(map[string]string)}, changed: make(map[string]struct{}),
		remote: make(map[uint64]*remoteMembers), watchers: make(map[string]*watcher), before: make(map[memberKey]Member),
	}
	p.joined.left = func(c *Conn) { p.leave(c.ID()) }
	return p
}

func (p *presence) inUse() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.local.byID) > 0 || len(p.watchers) > 0 || time.Since(p.used) < presenceKept
}

// count is how many are present. The caller holds the lock, as for list.
func (p *presence) count() int {
	n := len(p.local.byID)
	for _, r := range p.remote {
		n += r.count
	}
	return n
}

func (p *presence) list() []Member {
	list := make([]Member, 0, p.known)
	add := func(m members) {
		for id, metadata := range m.byID {
			list = append(list, Member{ID: id, Metadata: metadata})
		}
	}
	add(p.local)
	for _, r := range p.remote {
		add(r.members)
	}
	slices.SortFunc(list, compareMembers)
	return list
}

func compareMembers(a, b Member) int { return strings.Compare(a.ID, b.ID) }

// join and leave change the local members.
func (p *presence) join(m Member) error {
	if len(m.Metadata) > p.hub.config.MaxMetadata {
		return ErrMetadataTooLong
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	metadata, known := p.local.byID[m.ID]
	if known && metadata == m.Metadata {
		return nil
	}
	if !known && p.count() >= p.hub.config.MaxMembers {
		return ErrTooManyMembers
	}
	p.set(p.hub.out.node, &p.local, m)
	p.changed[m.ID] = struct{}{}
	p.hub.agenda.add(p)
	return nil
}

func (p *presence) leave(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unset(p.hub.out.node, &p.local, id) {
		p.changed[id] = struct{}{}
		p.hub.agenda.add(p)
	}
}

// set and unset change the members of a node, and note for the watchers what
// was there before. The caller holds the lock.
func (p *presence) set(node uint64, of *members, m Member) {
	metadata, known := of.byID[m.ID]
	if known && metadata == m.Metadata {
		return
	}
	p.note(memberKey{node, m.ID}, metadata, known)
	if !known {
		p.known++
	}
	of.byID[m.ID] = m.Metadata
}

func (p *presence) unset(node uint64, of *members, id string) bool {
	metadata, known := of.byID[id]
	if known {
		p.note(memberKey{node, id}, metadata, true)
		p.known--
		delete(of.byID, id)
	}
	return known
}

func (p *presence) note(key memberKey, metadata string, known bool) {
	if len(p.watchers) == 0 {
		return
	}
	if _, noted := p.before[key]; noted {
		return
	}
	m := Member{}
	if known {
		m = Member{ID: key.id, Metadata: metadata}
	}
	p.before[key] = m
	p.hub.agenda.add(p)
}

func (p *presence) listed() *atomic.Bool { return &p.inAgenda }

// work tells other nodes and watchers what has changed.
func (p *presence) work(now time.Time) (again bool) {
	p.inAgenda.Store(false) // before anything is looked at, so that none is forgotten
	p.tellNodes(now)
	p.tellWatchers()
	return false
}

// upkeep sends a digest when it is due, and forgets nodes that are silent.
func (p *presence) upkeep(now time.Time) {
	p.mu.Lock()
	for node, r := range p.remote {
		if now.Sub(r.heard) > presenceMisses*p.hub.config.PresenceInterval {
			p.forget(node, r)
		}
	}
	if now.Sub(p.pruned) >= p.hub.config.PresenceInterval {
		p.pruned = now
		p.prune()
		p.complete()
	}
	var digest []byte
	if len(p.local.byID) > 0 && now.Sub(p.digested) >= p.hub.config.PresenceInterval {
		p.digested = now
		news := presenceNews{version: p.local.version, count: uint32(p.local.count)}
		digest = news.appendDigest(nil)
	}
	p.mu.Unlock()
	if digest != nil {
		_ = p.hub.send(p.feed.subject, kindPresenceDigest, nil, digest) // another one follows
	}
}

// prune forgets watchers that have ended. The caller holds the lock.
func (p *presence) prune() {
	for key, w := range p.watchers {
		if p.hub.hasEnded(w.pid) {
			delete(p.watchers, key)
		}
	}
}

// complete asks for members that were only counted when there were too many,
// once there is room for all. The caller holds the lock.
func (p *presence) complete() {
	if p.count() > p.hub.config.MaxMembers {
		return
	}
	for _, r := range p.remote {
		if len(r.byID) < r.count {
			r.version = 0 // the state is to be taken though nothing has changed there
			p.missed()
		}
	}
}

// forget drops a node's members. The caller holds the lock.
func (p *presence) forget(node uint64, r *remoteMembers) {
	for id := range r.byID {
		p.unset(node, &r.members, id)
	}
	delete(p.remote, node)
}
