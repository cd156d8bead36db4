package main

import (
	"encoding/json"
	"slices"
)

// The bounds of what a node holds of a room that is open. Over either: the
// oldest message goes, and stays in the store.
const (
	maxHistoryMessages = 500
	maxHistoryBytes    = 1 << 20
	// recentMessages is how many messages somebody sees who has not been there.
	recentMessages = 50
	// historyPart is how many messages one message to a client has.
	historyPart = 100
)

// history is the newest messages of a room as they go on the wire, oldest first.
type history struct {
	messages []heldMessage
	bytes    int
	before   uint64 // the number of the one before the first, 0 for none
}

type heldMessage struct {
	seq  uint64
	json json.RawMessage
}

func (h *history) add(seq uint64, message string) {
	h.messages = append(h.messages, heldMessage{seq, json.RawMessage(message)})
	h.bytes += len(message)
	old := 0
	for len(h.messages)-old > maxHistoryMessages || h.bytes > maxHistoryBytes {
		h.bytes -= len(h.messages[old].json)
		h.before = h.messages[old].seq
		old++
	}
	h.messages = slices.Delete(h.messages, 0, old)
}

// recent returns the newest messages.
func (h *history) recent() []json.RawMessage {
	return rawMessages(h.messages[max(0, len(h.messages)-recentMessages):])
}

// after returns what came after the message with that number; complete is false
// if some of it is not held any more.
func (h *history) after(seq uint64) (list []json.RawMessage, complete bool) {
	at, _ := slices.BinarySearchFunc(h.messages, seq+1, func(m heldMessage, seq uint64) int {
		if m.seq < seq {
			return -1
		} else if m.seq > seq {
			return 1
		}
		return 0
	})
	return rawMessages(h.messages[at:]), at > 0 || seq == h.before
}

// rawMessages is never nil, which JSON would show as null.
func rawMessages(held []heldMessage) []json.RawMessage {
	list := make([]json.RawMessage, len(held))
	for i, m := range held {
		list[i] = m.json
	}
	return list
}

// countAfter returns how many messages came after the one with that number, as
// far as they are held.
func (h *history) countAfter(seq uint64) int {
	list, _ := h.after(seq)
	return len(list)
}
