package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// patience bounds every wait of a test; it is longer than any time limit of
// the chat that a test waits for.
const patience = 20 * time.Second

// client is a chat client over a stream. One goroutine at a time uses it, and
// pings are answered while it waits for something.
type client struct {
	t      *testing.T
	stream net.Conn
	ws     *wscore.Conn
}

// received is any message from the server.
type received struct {
	Type       string          `json:"type"`
	Version    int             `json:"version"`
	Connection string          `json:"connection"`
	Limits     limitsMessage   `json:"limits"`
	Kind       string          `json:"kind"`
	Code       errorCode       `json:"code"`
	Room       string          `json:"room"`
	Nick       string          `json:"nick"`
	Members    []string        `json:"members"`
	History    []chatMessage   `json:"history"`
	Seq        uint64          `json:"seq"`
	Text       string          `json:"text"`
	At         string          `json:"at"`
	ID         string          `json:"id"`
	Node       string          `json:"node"`
	Storing    bool            `json:"storing"`
	Epoch      string          `json:"epoch"`
	Gap        bool            `json:"gap"`
	Prev       uint64          `json:"prev"`
	Rooms      []listedRoom    `json:"rooms"`
	raw        json.RawMessage // as it came
}

// open shakes hands over a stream.
func open(t *testing.T, stream net.Conn, host string, options wscore.ConnectOptions) (*wscore.Conn, error) {
	t.Helper()
	return openAt(t, stream, "/ws", host, options)
}

func openAt(t *testing.T, stream net.Conn, path, host string, options wscore.ConnectOptions) (*wscore.Conn, error) {
	t.Helper()
	options.Host, options.Path = host, path
	buffers := wscore.Buffers{Read: make([]byte, 4<<10), Write: make([]byte, 4<<10), Message: make([]byte, 256<<10)}
	if err := stream.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	ws, chosen, err := wscore.Connect(stream, buffers, options)
	if err == nil && chosen != subprotocol {
		t.Fatalf("the server chose %q", chosen)
	}
	return ws, err
}

// newClient makes a client of a stream and reads its welcome.
func newClient(t *testing.T, stream net.Conn, host string, options wscore.Options) *client {
	t.Helper()
	t.Cleanup(func() { _ = stream.Close() })
	ws, err := open(t, stream, host, wscore.ConnectOptions{Subprotocols: []string{"other", subprotocol}, Options: options})
	if err != nil {
		t.Fatalf("handshake: %v", err)
	}
	c := &client{t: t, stream: stream, ws: ws}
	welcome := c.expect("welcome")
	if welcome.Version != 1 || welcome.Connection == "" || welcome.Node == "" || !welcome.Storing || welcome.Limits != (limitsMessage{Text: 2000, Nick: 24, Room: 32, Retry: 90}) {
		t.Fatalf("welcome is %+v", welcome)
	}
	return c
}

// next returns the next message or control frame.
func (c *client) next() (wscore.Message, error) {
	c.extendDeadline()
	return c.ws.Next()
}

func (c *client) extendDeadline() {
	if err := c.stream.SetDeadline(time.Now().Add(patience)); err != nil {
		c.t.Error(err)
	}
}

// expect returns the next message, which must be of that type.
func (c *client) expect(messageType string) received {
	c.t.Helper()
	return c.await(messageType, "ack", "state", "typing") // they come when they come
}

// await returns the next message of that type, and reads over some others.
func (c *client) await(messageType string, over ...string) received {
	c.t.Helper()
	for {
		got := c.any(append(over, messageType)...)
		if got.Type == messageType {
			return got
		}
	}
}

// any returns the next message, which must be of one of those types.
func (c *client) any(types ...string) received {
	c.t.Helper()
	for {
		m, err := c.next()
		switch {
		case err != nil:
			c.t.Fatalf("waiting for %v: %v", types, err)
		case m.IsClose():
			c.t.Fatalf("waiting for %v: closed with %v %q", types, m.Code, m.Payload)
		case !m.IsText():
			continue
		}
		got, _ := readReceived(c.t, m)
		if !slices.Contains(types, got.Type) {
			c.t.Fatalf("got %s, want one of type %v", m.Payload, types)
		}
		return got
	}
}

