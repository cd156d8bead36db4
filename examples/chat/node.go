package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/examples/chat/store"
)

// node is what all rooms and sessions of this process share.
type node struct {
	name   string
	engine *actor.Engine
	logger *zap.Logger
	now    func() time.Time // the clock of all rooms
	hub    *actor.Hub
	store  store.Store
	auth   *auth // nil lets everybody in

	everybody actor.Topic // all connections
	storing   atomic.Bool
}

func newNode(name string, engine *actor.Engine, logger *zap.Logger, now func() time.Time, hub *actor.Hub, kept store.Store) *node {
	n := &node{name: name, engine: engine, logger: logger, now: now, hub: hub, store: kept}
	n.storing.Store(true)
	kept.Watch(func(available bool) {
		if n.storing.Swap(available) != available {
			logger.Warn("store", zap.Bool("available", available))
			n.everybody.Publish(hub.Text(encode(stateMessage{Type: "state", Storing: available})))
		}
	})
	return n
}

// The names of a room's presence, of the topic for what is not kept, and of the
// presence in which each node has its rooms.
func hereName(room string) string  { return "here." + room }
func asideName(room string) string { return "aside." + room }

const roomsName = "rooms"

// operationTimeout bounds what is done on behalf of one request.
const operationTimeout = 5 * time.Second

func operation() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), operationTimeout)
}

// digest makes a name of parts that may be secret or long.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = h.Write([]byte(part)) // a hash takes everything
		_, _ = h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
