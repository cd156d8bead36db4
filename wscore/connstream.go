package wscore

// incoming is what is left to lend of a message that is read in pieces.
type incoming struct {
	open   bool   // a piece was lent that is not the last
	opcode Opcode // the message's
	full   bool   // more comes out of what the inflater has been given
	rest   []byte // compressed bytes in the read buffer, not inflated yet
	last   bool   // the message ends with them
}

// outgoing is a message that is sent in pieces; the [Encoder] knows whether
// there is one.
type outgoing struct {
	opcode     Opcode
	compressed bool
	text       TextValidator
}

// longest is how long a message may be that is read in pieces or put together.
func (c *Conn) longest(inPieces bool) int64 {
	if inPieces {
		return c.maxMessage
	}
	return min(c.maxMessage, int64(len(c.message)))
}

// setLongest sets the limit for the next message; it is called again inside of
// one with the same value, since the way to read cannot change there.
func (c *Conn) setLongest(limit int64) {
	c.decoder.limits.MaxMessage = limit
	if c.deflate != nil {
		c.deflate.decompressor.maxMessage = limit
	}
}

// NextPiece is [Conn.Next] for messages that are not put together: it returns
// what has arrived of a message, as soon as there is any, and whether that is
// the last of it. Opcode is the message's in all of its pieces; each borrows the
// buffers until the following call. Only a last piece may be empty, and a piece
// of text may end inside a character; the text is judged as it arrives.
//
// Control frames are answered as in Next and returned between the pieces, with
// final set. No message may be longer than Limits.MaxMessage, which may be more
// than Buffers.Message holds: set it to what the application can bear. A message
// that began with one of Next and NextPiece must end with it; the other returns
// [ErrReadingMixed] until then.
//
// The first compressed message that is longer than Buffers.Message allocates
// memory for the window unless ReceiveTakeover was agreed. Each bufferful moves
// that window, so a Message buffer as long as the window is worth having.
func (c *Conn) NextPiece() (piece Message, final bool, err error) {
	if c.ended != nil {
		return Message{}, true, c.ended
	}
	if !c.incoming.open && !c.decoder.AtBoundary() {
		return Message{}, true, ErrReadingMixed
	}
	return c.next(true)
}

// takePiece lends a piece from where it lies, inflated if need be.
func (c *Conn) takePiece(event Event) (piece Message, final, ok bool, err error) {
	in := &c.incoming
	in.open, in.opcode = true, event.Opcode
	if event.Compressed {
		if event.First {
			c.length = 0
			c.deflate.decompressor.Begin(&c.deflate.inflater, event.Opcode)
		}
		in.rest, in.last = event.Payload, event.Final
		return c.inflatePiece()
	}
	if len(event.Payload) == 0 && !event.Final {
		return Message{}, false, false, nil
	}
	in.open = !event.Final
	return Message{Opcode: event.Opcode, Payload: event.Payload}, event.Final, true, nil
}

// inflatePiece inflates into what is free of the message buffer. When that is
// full, the dictionary keeps what later bytes may refer back to.
func (c *Conn) inflatePiece() (piece Message, final, ok bool, err error) {
	in, d := &c.incoming, &c.deflate.decompressor
	if c.length == len(c.message) {
		if len(d.dictionary.memory) == 0 {
			d.dictionary = NewDictionary(make([]byte, 1<<c.deflate.params.ReceiveWindowBits))
		}
		d.Slide(c.message)
		c.length = 0
	}
	from := c.length
	used, taken, full, done, err := d.Write(c.message, from, in.rest, in.last)
	c.length, in.rest, in.full = used, in.rest[taken:], full
	if err != nil {
		_, _ = c.lifecycle.Apply(ReceiveViolation)
		return Message{}, true, false, c.finish(c.answerViolation(err))
	}
	in.open = !done
	return Message{Opcode: in.opcode, Payload: c.message[from:used]}, done, done || used > from, nil
}

// SendPiece sends a piece of a text or binary message, which may be as long as
// the application likes, in a frame of its own; final ends the message. Opcode
// is the message's in all of its pieces. Between them pings, pongs and a close
// frame may be sent, but no other message: that is [ErrFragmentOrder], as is a
// piece with another opcode. A piece of text may end inside a character, the
// last may not. An empty piece that is not the last sends nothing.
//
// With compression agreed, the message is compressed unless its first piece is
// its last and shorter than the threshold. Each piece is compressed for itself;
// with SendTakeover it may also refer back to those before it. A piece that is
// refused changes nothing, and can be replaced by another.
func (c *Conn) SendPiece(piece Message, final bool) error {
	if !piece.IsData() {
		return ErrNotDataOpcode
	}
	first := !c.encoder.unfinished
	out := c.outgoing
	if first {
		out = outgoing{opcode: piece.Opcode}
	}
	if _, err := c.lifecycle.Apply(SendMessage); err != nil {
		return err
	}
	if piece.Opcode != out.opcode {
		return ErrFragmentOrder
	}
	if out.opcode == OpText && (!out.text.Write(piece.Payload) || final && !out.text.Complete()) {
		return ErrTextNotUTF8
	}
	if len(piece.Payload) == 0 && !final {
		return nil
	}
	payload := piece.Payload
	if d := c.deflate; d != nil {
		if first {
			out.compressed = !final || len(payload) >= d.config.Threshold
		}
		if out.compressed {
			var ok bool
			if d.packed, ok = d.deflater.Append(d.packed[:0], payload, d.sent.Bytes(), d.params.SendWindowBits); !ok {
				return ErrCompressor
			}
			if !final {
				// Only the end of the message leaves out the flush's last bytes.
				d.packed = append(d.packed, deflateTailBytes[:]...)
			}
			d.sent.Add(payload)
			payload = d.packed
		}
	}
	c.outgoing = out
	opcode := OpContinuation
	if first {
		opcode = out.opcode
	}
	return c.sendFrame(opcode, final, payload, first && out.compressed)
}
