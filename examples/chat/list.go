package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tandem-ws/tandem/actor"
)

// list sends a client all rooms, those with a history and those with members on
// whatever node, and how much is unread in those that it asks about. It waits
// for other nodes, so that it runs on a goroutine of its own.
func (r *rooms) list(conn *actor.Conn, request listRooms) {
	ctx, cancel := operation()
	defer cancel()
	names, err := r.node.store.Rooms(ctx)
	if err != nil {
		_ = conn.SendText(encode(newError(codeUnavailable, ""))) // it may be closing
		return
	}
	members := make(map[string]int)
	for _, name := range names {
		members[name] = 0
	}
	present, _ := r.node.hub.Presence(ctx, roomsName) // what is known, if there is an error
	for _, m := range present.Members {
		name, count, _ := strings.Cut(m.Metadata, " ")
		n, _ := strconv.Atoi(count)
		members[name] += n
	}
	answer := roomsMessage{Type: "rooms", Rooms: []listedRoom{}}
	for name, n := range members {
		listed := listedRoom{Room: name, Members: n}
		if seq, asked := request.seen[name]; asked {
			listed.Unread = r.unread(ctx.Done(), name, seq)
		}
		answer.Rooms = append(answer.Rooms, listed)
	}
	slices.SortFunc(answer.Rooms, func(a, b listedRoom) int { return strings.Compare(a.Room, b.Room) })
	_ = conn.SendText(encode(answer)) // as above
}

// unread asks a room, which opens for it, how much came after a message; nil if
// it does not know in time.
func (r *rooms) unread(timeout <-chan struct{}, name string, seq uint64) *int {
	place, _ := r.take(name)
	if place == nil {
		return nil
	}
	defer place.leave()
	answer := make(chan int, 1)
	r.node.engine.Send(place.room.pid, countAfter{seq: seq, answer: answer})
	select {
	case n := <-answer:
		return &n
	case <-timeout:
		return nil
	}
}
