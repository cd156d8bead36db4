// Package store keeps what was said in the chat's rooms, and who has which
// nickname there: on JetStream, shared by all nodes, or in memory, for one
// process and its life.
package store

import (
	"context"
	"errors"
	"time"
)

// Message is something that was said.
type Message struct {
	Room string
	// Seq grows from message to message of a room, with numbers left out. Prev is
	// that of the message before it in the room, 0 if there is none or it is gone:
	// who has seen it has missed nothing.
	Seq, Prev uint64
	Nick      string
	Text      string
	ID        string // the sender's own
	Conn      string // the id of the sender's connection, which others may answer to
	At        time.Time
}

// Draft is something that is to be said.
type Draft struct {
	Room, Nick, Text, ID, Conn string
	// Key is the same for a message that is sent again: within [Window] it is
	// stored once.
	Key string
}

// Stored says that a message is in the room's history, and stays there if the
// program or its server ends in whatever way.
type Stored struct {
	Seq   uint64
	Again bool // it was there already
}

// Page is a part of a room's history, oldest first.
type Page struct {
	Messages []Message
	// Complete is false if messages are gone between what was asked for and the
	// first one here.
	Complete bool
}

// The bounds of what is kept.
const (
	// PerRoom is how many messages of a room are kept. Over it: the oldest goes.
	PerRoom = 500
	// MaxRooms is how many rooms may have a history. Over it: [ErrRoomsFull].
	MaxRooms = 1000
	// Window is how long a message that is sent again is known to be the same. A
	// client must not send it again later than that.
	Window = 2 * time.Minute
	// appendTimeout is how long storing may take. Over it: [ErrUnavailable],
	// though it may be stored after all: sending it again within the window tells.
	appendTimeout = 5 * time.Second
	// maxWaiting is how many messages may wait to be stored. Over it:
	// [ErrUnavailable].
	maxWaiting = 4096
)

// Why the store refuses.
var (
	// ErrUnavailable: it cannot be reached, or cannot write.
	ErrUnavailable = errors.New("store: unavailable")
	// ErrRoomsFull: [MaxRooms].
	ErrRoomsFull = errors.New("store: too many rooms")
	// ErrTaken: somebody else has the nickname.
	ErrTaken = errors.New("store: the nickname is taken")
)

// Store is what a node of the chat keeps its rooms in. All methods may be called
// from any goroutine.
type Store interface {
	// Epoch names the numbering: where it differs, numbers say nothing.
	Epoch() string
	// Append stores a message, in the order of the calls, and does not wait: done
	// is called from another goroutine with the outcome, which is [ErrUnavailable],
	// [ErrRoomsFull] or nil.
	Append(d Draft, done func(Stored, error))
	// After returns what was said in a room after the message with that number,
	// as of the moment of the call or later; everything that is kept for 0.
	After(ctx context.Context, room string, after uint64) (Page, error)
	// Follow calls f with what is said in a room from now on, in order, until
	// stop; some may be missing, which the numbers tell. A message without a
	// number says that the end may be missing.
	Follow(room string, f func(Message)) (stop func(), err error)
	// Rooms returns the rooms that have a history, in no order.
	Rooms(ctx context.Context) ([]string, error)
	// Claim gives a nickname of a room to an owner: to one at a time, on whatever
	// node. Who owns it already may claim it from another node. The error is
	// [ErrTaken] or [ErrUnavailable].
	Claim(ctx context.Context, room, nick, owner string) error
	// Release gives up what this node has claimed for the owner.
	Release(room, nick, owner string)
	// Watch calls f when the store becomes unavailable or available again.
	Watch(f func(available bool))
	// Close ends everything.
	Close()
}
