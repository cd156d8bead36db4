package differential

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	gorilla "github.com/gorilla/websocket"

	"github.com/tandem-ws/tandem/wscore"
)

// ending says how a reader's stream came to its end.
type ending int

const (
	lost    ending = iota // the bytes ended first
	closed                // a close frame
	refused               // a violation
)

// verdict is what a reader made of a stream.
type verdict struct {
	log    []string // messages, pings, pongs and the close frame, in order
	ending ending
	err    error
}

func (v *verdict) add(what string, payload []byte) {
	v.log = append(v.log, fmt.Sprintf("%s %q", what, payload))
}

func judge(err error) ending {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return lost
	}
	return refused
}

// most bounds a message for all three alike.
const most = 1 << 16

// wholeStream is a net.Conn of bytes that all arrive at once.
type wholeStream struct{ *bytes.Reader }

func (wholeStream) Write(p []byte) (int, error)      { return len(p), nil }
func (wholeStream) Close() error                     { return nil }
func (wholeStream) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (wholeStream) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (wholeStream) SetDeadline(time.Time) error      { return nil }
func (wholeStream) SetReadDeadline(time.Time) error  { return nil }
func (wholeStream) SetWriteDeadline(time.Time) error { return nil }

func readWithTandem(input []byte) (v verdict) {
	c, err := wscore.NewConn(wholeStream{bytes.NewReader(input)}, wscore.Server,
		wscore.Buffers{Read: make([]byte, 256), Write: make([]byte, 256), Message: make([]byte, most)},
		wscore.Options{Limits: wscore.Limits{MaxMessage: most, MaxFragments: 1 << 20, MaxEmptyFragments: 1 << 20}})
	if err != nil {
		panic(err) // the options are constant
	}
	for {
		m, err := c.Next()
		switch {
		case errors.Is(err, wscore.ErrConnectionLost):
			v.ending = lost
			return v
		case err == io.EOF:
			v.ending = closed
			return v
		case err != nil:
			v.ending, v.err = refused, err
			return v
		}
		switch m.Opcode {
		case wscore.OpClose:
			v.add(fmt.Sprintf("close %d", m.Code), m.Payload)
		case wscore.OpPing:
			v.add("ping", m.Payload)
		case wscore.OpPong:
			v.add("pong", m.Payload)
		case wscore.OpText:
			v.add("text", m.Payload)
		default:
			v.add("binary", m.Payload)
		}
	}
}

type hijack struct {
	http.ResponseWriter
	stream wholeStream
}

func (h hijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.stream, bufio.NewReadWriter(bufio.NewReader(bytes.NewReader(nil)), bufio.NewWriter(io.Discard)), nil
}

func readWithGorilla(input []byte) (v verdict) {
	request := &http.Request{Method: http.MethodGet, Host: "localhost", Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
	}}
	upgrader := gorilla.Upgrader{ReadBufferSize: 4096}
	c, err := upgrader.Upgrade(hijack{stream: wholeStream{bytes.NewReader(input)}}, request, nil)
	if err != nil {
		panic(err) // the request is constant
	}
	c.SetReadLimit(most)
	c.SetPingHandler(func(p string) error { v.add("ping", []byte(p)); return nil })
	c.SetPongHandler(func(p string) error { v.add("pong", []byte(p)); return nil })
	c.SetCloseHandler(func(code int, reason string) error {
		v.add(fmt.Sprintf("close %d", code), []byte(reason))
		v.ending = closed
		return nil
	})
	for {
		kind, p, err := c.ReadMessage()
		if err != nil {
			if v.ending != closed {
				v.ending, v.err = judge(err), err
				// It tells the end of the stream as a close that never came.
				if gorilla.IsCloseError(err, gorilla.CloseAbnormalClosure) {
					v.ending = lost
				}
			}
			return v
		}
		if kind == gorilla.TextMessage {
			v.add("text", p)
		} else {
			v.add("binary", p)
		}
	}
}

func readWithGobwas(input []byte) (v verdict) {
	r := wsutil.Reader{Source: bytes.NewReader(input), State: ws.StateServerSide, CheckUTF8: true, MaxFrameSize: most}
	r.OnIntermediate = func(h ws.Header, body io.Reader) error {
		p, err := readAll(body, h.Length)
		if err != nil {
			return err
		}
		return v.control(h, p)
	}
	for {
		h, err := r.NextFrame()
		if err == nil && h.OpCode.IsControl() {
			var p []byte
			if p, err = readAll(&r, h.Length); err == nil {
				if err = v.control(h, p); err == nil {
					continue
				}
			}
		} else if err == nil {
			var p []byte
			if p, err = io.ReadAll(&r); err == nil {
				if h.OpCode == ws.OpText {
					v.add("text", p)
				} else {
					v.add("binary", p)
				}
				continue
			}
		}
		if err != errClosed {
			v.ending, v.err = judge(err), err
		}
		return v
	}
}

var errClosed = errors.New("the peer closed")

// readAll reads a control frame's payload; a frame without one has no end to
// read to.
func readAll(r io.Reader, length int64) ([]byte, error) {
	p := make([]byte, length)
	_, err := io.ReadFull(r, p)
	if err == io.EOF && length > 0 {
		err = io.ErrUnexpectedEOF
	}
	return p, err
}

// control judges a control frame with the library's own check.
func (v *verdict) control(h ws.Header, p []byte) error {
	switch h.OpCode {
	case ws.OpPing:
		v.add("ping", p)
	case ws.OpPong:
		v.add("pong", p)
	case ws.OpClose:
		code, reason := uint16(wscore.CloseNoStatus), []byte(nil)
		if len(p) >= 2 {
			code, reason = binary.BigEndian.Uint16(p), p[2:]
			if err := ws.CheckCloseFrameData(ws.StatusCode(code), string(reason)); err != nil {
				return err
			}
		}
		v.add(fmt.Sprintf("close %d", code), reason)
		v.ending = closed
		return errClosed
	}
	return nil
}
