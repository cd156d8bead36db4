package wscore

// wholeFrame puts a server's message together as one frame, in one go. What
// Next took in one go is framed where it lies: a client's header is longer than
// a server's, so there is room in front. It returns nil for what does not fit
// and for what the encoder leaves to DataHeader.
func (c *Conn) wholeFrame(opcode Opcode, payload []byte) []byte {
	frame, at, n := c.write, wholeHeader, len(payload)
	inPlace := c.lentInPlace(payload)
	if inPlace {
		frame, at = c.read, c.lentAt
	} else if n > len(frame)-wholeHeader {
		return nil
	}
	size := c.encoder.putWhole(frame[at-wholeHeader:at], opcode, n)
	if size == 0 {
		return nil
	}
	if !inPlace {
		copy(frame[at:], payload)
	}
	return frame[at-size : at+n]
}

// lentInPlace reports whether p is the very payload that Next took in one go.
func (c *Conn) lentInPlace(p []byte) bool {
	return len(p) > 0 && c.lentAt > 0 && len(p) == c.start-c.lentAt && &p[0] == &c.read[c.lentAt]
}

// isUTF8 reports whether the payload is UTF-8: the very bytes that were judged
// when they were received, or judged now.
func (c *Conn) isUTF8(m Message) bool {
	p := m.Payload
	if m.judged && (c.lentInPlace(p) || len(p) > 0 && len(p) == c.length && &p[0] == &c.message[0]) {
		return true
	}
	return validText(p)
}
