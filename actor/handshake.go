package actor

import (
	"net/http"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// Handshake is a request that is about to become a connection. It is valid
// only while the session producer runs.
type Handshake struct {
	upgrade *split.Upgrade
	answer  wscore.Answer
}

// Request returns the HTTP request. Nothing of it may be kept.
func (h *Handshake) Request() *http.Request { return h.upgrade.Request }

// SelectSubprotocol picks the first of the names, in the server's order of
// preference, that the client offered, and returns it; "" if it offered none.
func (h *Handshake) SelectSubprotocol(names ...string) string {
	for _, name := range names {
		if h.upgrade.Offers(name) {
			h.answer.Subprotocol = name
			return name
		}
	}
	return ""
}

// AddHeader adds a header field to the answer. One that would break the head
// or the handshake refuses the connection with status 500.
func (h *Handshake) AddHeader(name, value string) {
	h.answer.Headers = append(h.answer.Headers, wscore.HeaderField{Name: name, Value: value})
}
