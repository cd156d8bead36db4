package main

import (
	"context"
	"net/http"

	"github.com/coder/websocket"
)

// serveCoder uses github.com/coder/websocket with Reader and a buffer that is
// kept, and Write, which sends a message in one frame. Its broadcast is that of
// its chat example: a channel and a writing goroutine for each connection.
func serveCoder(s settings) error {
	options := &websocket.AcceptOptions{InsecureSkipVerify: true}
	if s.deflate {
		options.CompressionMode = websocket.CompressionNoContextTakeover
	}
	var everyone members[chan coderMessage]
	return serveHTTP(s.addr, func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, options)
		if err != nil {
			return
		}
		c.SetReadLimit(maxMessage)
		if !s.broadcast {
			go echoCoder(c)
			return
		}
		out := make(chan coderMessage, queue)
		everyone.add(out)
		go writeCoder(c, out)
		go func() {
			defer close(out) // after remove nobody sends
			defer everyone.remove(out)
			broadcastCoder(c, &everyone)
		}()
	})
}

type coderMessage struct {
	kind websocket.MessageType
	data []byte
}

func echoCoder(c *websocket.Conn) {
	defer func() { _ = c.CloseNow() }()
	ctx := context.Background()
	var buffer []byte
	for {
		kind, r, err := c.Reader(ctx)
		if err != nil {
			return
		}
		if buffer, err = readAll(r, buffer); err != nil {
			return
		}
		if err = c.Write(ctx, kind, buffer); err != nil {
			return
		}
	}
}

func broadcastCoder(c *websocket.Conn, everyone *members[chan coderMessage]) {
	for {
		kind, data, err := c.Read(context.Background())
		if err != nil {
			return
		}
		everyone.each(func(to chan coderMessage) {
			select {
			case to <- coderMessage{kind, data}:
			default: // the load generator reports what is missing
			}
		})
	}
}

func writeCoder(c *websocket.Conn, out <-chan coderMessage) {
	defer func() { _ = c.CloseNow() }()
	for m := range out {
		if c.Write(context.Background(), m.kind, m.data) != nil {
			return
		}
	}
}
