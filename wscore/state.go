package wscore

// The diagram in README.md is made from the table below.
//go:generate go test -run ^TestStateDiagramIsCurrent$ . -args -update-states

// State is where an open connection stands on its way to the end
// (RFC 6455 sections 5.5.1 and 7.1).
type State uint8

// The states. A connection begins Open, after the handshake.
const (
	// Open: both directions carry messages.
	Open State = iota
	// CloseSent: our close frame is out; the peer may still send until its own.
	CloseSent
	// CloseReceived: the peer's close frame is in; replies to what came before
	// it may still leave, and then our close frame must.
	CloseReceived
	// Failed: the peer broke a rule. Nothing more is decoded; replies to what
	// came before it may still leave, and then a close frame with the code due.
	Failed
	// Closed: both close frames are done, or the stream is gone. Nothing more is
	// sent. What the peer had sent before the stream was lost can still be
	// decoded, such as a close frame that says why; it changes nothing.
	Closed

	stateCount = iota
)

// Signal is something that happens to a connection.
type Signal uint8

// What can happen. Receive signals come from the [Decoder], Send signals from
// the [Encoder]; ReceiveEnd and Lost come from whoever owns the stream.
const (
	ReceiveMessage   Signal = iota // a data frame was decoded
	ReceiveControl                 // a ping or pong was decoded
	ReceiveClose                   // a close frame was decoded
	ReceiveViolation               // the peer broke a rule or a limit
	ReceiveEnd                     // the peer's direction of the stream ended
	SendMessage                    // a data frame is about to be sent
	SendControl                    // a ping or pong is about to be sent
	SendClose                      // a close frame is about to be sent
	Lost                           // the stream failed: nothing can be sent any more

	signalCount = iota
)

// move is one cell of the table: the next state, or what is wrong. A signal
// with ignored set comes too late to change anything.
type move struct {
	next    State
	ignored bool
	err     *ProtocolError
}

// transitions is the whole life of an open connection: for each state, what
// each signal leads to (RFC 6455 sections 1.4, 5.5.1 and 7.1).
var transitions = [stateCount][signalCount]move{
	Open: {
		ReceiveMessage:   {next: Open},
		ReceiveControl:   {next: Open},
		ReceiveClose:     {next: CloseReceived},
		ReceiveViolation: {next: Failed},
		ReceiveEnd:       {next: Closed},
		SendMessage:      {next: Open},
		SendControl:      {next: Open},
		SendClose:        {next: CloseSent},
		Lost:             {next: Closed},
	},
	CloseSent: {
		ReceiveMessage:   {next: CloseSent},
		ReceiveControl:   {next: CloseSent},
		ReceiveClose:     {next: Closed},
		ReceiveViolation: {next: Closed}, // the one close frame is already out
		ReceiveEnd:       {next: Closed},
		SendMessage:      {next: CloseSent, err: ErrSendAfterClose},
		SendControl:      {next: CloseSent, err: ErrSendAfterClose},
		SendClose:        {next: CloseSent, err: ErrSendAfterClose},
		Lost:             {next: Closed},
	},
	CloseReceived: {
		ReceiveMessage:   {next: CloseReceived, ignored: true}, // RFC 6455 1.4: discard what follows
		ReceiveControl:   {next: CloseReceived, ignored: true},
		ReceiveClose:     {next: CloseReceived, ignored: true},
		ReceiveViolation: {next: CloseReceived, ignored: true},
		ReceiveEnd:       {next: CloseReceived}, // half closed: our answer can still reach the peer
		SendMessage:      {next: CloseReceived},
		SendControl:      {next: CloseReceived},
		SendClose:        {next: Closed},
		Lost:             {next: Closed},
	},
	Failed: {
		ReceiveMessage:   {next: Failed, ignored: true}, // RFC 6455 7.1.7: do not process more
		ReceiveControl:   {next: Failed, ignored: true},
		ReceiveClose:     {next: Failed, ignored: true},
		ReceiveViolation: {next: Failed, ignored: true},
		ReceiveEnd:       {next: Failed},
		SendMessage:      {next: Failed},
		SendControl:      {next: Failed},
		SendClose:        {next: Closed},
		Lost:             {next: Closed},
	},
	Closed: {
		ReceiveMessage:   {next: Closed, ignored: true},
		ReceiveControl:   {next: Closed, ignored: true},
		ReceiveClose:     {next: Closed, ignored: true},
		ReceiveViolation: {next: Closed, ignored: true},
		ReceiveEnd:       {next: Closed, ignored: true},
		SendMessage:      {next: Closed, err: ErrConnectionClosed},
		SendControl:      {next: Closed, err: ErrConnectionClosed},
		SendClose:        {next: Closed, err: ErrConnectionClosed},
		Lost:             {next: Closed, ignored: true},
	},
}

// Receiving reports whether the peer may still send messages: no close frame
// of its own, no violation and no end of the stream was seen.
func (s State) Receiving() bool { return s == Open || s == CloseSent }

// Sending reports whether frames may still be sent: our close frame is not out
// and the stream is there (RFC 6455 section 5.5.1).
func (s State) Sending() bool { return s == Open || s == CloseReceived || s == Failed }

// String returns the state's name in lower case, such as "close sent".
func (s State) String() string {
	switch s {
	case Open:
		return "open"
	case CloseSent:
		return "close sent"
	case CloseReceived:
		return "close received"
	case Failed:
		return "failed"
	}
	return "closed"
}

// String returns the signal's name.
func (s Signal) String() string {
	switch s {
	case ReceiveMessage:
		return "receive message"
	case ReceiveControl:
		return "receive ping or pong"
	case ReceiveClose:
		return "receive close"
	case ReceiveViolation:
		return "receive violation"
	case ReceiveEnd:
		return "receive end of stream"
	case SendMessage:
		return "send message"
	case SendControl:
		return "send ping or pong"
	case SendClose:
		return "send close"
	}
	return "stream lost"
}
