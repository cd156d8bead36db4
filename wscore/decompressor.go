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
	window   int   // how far back the peer may refer
	arrived  int64 // compressed bytes of the message so far
	tail     int   // bytes of the tail fed so far
	before   int64 // inflated bytes of the message that out no longer holds
	checked  int64 // up to here the ratio was judged
}

// Inflate's limits and failures.
var (
	// ErrCompressedData: a compressed message is not DEFLATE (RFC 7692 7.2.2).
	ErrCompressedData = &ProtocolError{Side: Remote, Clause: "RFC 7692 7.2.2", Code: CloseInvalidPayload, Text: "compressed message is not valid DEFLATE"}
	// ErrInflateRatio: a message grew more than MaxRatio when inflated.
	ErrInflateRatio = &ProtocolError{Side: Remote, Clause: "RFC 6455 7.4.1", Code: CloseMessageTooBig, Text: "compressed message is over MaxRatio"}
)

// ratioFree is how much a message may inflate to whatever its ratio. The ratio is
// judged each time that as much again has come out, and at the end, so that the
// verdict does not depend on how the message arrives.
const ratioFree = 64 << 10

// NewDecompressor returns a decompressor for what was agreed. With
// ReceiveTakeover, memory of 1<<ReceiveWindowBits bytes is needed for the
// dictionary; otherwise it may be nil.
func NewDecompressor(params DeflateParams, config DeflateConfig, limits Limits, memory []byte) Decompressor {
	window := 0
	if params.check() == nil {
		window = 1 << params.ReceiveWindowBits
	}
	return Decompressor{
		dictionary: NewDictionary(memory), takeover: params.ReceiveTakeover,
		maxMessage: limits.MaxMessage, maxRatio: int64(config.MaxRatio),
		window: window,
	}
}

// Begin starts a message of that opcode with an inflater that the decompressor
// uses until the message is whole.
func (d *Decompressor) Begin(inflater *Inflater, opcode Opcode) {
	inflater.Reset()
	inflater.window = d.window
	d.inflater, d.isText = inflater, opcode == OpText
	d.text.Reset()
	d.arrived, d.tail, d.before, d.checked = 0, 0, 0, 0
	if !d.takeover {
		d.dictionary.used = 0 // of a message that was slid
	}
}

// Slide makes room for a message that is not put together: it keeps the end
// of what Write has produced in the dictionary, so that the next Write may fill
// out from its first byte again. The dictionary needs its memory for that also
// without ReceiveTakeover.
func (d *Decompressor) Slide(produced []byte) {
	d.dictionary.Add(produced)
	d.before += int64(len(produced))
}

// Write inflates a piece into out from index used on; see [Inflater.Inflate].
// last says that the message ends with this piece. full reports that out has
// no room: call again with a larger out that begins with the same bytes, and
// with the rest of the piece. done reports that the message is whole. The
// error is a remote [*ProtocolError].
func (d *Decompressor) Write(out []byte, used int, piece []byte, last bool) (produced, taken int, full, done bool, err error) {
	for {
		end := d.nextStop(len(out))
		from := used
		var n int
		var status InflateStatus
		used, n, status = d.inflate(out[:end], used, piece[taken:], last)
		taken += n
		done = last && status == InflateNeedInput
		if err := d.judge(out[from:used], d.before+int64(used), status, done); err != nil {
			return used, taken, false, false, err
		}
		switch {
		case done:
			if d.takeover {
				d.dictionary.Add(out[:used])
			}
			d.inflater = nil
			return used, taken, false, true, nil
		case status == InflateNeedInput:
			return used, taken, false, false, nil
		case end == len(out):
			return used, taken, true, false, nil
		}
	}
}

// nextStop is how far out may be filled before the message must be judged.
func (d *Decompressor) nextStop(room int) int {
	stop := min(d.checked+ratioFree, d.maxMessage) - d.before
	return int(min(int64(room), stop))
}

// inflate takes the piece and, after the message's last, the tail.
func (d *Decompressor) inflate(out []byte, used int, piece []byte, last bool) (produced, taken int, status InflateStatus) {
	dictionary := d.dictionary.Bytes()
	used, taken, status = d.inflater.Inflate(out, used, piece, dictionary)
	d.arrived += int64(taken)
	if last && status == InflateNeedInput {
		var fed int
		used, fed, status = d.inflater.Inflate(out, used, deflateTailBytes[d.tail:], dictionary)
		d.tail += fed
	}
	return used, taken, status
}

// judge looks at what has come out. Each rule depends only on the message up to
// the byte that breaks it.
func (d *Decompressor) judge(fresh []byte, length int64, status InflateStatus, done bool) error {
	if d.isText && !d.text.Write(fresh) {
		return ErrInvalidText
	}
	switch {
	case status == InflateNeedRoom && length == d.maxMessage:
		return ErrMessageTooBig
	case status == InflateNeedRoom && length == d.checked+ratioFree:
		d.checked = length
		if d.overRatio(length) {
			return ErrInflateRatio
		}
	case done && length > ratioFree && d.overRatio(length):
		return ErrInflateRatio
	case status == InflateCorrupt, done && !d.inflater.AtBoundary():
		return ErrCompressedData
	case done && d.isText && !d.text.Complete():
		return ErrInvalidText
	}
	return nil
}

// overRatio compares with the bits that were used, not those that arrived.
func (d *Decompressor) overRatio(length int64) bool {
	bits := (d.arrived+int64(d.tail))*8 - int64(d.inflater.count)
	return length*8 > d.maxRatio*bits
}
