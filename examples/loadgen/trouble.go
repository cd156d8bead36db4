package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// What a client can do wrong. Each of those in trouble does one after the
// other, and each shows in a metric of its own.
var troubles = []func(*crowd, context.Context) error{
	(*crowd).refuse, (*crowd).vanish, (*crowd).violate, (*crowd).stuff,
}

// trouble goes on until the context ends.
func (c *crowd) trouble(ctx context.Context, first int) {
	for i := first; ctx.Err() == nil; i++ {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		_ = troubles[i%len(troubles)](c, attempt) // failing is what it is for
		cancel()
		c.counts.troubles.Add(1)
		select {
		case <-ctx.Done():
		case <-time.After(500*time.Millisecond + rand.N(time.Second)):
		}
	}
}

// refuse asks for the page of the WebSocket as if it were one.
func (c *crowd) refuse(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.Replace(c.options.url, "ws", "http", 1), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// vanish leaves without a close frame.
func (c *crowd) vanish(ctx context.Context) error {
	_, stream, err := c.stranger(ctx)
	if err != nil {
		return err
	}
	return stream.Close()
}

// violate sends a frame that is not masked, and waits for the server to go.
func (c *crowd) violate(ctx context.Context) error {
	_, stream, err := c.stranger(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	if _, err := stream.Write([]byte{0x81, 2, 'h', 'i'}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, stream)
	return err
}

// stuff talks far faster than is allowed and reads nothing, until the server has
// had enough.
func (c *crowd) stuff(ctx context.Context) error {
	conn, stream, err := c.stranger(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	for range 300 {
		if err := conn.Send(wscore.Text([]byte(`{"type":"say","id":"1","text":"` + strings.Repeat("again ", 300) + `"}`))); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// stranger connects for as long as the context lets it.
func (c *crowd) stranger(ctx context.Context) (*wscore.Conn, net.Conn, error) {
	target, err := url.Parse(c.options.url)
	if err != nil {
		return nil, nil, err
	}
	var dialer net.Dialer
	stream, err := dialer.DialContext(ctx, "tcp", target.Host)
	if err != nil {
		return nil, nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = stream.SetDeadline(deadline) // fails only when the stream does
	}
	buffers := wscore.Buffers{Read: make([]byte, 4<<10), Write: make([]byte, 4<<10), Message: make([]byte, 64<<10)}
	conn, _, err := wscore.Connect(stream, buffers, wscore.ConnectOptions{Host: target.Host, Path: target.RequestURI(), Subprotocols: []string{subprotocol}})
	if err != nil {
		_ = stream.Close()
		return nil, nil, err
	}
	return conn, stream, nil
}
