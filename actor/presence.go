package actor

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Member is somebody who is present.
type Member struct {
	// ID tells the members of one node apart. For a connection that joined it is
	// [Conn.ID].
	ID string
	// Metadata is what the service wants to be known of the member, such as a
	// user's name.
	Metadata string
}

// MaxMemberID is the longest id of a member in bytes.
const MaxMemberID = 128

// MaxWatchers is how many actors of one node may watch one presence.
const MaxWatchers = 10_000

// Presence is who is present on all nodes, as far as this one knows.
type Presence struct {
	// Members are sorted by their id.
	Members []Member
	// Count is how many there are; more than Members if HubConfig.MaxMembers is
	// exceeded.
	Count int
}

// PresenceChange tells an actor who has come and gone since the last one. The
// first one it gets has everybody in Joined. The lists are shared: nobody may
// change them.
type PresenceChange struct {
	Topic string
	// Joined also has those whose metadata changed.
	Joined []Member
	// Left has the metadata that was known last.
	Left []Member
	// Count is how many are present now: an actor that knows of another number,
	// and no more than HubConfig.MaxMembers, has lost a change, for example to
	// its full queue.
	Count int
}

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

// Join makes the connection a member of the presence of that name until it
// leaves or ends; joining again changes the metadata. The error is a
// [*NameError], [ErrMetadataTooLong], [ErrTooManyMembers], [split.ErrClosed],
// [ErrTooManySubscriptions], [ErrTooManyTopics], [ErrHubClosed] or a
// [*BrokerError].
func (h *Hub) Join(c *Conn, name, metadata string) error {
	return h.withPresence(name, func(p *presence) error {
		if err := p.join(Member{ID: c.ID(), Metadata: metadata}); err != nil {
			return err
		}
		err := c.join(&p.joined) // only now, so that its end finds what it has to undo
		if err != nil {
			p.leave(c.ID())
		}
		return err
	})
}

// JoinAs makes anybody a member until LeaveAs is called or the hub is closed;
// see [Hub.Join]. The error is also [ErrMemberID].
func (h *Hub) JoinAs(name string, m Member) error {
	if m.ID == "" || len(m.ID) > MaxMemberID {
		return ErrMemberID
	}
	return h.withPresence(name, func(p *presence) error { return p.join(m) })
}

// Leave ends what Join began.
func (h *Hub) Leave(c *Conn, name string) {
	if f := h.presences.peek(name); f != nil {
		c.Unsubscribe(&f.owner.(*presence).joined)
	}
}

// LeaveAs ends what JoinAs began.
func (h *Hub) LeaveAs(name, id string) {
	if f := h.presences.peek(name); f != nil {
		f.owner.(*presence).leave(id)
	}
}

// Presence returns who is present under that name. The first look on a node
// waits a quarter of a second for what the others know, or until the context
// ends, whose error is returned with what is known then. Looked at often, it is
// kept; see [Hub.Watch] to be told of changes.
func (h *Hub) Presence(ctx context.Context, name string) (present Presence, err error) {
	err = h.withPresence(name, func(p *presence) error {
		p.mu.Lock()
		wait := presenceSettles - time.Since(p.began)
		p.mu.Unlock()
		if wait > 0 && h.out.broker != nil {
			timer := time.NewTimer(wait)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
				err = ctx.Err()
			case <-h.closing:
				return ErrHubClosed
			}
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.used = time.Now()
		present = Presence{Members: p.list(), Count: p.count()}
		return err
	})
	return present, err
}

// Watch sends the actor a [PresenceChange] with everybody who is present, and
// one after each change, until Unwatch or, for an actor of this engine, until
// it has ended. Changes that follow each other quickly are told together. The
// error is a [*NameError], [ErrTooManyWatchers], [ErrTooManyTopics],
// [ErrHubClosed] or a [*BrokerError].
func (h *Hub) Watch(name string, pid *PID) error {
	return h.withPresence(name, func(p *presence) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(p.watchers) >= MaxWatchers {
			p.prune()
		}
		if len(p.watchers) >= MaxWatchers {
			return ErrTooManyWatchers
		}
		key := pid.Address + "/" + pid.ID
		if p.watchers[key] == nil {
			p.watchers[key] = &watcher{pid: pid, fresh: true}
			h.agenda.add(p)
		}
		return nil
	})
}

// Unwatch ends what Watch began. What is on its way may still arrive.
func (h *Hub) Unwatch(name string, pid *PID) {
	if f := h.presences.peek(name); f != nil {
		p := f.owner.(*presence)
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.watchers, pid.Address+"/"+pid.ID)
	}
}

