package main

import (
	"slices"
	"strings"

	"github.com/tandem-ws/tandem/actor"
)

// member is somebody who is in a room by this node. It is known by its owner,
// who may come back on another connection.
type member struct {
	owner string
	nick  string
	conn  *actor.Conn // nil while it may come back
	away  uint64      // how often it went; tells one grace from another
}

// memberID is what a member is called in a room's presence. It changes with
// the nickname, so that a new nickname is somebody new, and with the node, so
// that who moves is there twice for a moment, and not gone.
func memberID(owner, nick, node string) string { return owner + "/" + nick + "/" + node }

// roster is who is in a room, by this node and by others, in the order of their
// nicknames. No two nicknames are the same but for case.
type roster struct {
	byOwner map[string]*member
	byConn  map[*actor.Conn]*member
	present map[string]string // nicknames by memberID, by other nodes
	shown   []shownNick       // what the members were told, sorted by key
}

type shownNick struct{ key, nick string }

func newRoster() roster {
	return roster{byOwner: make(map[string]*member), byConn: make(map[*actor.Conn]*member), present: make(map[string]string)}
}

// isFree reports whether the owner may have the nickname, as far as is known.
func (r *roster) isFree(nick, owner string) bool {
	key := foldNick(nick)
	for _, m := range r.byOwner {
		if m.owner != owner && foldNick(m.nick) == key {
			return false
		}
	}
	for id, other := range r.present {
		if foldNick(other) == key && !strings.HasPrefix(id, owner+"/") {
			return false
		}
	}
	return true
}

// take takes news of the presence. What this node itself has said is no news.
func (r *roster) take(change actor.PresenceChange, node string) {
	for _, m := range change.Joined {
		if !strings.HasSuffix(m.ID, "/"+node) {
			r.present[m.ID] = m.Metadata
		}
	}
	for _, m := range change.Left {
		delete(r.present, m.ID)
	}
}

// update brings what is shown up to date, and returns who has come and gone.
func (r *roster) update() (joined, left []string) {
	now := make(map[string]string)
	for _, nick := range r.present {
		now[foldNick(nick)] = nick
	}
	for _, m := range r.byOwner {
		now[foldNick(m.nick)] = m.nick
	}
	next := make([]shownNick, 0, len(now))
	for key, nick := range now {
		next = append(next, shownNick{key, nick})
	}
	slices.SortFunc(next, func(a, b shownNick) int { return strings.Compare(a.key, b.key) })
	for _, s := range r.shown {
		if now[s.key] != s.nick {
			left = append(left, s.nick)
		}
		if now[s.key] == s.nick {
			delete(now, s.key)
		}
	}
	for _, s := range next {
		if _, isNew := now[s.key]; isNew {
			joined = append(joined, s.nick)
		}
	}
	r.shown = next
	return joined, left
}

// names returns all nicknames, sorted without regard to case.
func (r *roster) names() []string {
	names := make([]string, len(r.shown))
	for i, s := range r.shown {
		names[i] = s.nick
	}
	return names
}
