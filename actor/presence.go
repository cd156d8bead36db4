package actor

import (
	"context"
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
