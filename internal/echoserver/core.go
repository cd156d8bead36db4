package main

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// newCore echoes with a synchronous wscore.Conn and a goroutine a connection.
func newCore(s settings) (service, error) {
	options := wscore.Options{Limits: wscore.Limits{MaxMessage: maxMessage}, Deflate: s.compression()}
	if options.Deflate != nil {
		config, err := options.Deflate.WithDefaults()
		if err != nil {
			return service{}, err
		}
		options.Deflate = &config
	}
	return service{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream, early, agreed, ok := accept(w, r, options.Deflate)
		if !ok {
			return
		}
		options := options
		options.Agreed = agreed
		go func() {
			defer func() { _ = stream.Close() }()
			echoCore(stream, early, options)
		}()
	}), stop: func() {}}, nil
}

func echoCore(stream net.Conn, early []byte, options wscore.Options) {
	conn, err := wscore.NewConn(readAfter{bytes.NewReader(early), stream}, wscore.Server, wscore.Buffers{
		Read: make([]byte, 16<<10), Write: make([]byte, 16<<10), Message: make([]byte, maxMessage),
	}, options)
	if err != nil {
		return
	}
	for {
		message, err := conn.Next()
		if err != nil {
			lingerAfterClose(stream)
			return
		}
		if message.IsData() && conn.Send(message) != nil {
			return
		}
	}
}

// readAfter reads the bytes that came with the handshake first.
type readAfter struct {
	early *bytes.Reader
	net.Conn
}

// Read returns those bytes before anything from the connection.
func (s readAfter) Read(p []byte) (int, error) {
	if s.early.Len() > 0 {
		return s.early.Read(p)
	}
	return s.Conn.Read(p)
}

// lingerAfterClose lets the close frame reach the peer: a socket that is closed
// with unread bytes is reset.
func lingerAfterClose(stream net.Conn) {
	if half, ok := stream.(*net.TCPConn); ok && half.CloseWrite() == nil {
		_ = stream.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = io.Copy(io.Discard, io.LimitReader(stream, 1<<20))
	}
}

// accept performs the handshake through net/http.
func accept(w http.ResponseWriter, r *http.Request, deflate *wscore.DeflateConfig) (stream net.Conn, early []byte, agreed wscore.DeflateParams, ok bool) {
	upgrade, err := split.NewUpgrade(r, nil)
	if err == nil {
		agreed = upgrade.Deflate(deflate)
		stream, early, err = upgrade.Accept(w, wscore.Answer{Deflate: agreed}, 10*time.Second)
	}
	if err != nil && stream == nil {
		split.Refuse(w, err)
	}
	return stream, early, agreed, err == nil
}
