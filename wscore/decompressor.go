package wscore

// Decompressor judges and inflates the compressed messages of one connection.
// Pieces of a message go in as [Decoder] delivers them; text is checked as it
// comes out. It holds no memory of its own: the inflater is borrowed for the
// time of a message, and the dictionary's memory belongs to the caller.
type Decompressor struct {
	dictionary Dictionary
	takeover   bool
	maxMessage int64
	maxRatio   int64

	inflater *Inflater
	text     TextValidator
	isText   bool
	arrived  int64 // compressed bytes of the message so far
	tail     int   // bytes of the tail fed so far
}

// Inflate's limits and failures.
var (
	// ErrCompressedData: a compressed message is not DEFLATE (RFC 7692 7.2.2).
	ErrCompressedData = &ProtocolError{Side: Remote, Clause: "RFC 7692 7.2.2", Code: CloseInvalidPayload, Text: "compressed message is not valid DEFLATE"}
	// ErrInflateRatio: a message grew more than MaxRatio when inflated.
	ErrInflateRatio = &ProtocolError{Side: Remote, Clause: "RFC 6455 7.4.1", Code: CloseMessageTooBig, Text: "compressed message is over MaxRatio"}
)

// ratioFree is how much a message may inflate to whatever its ratio.
const ratioFree = 64 << 10

// NewDecompressor returns a decompressor for what was agreed. With
// ReceiveTakeover, memory of 1<<ReceiveWindowBits bytes is needed for the
// dictionary; otherwise it may be nil.
func NewDecompressor(params DeflateParams, config DeflateConfig, limits Limits, memory []byte) Decompressor {
	return Decompressor{
		dictionary: NewDictionary(memory), takeover: params.ReceiveTakeover,
		maxMessage: limits.MaxMessage, maxRatio: int64(config.MaxRatio),
	}
}

// Begin starts a message of that opcode with an inflater that the decompressor
// uses until the message is whole.
func (d *Decompressor) Begin(inflater *Inflater, opcode Opcode) {
	inflater.Reset()
	d.inflater, d.isText = inflater, opcode == OpText
	d.text.Reset()
	d.arrived, d.tail = 0, 0
}

// Write inflates a piece into out from index used on; see [Inflater.Inflate].
// last says that the message ends with this piece. full reports that out has
// no room: call again with a larger out that begins with the same bytes, and
// with the rest of the piece. done reports that the message is whole. The
// error is a remote [*ProtocolError].
func (d *Decompressor) Write(out []byte, used int, piece []byte, last bool) (produced, taken int, full, done bool, err error) {
	from := used
	status := InflateNeedInput
	if len(piece) > 0 || !last || d.tail == 0 {
		used, taken, status = d.inflater.Inflate(out, used, piece, d.dictionary.Bytes())
		d.arrived += int64(taken)
	}
	if last && taken == len(piece) && status == InflateNeedInput {
		var fed int
		used, fed, status = d.inflater.Inflate(out, used, deflateTailBytes[d.tail:], d.dictionary.Bytes())
		d.tail += fed
		done = status == InflateNeedInput
	}
	if err := d.judge(out[from:used], used, status, done); err != nil {
		return used, taken, false, false, err
	}
	if done {
		if d.takeover {
			d.dictionary.Add(out[:used])
		}
		d.inflater = nil
	}
	return used, taken, status == InflateNeedRoom, done, nil
}

func (d *Decompressor) judge(fresh []byte, length int, status InflateStatus, done bool) error {
	switch {
	case int64(length) > d.maxMessage, status == InflateNeedRoom && int64(length) == d.maxMessage:
		return ErrMessageTooBig
	case length > ratioFree && int64(length) > d.maxRatio*max(d.arrived, 1):
		return ErrInflateRatio
	case d.isText && !d.text.Write(fresh):
		return ErrInvalidText
	case status == InflateCorrupt, done && !d.inflater.AtBoundary():
		return ErrCompressedData
	case done && d.isText && !d.text.Complete():
		return ErrInvalidText
	}
	return nil
}
