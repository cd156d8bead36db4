package main

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// serveGorilla uses github.com/gorilla/websocket with a read buffer that is
// kept and a pool of write buffers. Its broadcast is that of its chat example,
// a channel and a writing goroutine for each connection, with prepared messages.
func serveGorilla(s settings) error {
	upgrader := websocket.Upgrader{
		EnableCompression: s.deflate,
		WriteBufferPool:   &sync.Pool{},
		CheckOrigin:       func(*http.Request) bool { return true },
	}
	var everyone members[chan *websocket.PreparedMessage]
	return serveHTTP(s.addr, func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c.SetReadLimit(maxMessage)
		if !s.broadcast {
			go echoGorilla(c)
			return
		}
		out := make(chan *websocket.PreparedMessage, queue)
		everyone.add(out)
		go writeGorilla(c, out)
		go func() {
			defer close(out) // after remove nobody sends
			defer everyone.remove(out)
			broadcastGorilla(c, &everyone)
		}()
	})
}

func echoGorilla(c *websocket.Conn) {
	defer func() { _ = c.Close() }()
	var buffer []byte
	for {
		kind, r, err := c.NextReader()
		if err != nil {
			return
		}
		if buffer, err = readAll(r, buffer); err != nil {
			return
		}
		if err = c.WriteMessage(kind, buffer); err != nil {
			return
		}
	}
}

func broadcastGorilla(c *websocket.Conn, everyone *members[chan *websocket.PreparedMessage]) {
	for {
		kind, data, err := c.ReadMessage()
		if err != nil {
			return
		}
		m, err := websocket.NewPreparedMessage(kind, data)
		if err != nil {
			return
		}
		everyone.each(func(to chan *websocket.PreparedMessage) {
			select {
			case to <- m:
			default: // the load generator reports what is missing
			}
		})
	}
}

func writeGorilla(c *websocket.Conn, out <-chan *websocket.PreparedMessage) {
	defer func() { _ = c.Close() }()
	for m := range out {
		if c.WritePreparedMessage(m) != nil {
			return
		}
	}
}
