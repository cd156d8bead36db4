package wscore

import "testing"

func TestMessagesKnowWhatTheyAre(t *testing.T) {
	for _, test := range []struct {
		name                                   string
		message                                Message
		opcode                                 Opcode
		text, binary, data, ping, pong, closes bool
	}{
		{name: "text", message: Text([]byte("x")), opcode: OpText, text: true, data: true},
		{name: "binary", message: Binary([]byte("x")), opcode: OpBinary, binary: true, data: true},
		{name: "ping", message: PingMessage([]byte("x")), opcode: OpPing, ping: true},
		{name: "pong", message: PongMessage([]byte("x")), opcode: OpPong, pong: true},
		{name: "close", message: CloseMessage(CloseGoingAway, "x"), opcode: OpClose, closes: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := test.message
			if m.Opcode != test.opcode || string(m.Payload) != "x" {
				t.Errorf("made %+v", m)
			}
			if m.IsText() != test.text || m.IsBinary() != test.binary || m.IsData() != test.data ||
				m.IsPing() != test.ping || m.IsPong() != test.pong || m.IsClose() != test.closes {
				t.Errorf("%+v is something else", m)
			}
		})
	}
	if m := CloseMessage(CloseGoingAway, "x"); m.Code != CloseGoingAway {
		t.Errorf("close code %v", m.Code)
	}
}
