package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"net"
	"net/http"
)

// acceptGUID is the constant of RFC 6455, section 1.3.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// largestRead is how far a buffer grows that was filled by one read.
const largestRead = 256 << 10

// upgradeBytes answers the handshake and hands the stream over; after that
// nothing knows of WebSocket any more.
func upgradeBytes(w http.ResponseWriter, r *http.Request) (net.Conn, *bufio.Reader, bool) {
	key := r.Header.Get("Sec-WebSocket-Key")
	if key == "" {
		http.Error(w, "no WebSocket handshake", http.StatusBadRequest)
		return nil, nil, false
	}
	c, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, false
	}
	digest := sha1.Sum([]byte(key + acceptGUID))
	_, err = c.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(digest[:]) + "\r\n\r\n"))
	if err != nil {
		_ = c.Close()
		return nil, nil, false
	}
	return c, rw.Reader, true
}

// serveBytesNet is the least that a goroutine on a net.Conn can do: read bytes
// and write them back, still masked.
func serveBytesNet(s settings) error {
	return serveHTTP(s.addr, func(w http.ResponseWriter, r *http.Request) {
		c, early, ok := upgradeBytes(w, r)
		if !ok {
			return
		}
		go func() {
			defer func() { _ = c.Close() }()
			if n := early.Buffered(); n > 0 {
				p, _ := early.Peek(n)
				if _, err := c.Write(p); err != nil {
					return
				}
			}
			buffer := make([]byte, 4<<10)
			for {
				n, err := c.Read(buffer)
				if err != nil {
					return
				}
				if _, err = c.Write(buffer[:n]); err != nil {
					return
				}
				if n == len(buffer) && n < largestRead {
					buffer = make([]byte, 2*n)
				}
			}
		}()
	})
}
