package actor

import (
	"crypto/tls"
	"net/http"
	"time"

	"github.com/tandem-ws/tandem/split"
)

// Established is a handshake with a server that has succeeded. It is valid only
// while the session producer runs.
type Established struct {
	dialed  *split.Dialed
	attempt int
}

// Header returns the header fields of the server's answer.
func (e *Established) Header() http.Header { return e.dialed.Header }

// Subprotocol returns the one that the server chose, "" for none.
func (e *Established) Subprotocol() string { return e.dialed.Subprotocol }

// TLS returns what TLS has agreed on, nil for ws://.
func (e *Established) TLS() *tls.ConnectionState {
	if secure, ok := e.dialed.Conn.(*tls.Conn); ok {
		state := secure.ConnectionState()
		return &state
	}
	return nil
}

// Attempt returns the number of the attempt: 1 for the first, and for the first
// after a connection that stayed up.
func (e *Established) Attempt() int { return e.attempt }

// NextDial is an attempt that is about to begin. It is valid only while
// DialerConfig.Prepare runs.
type NextDial struct {
	// Attempt is the attempt's number, counted from 1 since a connection has
	// stayed up.
	Attempt int
	// Last is how the attempt before ended, nil for the very first.
	Last *Attempt
	// Dial is what is going to be dialed; it may be changed, the header fields in
	// place. Timeout and Deflate are those of the dialer.
	Dial split.DialConfig
}

// Connecting is sent to DialerConfig.Events before each attempt.
type Connecting struct {
	Dialer  *PID
	Attempt int // counted from 1 since a connection has stayed up
}

// Disconnected is sent to DialerConfig.Events when an attempt has failed or its
// connection has ended.
type Disconnected struct {
	Dialer  *PID
	Attempt Attempt
	Again   bool          // another attempt follows
	After   time.Duration // the wait before it
}
