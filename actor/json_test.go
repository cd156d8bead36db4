package actor_test

import (
	"encoding/json"
	"errors"
	"math"
	"testing"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
	"github.com/tandem-ws/tandem/wscore"
)

type order struct {
	Item  string          `json:"item"`
	Count int             `json:"count"`
	Rest  json.RawMessage `json:"rest,omitempty"`
}

// orders answers each order with twice as many, and what is none with an error.
func orders(t *testing.T) func(*receive, *actor.Context) {
	return func(s *receive, c *actor.Context) {
		m, ok := c.Message().(*actor.Message)
		if !ok {
			return
		}
		var o order
		if err := m.JSON(&o); err != nil {
			var wrong *actor.JSONError
			if !errors.As(err, &wrong) || wrong.Operation != "decode" || wrong.Err == nil {
				t.Errorf("decoding: %v", err)
			}
			_ = s.conn.SendText(err.Error())
			return
		}
		o.Count *= 2
		if err := s.conn.SendJSON(&o); err != nil {
			t.Error(err)
		}
	}
}

func TestJSONInAndOut(t *testing.T) {
	peer := actortest.Connect(t, actortest.NewServer(t, sessions(orders(t)), actor.ServerConfig{}), actortest.Options{})
	for _, test := range []struct{ name, send, want string }{
		{"an order", `{"item":"tea","count":21}`, `{"item":"tea","count":42}`},
		{"what is kept as it came", `{"item":"<tea>","count":1,"rest":[1, 2]}`, `{"item":"\u003ctea\u003e","count":2,"rest":[1,2]}`},
		{"no JSON", `{"item":`, `websocket: JSON decode: unexpected end of JSON input`},
		{"other JSON", `{"count":"many"}`, `websocket: JSON decode: json: cannot unmarshal string into Go struct field order.count of type int`},
		{"and the connection goes on", `{}`, `{"item":"","count":0}`},
	} {
		peer.SendText(test.send)
		if got := string(peer.Next().Payload); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
	peer.SendBinary([]byte(`{"item":"salt","count":1}`))
	peer.ExpectText(`{"item":"salt","count":2}`)
}

// unruly makes JSON that is not UTF-8.
type unruly struct{}

func (unruly) MarshalJSON() ([]byte, error) { return []byte("\"\xFF\""), nil }

func TestWhatHasNoJSONFormIsNotSent(t *testing.T) {
	server := actortest.NewServer(t, sessions(orders(t)), actor.ServerConfig{})
	b, err := server.JSON(order{Item: "tea"})
	must(t, err)
	if b.Opcode() != wscore.OpText || string(b.Payload()) != `{"item":"tea","count":0}` {
		t.Errorf("made %v %q", b.Opcode(), b.Payload())
	}
	b.Release()
	var wrong *actor.JSONError
	var reason *json.UnsupportedValueError
	if _, err = server.JSON(math.NaN()); !errors.As(err, &wrong) || wrong.Operation != "encode" || !errors.As(err, &reason) {
		t.Errorf("a number that is none: %v", err)
	}
	if _, err = server.JSON(unruly{}); !errors.Is(err, wscore.ErrTextNotUTF8) {
		t.Errorf("text that is none: %v", err)
	}
	if n := server.BuffersInUse(); n != 0 {
		t.Errorf("%d buffers in use", n)
	}
	b, err = server.JSON("after that")
	must(t, err)
	b.Release()
}
