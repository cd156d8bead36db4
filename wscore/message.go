package wscore

// Message is one message or control frame. One that came from [Conn.Next]
// borrows the connection's buffers until the following Next: copy the payload
// to keep it longer. It may be sent back as it is; text that was changed in
// place must be sent as a new [Text], so that it is judged again.
type Message struct {
	Opcode Opcode // OpText, OpBinary, OpPing, OpPong or OpClose
	// judged is set on text as it was received: if the payload is still what the
	// Conn lent, an echo need not judge it again. It stands here because four
	// fields in four words travel in registers.
	judged  bool
	Code    CloseCode // for OpClose; CloseNoStatus stands for a frame without a code
	Payload []byte    // for OpClose the reason, at most MaxCloseReason bytes
}

// received makes a message of what the peer sent.
func received(opcode Opcode, payload []byte) Message {
	return Message{Opcode: opcode, judged: opcode == OpText, Payload: payload}
}

// Text makes a text message of a payload that must be UTF-8.
func Text(payload []byte) Message { return Message{Opcode: OpText, Payload: payload} }

// Binary makes a binary message.
func Binary(payload []byte) Message { return Message{Opcode: OpBinary, Payload: payload} }

// PingMessage makes a ping with at most [MaxControlPayload] bytes of payload.
func PingMessage(payload []byte) Message { return Message{Opcode: OpPing, Payload: payload} }

// PongMessage makes an unsolicited pong with at most [MaxControlPayload] bytes
// of payload.
func PongMessage(payload []byte) Message { return Message{Opcode: OpPong, Payload: payload} }

// CloseMessage makes a close frame; see [Encoder.AppendClose] for what may
// stand in it.
func CloseMessage(code CloseCode, reason string) Message {
	return Message{Opcode: OpClose, Payload: []byte(reason), Code: code}
}

// IsText reports whether m is a text message.
func (m Message) IsText() bool { return m.Opcode == OpText }

// IsBinary reports whether m is a binary message.
func (m Message) IsBinary() bool { return m.Opcode == OpBinary }

// IsData reports whether m is a text or binary message.
func (m Message) IsData() bool { return m.IsText() || m.IsBinary() }

// IsPing reports whether m is a ping.
func (m Message) IsPing() bool { return m.Opcode == OpPing }

// IsPong reports whether m is a pong.
func (m Message) IsPong() bool { return m.Opcode == OpPong }

// IsClose reports whether m is a close frame.
func (m Message) IsClose() bool { return m.Opcode == OpClose }
