package main

import (
	"encoding/json"
	"slices"
)

// The bounds of a room's history. Over either: the oldest message goes.
const (
	maxHistoryMessages = 50
	maxHistoryBytes    = 128 << 10
)

// history is the newest messages of a room as they were sent, oldest first.
type history struct {
	messages []json.RawMessage
	bytes    int
}

func (h *history) add(message string) {
	h.messages = append(h.messages, json.RawMessage(message))
	h.bytes += len(message)
	old := 0
	for len(h.messages)-old > maxHistoryMessages || h.bytes > maxHistoryBytes {
		h.bytes -= len(h.messages[old])
		old++
	}
	h.messages = slices.Delete(h.messages, 0, old)
}

// all returns the messages; the result must not be kept. It is never nil,
// which JSON would show as null.
func (h *history) all() []json.RawMessage {
	if h.messages == nil {
		return []json.RawMessage{}
	}
	return h.messages
}
