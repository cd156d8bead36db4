package actor

import (
	"slices"
	"strings"
	"time"
)

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
