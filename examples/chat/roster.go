package main

import (
	"slices"
	"strings"

	"github.com/tandem-ws/tandem/actor"
)

// roster is who is in a room, in the order of their nicknames. No two
// nicknames are the same but for case.
type roster struct {
	nicks   map[*actor.Conn]string
	members []member // sorted by key
}

type member struct {
	key  string // the folded nickname
	nick string
	conn *actor.Conn
}

// nick returns the nickname of a member.
func (r *roster) nick(conn *actor.Conn) (nick string, ok bool) {
	nick, ok = r.nicks[conn]
	return nick, ok
}

// isFree reports whether the connection may have the nickname: nobody else
// has it.
func (r *roster) isFree(nick string, conn *actor.Conn) bool {
	at, found := r.find(foldNick(nick))
	return !found || r.members[at].conn == conn
}

func (r *roster) find(key string) (int, bool) {
	return slices.BinarySearchFunc(r.members, key, func(m member, key string) int { return strings.Compare(m.key, key) })
}

// add makes the connection a member, under a nickname that is free.
func (r *roster) add(conn *actor.Conn, nick string) {
	if r.nicks == nil {
		r.nicks = make(map[*actor.Conn]string)
	}
	key := foldNick(nick)
	at, _ := r.find(key)
	r.members = slices.Insert(r.members, at, member{key: key, nick: nick, conn: conn})
	r.nicks[conn] = nick
}

// remove ends a membership.
func (r *roster) remove(conn *actor.Conn) (nick string, ok bool) {
	if nick, ok = r.nicks[conn]; !ok {
		return "", false
	}
	delete(r.nicks, conn)
	if at, found := r.find(foldNick(nick)); found {
		r.members = slices.Delete(r.members, at, at+1)
	}
	return nick, true
}

// names returns all nicknames, sorted without regard to case.
func (r *roster) names() []string {
	names := make([]string, len(r.members))
	for i, m := range r.members {
		names[i] = m.nick
	}
	return names
}
