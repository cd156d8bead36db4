package codec

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/coder/websocket"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"
	"github.com/gobwas/ws/wsutil"
	gorilla "github.com/gorilla/websocket"
	"github.com/lxzan/gws"

	"github.com/tandem-ws/tandem/wscore"
)

// Largest is the longest message of the comparison.
const Largest = 1 << 20

// Peer is one way to echo.
type Peer struct {
	Name string
	// Open makes a server's connection of a stream; run then echoes that many
	// messages. Deflate says that compression without context takeover is agreed.
	Open func(stream *Stream, deflate bool) (run func(messages int) error, err error)
	// Deflates is set where the library offers permessage-deflate.
	Deflates bool
}

// Names that the report refers to.
const (
	Tandem = "tandem"
	GWS    = "gws"
)

// Peers are the contenders of the echo.
var Peers = []Peer{
	{Tandem, openTandem, true},
	{GWS, openGWS, true},
	{"gobwas, lowest level", openGobwas, true},
	{"gobwas wsutil", openWsutil, false},
	{"coder", openCoder, true},
	{"gorilla", openGorilla, true},
}

func openTandem(stream *Stream, deflate bool) (func(int) error, error) {
	buffers := wscore.Buffers{Read: make([]byte, 4096), Write: make([]byte, 4096), Message: make([]byte, Largest)}
	c, err := wscore.NewConn(stream, wscore.Server, buffers, wscore.Options{Agreed: wscore.DeflateParams{
		Agreed: deflate, SendWindowBits: 15, ReceiveWindowBits: 15,
	}})
	if err != nil {
		return nil, err
	}
	return func(messages int) error {
		for range messages {
			m, err := c.Next()
			if err != nil {
				return err
			}
			if err := c.Send(m); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

type gwsEcho struct {
	gws.BuiltinEventHandler
	failed error
}

// OnMessage sends the message back and keeps the last error.
func (h *gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	if err := c.WriteMessage(m.Opcode, m.Bytes()); err != nil {
		h.failed = err
	}
	_ = m.Close() // gives the buffer back, as the library asks
}

// openGWS: ReadLoop runs until the stream ends, so the number of messages is
// that of the stream.
func openGWS(stream *Stream, deflate bool) (func(int) error, error) {
	handler := &gwsEcho{}
	upgrader := gws.NewUpgrader(handler, &gws.ServerOption{
		PermessageDeflate: gws.PermessageDeflate{Enabled: deflate},
	})
	c, err := upgrader.Upgrade(newHijack(stream), upgradeRequest(deflate))
	if err != nil {
		return nil, err
	}
	return func(int) error {
		c.ReadLoop()
		return handler.failed
	}, nil
}

func openGobwas(stream *Stream, deflate bool) (func(int) error, error) {
	payload := make([]byte, Largest)
	// The default helper compresses at level 9; level 1 is what the others use.
	helper := wsflate.Helper{
		Compressor:   newStandardCompressor,
		Decompressor: newStandardDecompressor,
	}
	return func(messages int) error {
		for range messages {
			h, err := ws.ReadHeader(stream)
			if err != nil {
				return err
			}
			p := payload[:h.Length]
			if _, err := io.ReadFull(stream, p); err != nil {
				return err
			}
			ws.Cipher(p, h.Mask, 0)
			h.Masked = false
			if deflate {
				f, err := helper.DecompressFrame(ws.Frame{Header: h, Payload: p})
				if err != nil {
					return err
				}
				if f, err = helper.CompressFrame(f); err != nil {
					return err
				}
				h, p = f.Header, f.Payload
			}
			if err := ws.WriteHeader(stream, h); err != nil {
				return err
			}
			if _, err := stream.Write(p); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func openWsutil(stream *Stream, _ bool) (func(int) error, error) {
	return func(messages int) error {
		for range messages {
			p, op, err := wsutil.ReadClientData(stream)
			if err != nil {
				return err
			}
			if err := wsutil.WriteServerMessage(stream, op, p); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func openCoder(stream *Stream, deflate bool) (func(int) error, error) {
	options := &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled}
	if deflate {
		options.CompressionMode = websocket.CompressionNoContextTakeover
	}
	c, err := websocket.Accept(newHijack(stream), upgradeRequest(deflate), options)
	if err != nil {
		return nil, err
	}
	c.SetReadLimit(Largest)
	return func(messages int) error {
		defer c.CloseNow()
		for range messages {
			kind, p, err := c.Read(context.Background())
			if err != nil {
				return err
			}
			if err := c.Write(context.Background(), kind, p); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func openGorilla(stream *Stream, deflate bool) (func(int) error, error) {
	upgrader := gorilla.Upgrader{ReadBufferSize: 4096, WriteBufferSize: 4096, EnableCompression: deflate}
	c, err := upgrader.Upgrade(newHijack(stream), upgradeRequest(deflate), nil)
	if err != nil {
		return nil, err
	}
	return func(messages int) error {
		for range messages {
			kind, p, err := c.ReadMessage()
			if err != nil {
				return err
			}
			if err := c.WriteMessage(kind, p); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// hijack is an http.ResponseWriter that gives the stream away.
type hijack struct {
	stream *Stream
	header http.Header
}

func newHijack(stream *Stream) *hijack { return &hijack{stream, http.Header{}} }

// Header returns a header that nobody reads.
func (h *hijack) Header() http.Header { return h.header }

// Write throws p away.
func (h *hijack) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader does nothing.
func (h *hijack) WriteHeader(int) {}

// Hijack gives the stream away, with buffers of net/http's size.
func (h *hijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.stream, bufio.NewReadWriter(bufio.NewReaderSize(h.stream, 4096), bufio.NewWriterSize(h.stream, 4096)), nil
}

func upgradeRequest(deflate bool) *http.Request {
	r := &http.Request{Method: http.MethodGet, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Host: "localhost", Header: http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {"dGhlIHNhbXBsZSBub25jZQ=="},
	}}
	if deflate {
		r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
	}
	return r
}

// Echo lets a peer echo a frame that many times and checks how much it sent.
func Echo(peer Peer, stream *Stream, messages, payload int, deflate bool) error {
	stream.Rewind(0)
	run, err := peer.Open(stream, deflate)
	if err != nil {
		return fmt.Errorf("%s: %w", peer.Name, err)
	}
	return runEcho(peer, run, stream, messages, payload, deflate)
}

var errShortEcho = errors.New("not everything was echoed")

func runEcho(peer Peer, run func(int) error, stream *Stream, messages, payload int, deflate bool) error {
	stream.Rewind(messages)
	if err := run(messages); err != nil {
		return fmt.Errorf("%s: %w", peer.Name, err)
	}
	if want := messages * ServerFrameSize(payload); !deflate && stream.Written < want {
		return fmt.Errorf("%s: %w: %d of %d bytes", peer.Name, errShortEcho, stream.Written, want)
	}
	return nil
}