// readReceived reads a message if it is text.
func readReceived(t *testing.T, m wscore.Message) (got received, isText bool) {
	t.Helper()
	if !m.IsText() {
		return got, false
	}
	got.raw = slices.Clone(m.Payload)
	if err := json.Unmarshal(m.Payload, &got); err != nil {
		t.Errorf("server sent %q: %v", m.Payload, err)
	}
	return got, true
}

// expectError reads the next message, which must be that error about that say.
func (c *client) expectError(code errorCode, id string) {
	c.t.Helper()
	if got := c.expect("error"); got.Code != code || got.ID != id || got.Text == "" {
		c.t.Fatalf("got %s, want %s about %q", got.raw, code, id)
	}
}

// expectNotice reads the next message, which must be that notice.
func (c *client) expectNotice(kind, nick string, members ...string) {
	c.t.Helper()
	if got := c.expect("notice"); got.Kind != kind || got.Nick != nick || !slices.Equal(got.Members, members) {
		c.t.Fatalf("got %s, want %s of %s leaving %v", got.raw, kind, nick, members)
	}
}

// expectMessage reads the next message, which must be said by nick.
func (c *client) expectMessage(nick, text string) received {
	c.t.Helper()
	got := c.expect("message")
	if got.Nick != nick || got.Text != text {
		c.t.Fatalf("got %s, want %q by %s", got.raw, text, nick)
	}
	return got
}

// expectClose reads until the close frame, answers it as the options say, and
// returns its code and reason.
func (c *client) expectClose() (wscore.CloseCode, string) {
	c.t.Helper()
	for {
		m, err := c.next()
		if err != nil {
			c.t.Fatalf("waiting for a close frame: %v", err)
		}
		if m.IsClose() {
			return m.Code, string(m.Payload)
		}
	}
}

// expectEnd reads until the server has ended the stream, and ends it here.
func (c *client) expectEnd() {
	c.t.Helper()
	if _, err := c.next(); !errors.Is(err, io.EOF) {
		c.t.Fatalf("after the close: %v", err)
	}
	if _, err := io.Copy(io.Discard, c.stream); err != nil {
		c.t.Fatalf("the stream ended with %v", err)
	}
	_ = c.stream.Close() // the server's side has ended
}

func (c *client) send(text string) {
	c.t.Helper()
	c.extendDeadline()
	if err := c.ws.Send(wscore.Text([]byte(text))); err != nil {
		c.t.Fatalf("sending %s: %v", text, err)
	}
}

func (c *client) sendJSON(fields map[string]string) {
	c.t.Helper()
	data, err := json.Marshal(fields)
	if err != nil {
		c.t.Fatal(err)
	}
	c.send(string(data))
}

func (c *client) askToJoin(room, nick string) {
	c.t.Helper()
	c.sendJSON(map[string]string{"type": "join", "room": room, "nick": nick})
}

// join enters a room and checks who is there.
func (c *client) join(room, nick string, members ...string) received {
	c.t.Helper()
	c.askToJoin(room, nick)
	got := c.expect("joined")
	if got.Room != room || got.Nick != nick || !slices.Equal(got.Members, members) {
		c.t.Fatalf("got %s, want %s in %s with %v", got.raw, nick, room, members)
	}
	return got
}

func (c *client) say(id, text string) {
	c.t.Helper()
	c.sendJSON(map[string]string{"type": "say", "id": id, "text": text})
}

// joinAgain enters a room as a client that was there before.
func (c *client) joinAgain(room, nick, name, epoch string, after uint64) received {
	c.t.Helper()
	c.send(fmt.Sprintf(`{"type":"join","room":%q,"nick":%q,"client":%q,"epoch":%q,"after":%d}`, room, nick, name, epoch, after))
	return c.await("joined", "notice")
}

// leave closes with a code and waits for the end.
func (c *client) leave(code wscore.CloseCode) {
	c.t.Helper()
	if err := c.ws.Close(code, ""); err != nil {
		c.t.Fatal(err)
	}
	if got, _ := c.expectClose(); got != code {
		c.t.Fatalf("the close was answered with %v", got)
	}
	_ = c.stream.Close()
}