// withPresence calls f with the presence of that name, which other nodes are
// asked for if it is new.
func (h *Hub) withPresence(name string, f func(*presence) error) error {
	feed, err := h.presences.pin(name)
	if err != nil {
		return err
	}
	defer h.presences.unpin(feed)
	p := feed.owner.(*presence)
	p.mu.Lock()
	if p.began.IsZero() {
		p.began = time.Now()
		h.agenda.add(p)
	}
	p.mu.Unlock()
	if err := f(p); err != nil {
		return err
	}
	select {
	case <-h.closing: // which may not have seen what f did
		p.dismiss()
		return ErrHubClosed
	default:
		return nil
	}
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

// tellNodes publishes what other nodes have to know or have asked for.
func (p *presence) tellNodes(now time.Time) {
	p.mu.Lock()
	tellAll, askAll := p.tellAll, p.askAll
	p.tellAll, p.askAll = false, false
	var change *presenceNews
	if len(p.changed) > 0 {
		change = p.change()
		p.digested = now
	}
	var state []presenceNews
	if (tellAll || change != nil && change.size() > presencePart) && (change != nil || len(p.local.byID) > 0) {
		state, change = p.state(), nil
	}
	clear(p.changed)
	p.mu.Unlock()

	send := func(kind byte, message []byte) {
		_ = p.hub.send(p.feed.subject, kind, nil, message) // the next digest shows what is missing
	}
	if askAll {
		send(kindPresenceRequest, nil)
	}
	if change != nil {
		send(kindPresenceChange, change.appendChange(nil))
	}
	for _, part := range state {
		send(kindPresenceState, part.appendState(nil))
	}
}

// change returns the change of the local members since others were told, with
// its new version. The caller holds the lock.
func (p *presence) change() *presenceNews {
	n := &presenceNews{before: p.local.version, count: uint32(len(p.local.byID))}
	if p.local.count == 0 {
		n.before = 0 // others have forgotten this node
	}
	for id := range p.changed {
		metadata, here := p.local.byID[id]
		if here {
			n.joined = append(n.joined, Member{ID: id, Metadata: metadata})
		} else {
			n.left = append(n.left, id)
		}
	}
	p.local.version, p.local.count = p.hub.versions.Add(1), len(p.local.byID)
	n.version = p.local.version
	return n
}

// state returns all local members in parts. The caller holds the lock.
func (p *presence) state() []presenceNews {
	parts := []presenceNews{{version: p.local.version, count: uint32(p.local.count)}}
	size := 0
	for id, metadata := range p.local.byID {
		if size > presencePart && len(parts) < maxPresenceParts {
			parts = append(parts, presenceNews{version: p.local.version, count: uint32(p.local.count), part: uint16(len(parts))})
			size = 0
		}
		last := &parts[len(parts)-1]
		last.joined = append(last.joined, Member{ID: id, Metadata: metadata})
		size += memberSize(id, metadata)
	}
	parts[len(parts)-1].last = true
	return parts
}

// tellWatchers sends what has changed to those who know the rest, and
// everything to the others.
func (p *presence) tellWatchers() {
	p.mu.Lock()
	if len(p.watchers) == 0 {
		clear(p.before)
		p.mu.Unlock()
		return
	}
	change := PresenceChange{Topic: p.feed.name, Count: p.count()}
	for key, was := range p.before {
		of := &p.local
		if key.node != p.hub.out.node {
			of = &members{}
			if r := p.remote[key.node]; r != nil {
				of = &r.members
			}
		}
		metadata, here := of.byID[key.id]
		switch {
		case here && (was.ID == "" || was.Metadata != metadata):
			change.Joined = append(change.Joined, Member{ID: key.id, Metadata: metadata})
		case !here && was.ID != "":
			change.Left = append(change.Left, was)
		}
	}
	clear(p.before)
	slices.SortFunc(change.Joined, compareMembers)
	slices.SortFunc(change.Left, compareMembers)
	all := PresenceChange{Topic: p.feed.name, Count: change.Count}
	var old, fresh []*PID
	p.prune()
	for _, w := range p.watchers {
		switch {
		case w.fresh:
			w.fresh = false
			fresh = append(fresh, w.pid)
		case len(change.Joined)+len(change.Left) > 0:
			old = append(old, w.pid)
		}
	}
	if len(fresh) > 0 {
		all.Joined = p.list()
	}
	p.mu.Unlock()
	for _, pid := range fresh {
		p.hub.engine.Send(pid, all)
	}
	for _, pid := range old {
		p.hub.engine.Send(pid, change)
	}
}

// hasEnded reports whether an actor of this engine is no more. What has no kind
// in its id cannot be looked up.
func (h *Hub) hasEnded(pid *PID) bool {
	kind, id, ok := strings.Cut(pid.ID, "/")
	return ok && pid.Address == h.engine.Address() && h.engine.Registry.GetPID(kind, id) == nil
}

// Deliver takes news of another node's members.
func (p *presence) Deliver(payload []byte) {
	if !p.hub.enter() {
		return
	}
	defer p.hub.leave()
	p.mu.Lock()
	defer p.mu.Unlock()
	head, message, missed, ok := p.hub.receive(payload, &p.sources)
	if missed > 0 {
		p.missed()
	}
	if !ok {
		return
	}
	news, ok := parsePresenceNews(head.kind, message, p.hub.config.MaxMetadata)
	if !ok {
		p.hub.config.Observer.BrokerFailed("receive")
		return
	}
	p.hub.config.Observer.BrokerReceived(len(message))
	if head.kind == kindPresenceRequest {
		p.tellAll = true
		p.hub.agenda.add(p)
		return
	}
	p.take(head, news)
}

// take applies news. The caller holds the lock.
func (p *presence) take(head brokerHead, news presenceNews) {
	r := p.remote[head.node]
	if r == nil {
		if news.count == 0 || len(p.remote) >= maxPresenceNodes {
			return
		}
		r = &remoteMembers{members: members{byID: make(map[string]string)}}
		p.remote[head.node] = r
	}
	r.heard = time.Now()
	switch {
	case news.version <= r.version: // known, or older
		return
	case news.count == 0:
		p.forget(head.node, r)
		return
	case head.kind == kindPresenceChange && news.before == r.version:
		r.version, r.count = news.version, int(news.count)
		for _, id := range news.left {
			p.unset(head.node, &r.members, id)
		}
		for _, m := range news.joined {
			p.setRemote(head.node, r, m)
		}
	case head.kind == kindPresenceState:
		p.takePart(head.node, r, news)
	default:
		p.missed()
	}
}

// setRemote is set, unless there are too many.
func (p *presence) setRemote(node uint64, r *remoteMembers, m Member) {
	if _, known := r.byID[m.ID]; known || p.known < p.hub.config.MaxMembers {
		p.set(node, &r.members, m)
	}
}

// takePart puts a state together; with the last part it takes the place of what
// was known.
func (p *presence) takePart(node uint64, r *remoteMembers, news presenceNews) {
	if news.part == 0 {
		r.next, r.parts = &members{version: news.version, count: int(news.count), byID: make(map[string]string)}, 0
	}
	if r.next == nil || r.next.version != news.version || r.parts != news.part {
		r.next = nil
		p.missed()
		return
	}
	r.parts++
	for _, m := range news.joined {
		if len(r.next.byID) < p.hub.config.MaxMembers {
			r.next.byID[m.ID] = m.Metadata
		}
	}
	if !news.last {
		return
	}
	next := r.next
	r.next = nil
	r.version, r.count = next.version, next.count
	for id := range r.byID {
		if _, stays := next.byID[id]; !stays {
			p.unset(node, &r.members, id)
		}
	}
	for id, metadata := range next.byID {
		p.setRemote(node, r, Member{ID: id, Metadata: metadata})
	}
}

// missed asks the other nodes for all they have. The caller holds the lock.
func (p *presence) missed() {
	p.askAll = true
	p.hub.agenda.add(p)
}

// Missed says that the broker has lost something.
func (p *presence) Missed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missed()
}

// farewell tells the other nodes that nobody is left here.
func (p *presence) farewell() {
	p.mu.Lock()
	announced := p.local.version > 0
	p.mu.Unlock()
	p.dismiss()
	if announced {
		news := presenceNews{version: p.hub.versions.Add(1), last: true}
		_ = p.hub.send(p.feed.subject, kindPresenceState, nil, news.appendState(nil)) // silence tells it too
	}
}

// dismiss takes everybody out.
func (p *presence) dismiss() {
	for i := range p.joined.shards {
		for _, c := range p.joined.shards[i].appendTo(nil) {
			c.Unsubscribe(&p.joined)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.local.byID)
	clear(p.watchers)
	clear(p.before)
}
