package wscore

// Send sends a message, a ping, a pong or a close frame. The payload may be
// one that [Conn.Next] lent; it is not changed, and the caller's again once Send
// returns. What the protocol forbids is refused with a local [*ProtocolError]
// and nothing is sent. Any other error is the stream's: nothing can be sent
// after it.
func (c *Conn) Send(m Message) error {
	switch m.Opcode {
	case OpText, OpBinary:
		if c.deflate == nil && (m.Opcode == OpBinary || c.isUTF8(m)) {
			if frame := c.wholeFrame(m.Opcode, m.Payload); frame != nil {
				return c.flush(frame)
			}
		}
		if err := c.mayBegin(m); err != nil {
			return err
		}
		packed, compressed := c.compress(m.Payload)
		if compressed {
			return c.sendFrame(m.Opcode, true, packed, compressed)
		}
		return c.sendFrame(m.Opcode, true, m.Payload, false)
	case OpPing, OpPong:
		frame, err := c.encoder.AppendControl(c.write[:0], m.Opcode, m.Payload)
		if err != nil {
			return err
		}
		return c.flush(frame)
	case OpClose:
		return c.sendClose(m.Code, string(m.Payload))
	}
	return ErrNotDataOpcode
}

// SendFragmented sends a text or binary message in frames with at most size
// bytes of payload, 1 or more (RFC 6455 section 5.4). It is otherwise as
// [Conn.Send].
func (c *Conn) SendFragmented(m Message, size int) error {
	switch {
	case !m.IsData():
		return ErrNotDataOpcode
	case size < 1:
		return ErrFragmentSize
	}
	if err := c.mayBegin(m); err != nil {
		return err
	}
	opcode, rest := m.Opcode, m.Payload
	packed, compressed := c.compress(rest)
	if compressed {
		rest = packed
	}
	for len(rest) > size {
		if err := c.sendFrame(opcode, false, rest[:size], compressed); err != nil {
			return err
		}
		opcode, rest, compressed = OpContinuation, rest[size:], false
	}
	return c.sendFrame(opcode, true, rest, compressed)
}

// Close sends the close frame; see [Encoder.AppendClose] for what may stand in
// it. If one was sent before, the error is [ErrSendAfterClose] or, once the
// peer's is in too, [ErrConnectionClosed]. Close does not wait for the peer's
// close frame: call [Conn.Next] until it returns an error for that, within a
// time that the stream's deadline bounds (RFC 6455 section 7.1.1). The stream
// stays open.
func (c *Conn) Close(code CloseCode, reason string) error { return c.sendClose(code, reason) }

func (c *Conn) sendClose(code CloseCode, reason string) error {
	frame, err := c.encoder.AppendClose(c.write[:0], code, reason)
	if err != nil {
		return err
	}
	return c.flush(frame)
}

// mayBegin reports what forbids a message, before it enters the window of the
// compressor.
func (c *Conn) mayBegin(m Message) error {
	if m.Opcode == OpText && !c.isUTF8(m) {
		return ErrTextNotUTF8
	}
	return c.encoder.mayBegin()
}

// sendFrame sends one data frame. One that fits the write buffer leaves in one
// Write; a server's larger payload leaves by reference, a client's is masked
// through the write buffer, a bufferful at a time.
func (c *Conn) sendFrame(opcode Opcode, fin bool, payload []byte, compressed bool) error {
	header, err := c.encoder.DataHeader(opcode, fin, len(payload))
	if err != nil {
		return err
	}
	if compressed {
		header.RSV = RSV1
	}
	used := header.Put(c.write)
	if !header.Masked && used+len(payload) > len(c.write) {
		if err := c.flush(c.write[:used]); err != nil {
			return err
		}
		return c.flush(payload)
	}
	for key := header.Key; ; {
		n := copy(c.write[used:], payload)
		if header.Masked {
			key = Mask(c.write[used:used+n], key)
		}
		if err := c.flush(c.write[:used+n]); err != nil {
			return err
		}
		if payload = payload[n:]; len(payload) == 0 {
			return nil
		}
		used = 0
	}
}

func (c *Conn) flush(p []byte) error {
	if _, err := c.stream.Write(p); err != nil {
		_, _ = c.lifecycle.Apply(Lost)
		return err
	}
	return nil
}
