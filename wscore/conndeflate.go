package wscore

// connDeflate is what a [Conn] needs for compression. It is allocated once,
// when the connection opens with compression agreed.
type connDeflate struct {
	params       DeflateParams
	config       DeflateConfig
	inflater     Inflater
	decompressor Decompressor
	deflater     *Deflater
	sent         Dictionary
	packed       []byte // the compressed form of the message being sent
}

// enableDeflate makes the connection compress as agreed.
func (c *Conn) enableDeflate(params DeflateParams, limits Limits) error {
	if !params.Agreed {
		return nil
	}
	if err := params.check(); err != nil {
		return err
	}
	config := c.options.Deflate
	if config == nil {
		defaults, _ := DeflateConfig{}.WithDefaults() // no default is out of range
		config = &defaults
	}
	d := &connDeflate{params: params, config: *config, deflater: NewDeflater(config.Level)}
	var memory []byte
	if params.ReceiveTakeover {
		memory = make([]byte, 1<<params.ReceiveWindowBits)
	}
	d.decompressor = NewDecompressor(params, *config, limits, memory)
	if params.SendTakeover {
		d.sent = NewDictionary(make([]byte, SendDictionarySize(*config, params)))
	}
	c.deflate = d
	c.decoder.EnableDeflate()
	return nil
}

// SendDictionarySize returns how much of what was sent is worth keeping for
// context takeover, in bytes: no more than the window, and at level 1 no more
// than [MaxSendDictionary].
func SendDictionarySize(config DeflateConfig, params DeflateParams) int {
	size := 1 << params.SendWindowBits
	if config.Level == 1 {
		size = min(size, MaxSendDictionary)
	}
	return size
}

// inflate adds a compressed piece to the message in the message buffer.
func (c *Conn) inflate(event Event) (Message, bool, error) {
	d := &c.deflate.decompressor
	if event.First {
		c.length = 0
		d.Begin(&c.deflate.inflater, event.Opcode)
	}
	// The message buffer is as long as the longest message, so a full one is an
	// error, and a piece is always taken whole.
	used, _, _, done, err := d.Write(c.message, c.length, event.Payload, event.Final)
	c.length = used
	if err != nil {
		_, _ = c.lifecycle.Apply(ReceiveViolation)
		return Message{}, false, c.finish(c.answerViolation(err))
	}
	return received(event.Opcode, c.message[:c.length]), done, nil
}

// compress returns the payload's compressed form where that is agreed and
// worth it.
func (c *Conn) compress(payload []byte) ([]byte, bool) {
	d := c.deflate
	if d == nil || len(payload) < d.config.Threshold {
		return nil, false
	}
	packed, ok := d.deflater.Append(d.packed[:0], payload, d.sent.Bytes(), d.params.SendWindowBits)
	d.packed = packed
	if !ok || len(packed) >= len(payload) {
		return nil, false
	}
	d.sent.Add(payload)
	return packed, true
}

// Deflate returns what was agreed on compression.
func (c *Conn) Deflate() DeflateParams {
	if c.deflate == nil {
		return DeflateParams{}
	}
	return c.deflate.params
}
