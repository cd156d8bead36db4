package main

import (
	"net/http"

	"github.com/lxzan/gws"
)

// gwsHandler is the event handler of github.com/lxzan/gws. Parallel handling
// stays off: it starts a goroutine for each message.
type gwsHandler struct {
	gws.BuiltinEventHandler
	everyone *members[*gws.Conn]
}

func serveGWS(s settings) error {
	h := &gwsHandler{}
	if s.broadcast {
		h.everyone = &members[*gws.Conn]{}
	}
	upgrader := gws.NewUpgrader(h, &gws.ServerOption{
		ReadMaxPayloadSize: maxMessage,
		PermessageDeflate:  gws.PermessageDeflate{Enabled: s.deflate},
	})
	return serveHTTP(s.addr, func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r)
		if err != nil {
			return
		}
		go c.ReadLoop() // as advised: the handler's memory is free while the connection lives
	})
}

// OnOpen joins the connection to the others, if there is a broadcast.
func (h *gwsHandler) OnOpen(c *gws.Conn) {
	if h.everyone != nil {
		h.everyone.add(c)
	}
}

// OnClose takes it out again.
func (h *gwsHandler) OnClose(c *gws.Conn, _ error) {
	if h.everyone != nil {
		h.everyone.remove(c)
	}
}

// OnMessage sends the message back, or to everyone.
func (h *gwsHandler) OnMessage(c *gws.Conn, m *gws.Message) {
	defer func() { _ = m.Close() }()
	if h.everyone == nil {
		_ = c.WriteMessage(m.Opcode, m.Bytes()) // a failed write ends ReadLoop
		return
	}
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer func() { _ = b.Close() }()
	h.everyone.each(func(to *gws.Conn) { _ = b.Broadcast(to) })
}
