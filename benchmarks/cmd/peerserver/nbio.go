package main

import (
	"net/http"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
)

// serveNBIO uses github.com/lesismal/nbio as its examples for many connections
// do: non-blocking, on its own epoll loops, payloads released by the library.
func serveNBIO(s settings) error {
	logging.SetLevel(logging.LevelNone)
	var everyone *members[*websocket.Conn]
	upgrader := websocket.NewUpgrader()
	upgrader.EnableCompression(s.deflate)
	upgrader.CheckOrigin = func(*http.Request) bool { return true }
	upgrader.MessageLengthLimit = maxMessage
	if s.broadcast {
		everyone = &members[*websocket.Conn]{}
		upgrader.OnOpen(everyone.add)
		upgrader.OnClose(func(c *websocket.Conn, _ error) { everyone.remove(c) })
	}
	upgrader.OnMessage(func(c *websocket.Conn, kind websocket.MessageType, data []byte) {
		if everyone == nil {
			_ = c.WriteMessage(kind, data) // the library closes a connection that cannot be written
			return
		}
		everyone.each(func(to *websocket.Conn) { _ = to.WriteMessage(kind, data) })
	})
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network:                 "tcp",
		Addrs:                   []string{s.addr},
		MaxLoad:                 1_000_000,
		ReleaseWebsocketPayload: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c, err := upgrader.Upgrade(w, r, nil)
			if err == nil {
				c.EnableWriteCompression(s.deflate)
			}
		}),
	})
	upgrader.Engine = engine
	if err := engine.Start(); err != nil {
		return err
	}
	select {}
}
