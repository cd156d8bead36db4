package wscore

// Dictionary keeps the end of what passed in one direction of a connection, so
// that later messages may refer back to it (context takeover, RFC 7692
// section 7.2). Only compressed messages count, in the order of the wire. It
// lives in memory of the caller; without memory it stays empty.
type Dictionary struct {
	memory []byte
	used   int
}

// NewDictionary returns an empty dictionary in that memory, whose length is
// the most it keeps: 1<<windowBits bytes to receive, and up to that to send.
func NewDictionary(memory []byte) Dictionary { return Dictionary{memory: memory} }

// Bytes returns what is kept, oldest first, until the next Add.
func (d *Dictionary) Bytes() []byte { return d.memory[:d.used] }

// Add takes in the next payload and forgets what no longer fits.
func (d *Dictionary) Add(payload []byte) {
	if len(payload) >= len(d.memory) {
		d.used = copy(d.memory, payload[len(payload)-len(d.memory):])
		return
	}
	if keep := len(d.memory) - len(payload); d.used > keep {
		copy(d.memory, d.memory[d.used-keep:d.used])
		d.used = keep
	}
	d.used += copy(d.memory[d.used:], payload)
}
