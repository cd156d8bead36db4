package client

import (
	"encoding/json"
	"time"

	"github.com/tandem-ws/tandem/actor"
)

// request is anything that a client sends.
type request struct {
	Type   string `json:"type"`
	Room   string `json:"room,omitempty"`
	Nick   string `json:"nick,omitempty"`
	Client string `json:"client,omitempty"`
	After  uint64 `json:"after,omitempty"`
	Epoch  string `json:"epoch,omitempty"`
	ID     string `json:"id,omitempty"`
	Text   string `json:"text,omitempty"`
}

// answer is anything that the server sends.
type answer struct {
	Type    string    `json:"type"`
	Room    string    `json:"room"`
	Nick    string    `json:"nick"`
	Node    string    `json:"node"`
	Kind    string    `json:"kind"`
	Code    string    `json:"code"`
	Text    string    `json:"text"`
	ID      string    `json:"id"`
	Epoch   string    `json:"epoch"`
	Seq     uint64    `json:"seq"`
	Prev    uint64    `json:"prev"`
	At      time.Time `json:"at"`
	Gap     bool      `json:"gap"`
	Storing bool      `json:"storing"`
	Members []string  `json:"members"`
	History []answer  `json:"history"`
	Limits  struct {
		Retry int `json:"retry"`
	} `json:"limits"`
}

// session is the client on one connection.
type session struct{ client *Client }

// Receive handles what the server says.
func (s *session) Receive(ctx *actor.Context) {
	c := s.client
	c.telling.Lock()
	defer c.telling.Unlock()
	switch m := ctx.Message().(type) {
	case actor.Opened:
		c.opened(m.Conn)
	case *actor.Message:
		var a answer
		if m.IsText() && json.Unmarshal(m.Bytes(), &a) == nil {
			c.tell(c.take(&a)...)
		}
	case actor.Closed:
		c.lost()
		c.tell(State{})
	}
}

func (c *Client) opened(conn *actor.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn = conn
	if c.closed {
		_ = conn.Close(1000, "") // it may be closing already
	}
}

func (c *Client) lost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn, c.joined, c.asked, c.again = nil, false, time.Time{}, time.Time{}
	for _, e := range c.queue {
		e.sent = time.Time{}
	}
}

// take takes an answer, and returns what the user is to be told.
func (c *Client) take(a *answer) (events []any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch a.Type {
	case "welcome":
		c.node = a.Node
		if a.Limits.Retry > 0 {
			c.maxAge = time.Duration(a.Limits.Retry) * time.Second
		}
		c.join()
		return []any{State{Connected: true, Storing: a.Storing}}
	case "state":
		return []any{State{Connected: true, Storing: a.Storing}}
	case "joined":
		c.joined, c.asked = true, time.Time{}
		events = append(events, Joined{Room: a.Room, Nick: a.Nick, Node: c.node, Members: a.Members})
		if a.Epoch != c.epoch {
			c.epoch, c.last = a.Epoch, 0
		}
		if a.Gap {
			events = append(events, Gap{})
		}
		events = c.takeAll(events, a.History, a.Gap)
		c.pump()
	case "history":
		events = c.takeAll(events, a.History, false)
	case "message":
		events = c.takeAll(events, []answer{*a}, false)
	case "ack":
		events = c.stored(events, a.ID, a.Seq)
	case "notice":
		events = append(events, Notice{Kind: a.Kind, Nick: a.Nick, Members: a.Members})
	case "typing":
		if a.Nick != c.config.Nick {
			events = append(events, Typing{Nick: a.Nick})
		}
	case "whisper":
		events = append(events, Whisper{Nick: a.Nick, Text: a.Text})
	case "error":
		events = c.refused(a)
	}
	return events
}

// takeAll takes messages that are new, in order.
func (c *Client) takeAll(events []any, list []answer, gapTold bool) []any {
	for _, a := range list {
		if a.Room != c.config.Room || a.Seq <= c.last {
			continue
		}
		if c.last != 0 && a.Prev != c.last && !gapTold {
			events = append(events, Gap{})
		}
		gapTold = false
		c.last = a.Seq
		events = append(events, Message{Room: a.Room, Nick: a.Nick, Text: a.Text, ID: a.ID, Seq: a.Seq, At: a.At})
	}
	return events
}

func (c *Client) stored(events []any, id string, seq uint64) []any {
	if len(c.queue) > 0 && c.queue[0].id == id {
		c.queue = c.queue[1:]
		events = append(events, Stored{ID: id, Seq: seq})
		c.pump()
	}
	return events
}

// refused decides what an error means.
func (c *Client) refused(a *answer) []any {
	pause := func() { c.paused = time.Now().Add(retryPause) }
	if a.ID != "" && len(c.queue) > 0 && c.queue[0].id == a.ID {
		e := c.queue[0]
		e.sent = time.Time{}
		switch a.Code {
		case "too_fast", "unavailable":
			pause()
		case "not_joined":
			c.joined = false
			c.join()
		default:
			c.queue = c.queue[1:]
			c.pump()
			return []any{Failed{ID: e.id, Text: e.text, Code: a.Code}}
		}
		return nil
	}
	if a.ID != "" {
		return nil
	}
	refused := []any{Refused{Code: a.Code, Text: a.Text}}
	switch a.Code {
	case "replaced":
		_ = c.conn.Close(1000, "") // which ends the dialer
	case "too_fast", "unavailable", "nick_taken", "room_full", "rooms_full":
		if !c.joined {
			c.asked, c.again = time.Time{}, time.Now().Add(retryPause)
		}
	default:
		if !c.joined {
			_ = c.conn.Close(1000, "") // it would be refused again
		}
	}
	return refused
}
