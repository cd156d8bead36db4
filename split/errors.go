package split

import (
	"fmt"
	"runtime/debug"

	"github.com/tandem-ws/tandem/wscore"
)

// SendError says why a message that was handed over will not be sent. The
// message's buffer has been released. All values are the variables of this
// package, but for a wait that its context ended ([Writer.SendContext]).
type SendError struct {
	Text string           // what happened, in words
	Code wscore.CloseCode // the close code that is due, 0 if the connection goes on
	Err  error            // of the context that ended the wait, else nil
}

// Error names the reason.
func (e *SendError) Error() string {
	if e.Err != nil {
		return "websocket: " + e.Text + ": " + e.Err.Error()
	}
	return "websocket: " + e.Text
}

// Unwrap returns the error of the context that ended the wait, or nil.
func (e *SendError) Unwrap() error { return e.Err }

// Why a send is refused.
var (
	// ErrClosed: the connection is closing or closed; nothing more is sent.
	ErrClosed = &SendError{Text: "message not sent: connection is closing or closed"}
	// ErrDropped: the mailbox is full and its policy drops the message.
	ErrDropped = &SendError{Text: "message dropped: mailbox is full"}
	// ErrSlowConsumer: the mailbox is full and its policy closes the connection.
	ErrSlowConsumer = &SendError{Text: "message not sent: mailbox is full, closing the slow connection", Code: wscore.CloseTryAgainLater}
)

// TransportError is a connection's stream that failed; the connection cannot
// go on.
type TransportError struct {
	Operation string // "read" or "write"
	Err       error  // the stream's own
}

// PanicError is a panic that was recovered while a handler filled its memory: of
// the stream, which may be the application's own, or of an observer. It ends
// that connection, and no other.
type PanicError struct {
	Value any    // what was panicked with
	Stack []byte // of the goroutine, as package runtime/debug gives it
}

// Error shows the value.
func (e *PanicError) Error() string { return fmt.Sprintf("websocket: reading panicked: %v", e.Value) }

// recovered turns a panic of a read into its error. It is to be deferred.
func recovered(err *error) {
	if v := recover(); v != nil {
		*err = &PanicError{Value: v, Stack: debug.Stack()}
	}
}

// Error names the operation and what went wrong.
func (e *TransportError) Error() string { return "websocket: " + e.Operation + ": " + e.Err.Error() }

// Unwrap returns the stream's own error.
func (e *TransportError) Unwrap() error { return e.Err }
