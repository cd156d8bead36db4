package wscore

import "bytes"

// ResponseCheck judges a server's answer to the opening handshake field by
// field (RFC 6455 section 4.1). Give it the status with
// [ResponseCheck.Status], each field with [ResponseCheck.Field], then ask
// [ResponseCheck.Verify].
type ResponseCheck struct {
	accept       [acceptSize]byte
	subprotocols []string

	status                           int
	upgrade, connection, accepted    bool
	upgrades, accepts, protocols     int
	protocolUnrequested, hasExtended bool
}

// NewResponseCheck returns a check of the answer to a request with that key
// and those subprotocols.
func NewResponseCheck(key [keySize]byte, subprotocols []string) ResponseCheck {
	return ResponseCheck{accept: acceptFor(key), subprotocols: subprotocols}
}

// Status takes the HTTP status code.
func (c *ResponseCheck) Status(status int) { c.status = status }

// Field takes one header field; fields that the handshake does not use are
// ignored.
func (c *ResponseCheck) Field(name, value []byte) {
	switch {
	case equalFold(name, "Upgrade"):
		c.upgrades++
		c.upgrade = equalFold(value, "websocket")
	case equalFold(name, "Connection"):
		c.connection = c.connection || hasToken(value, "upgrade")
	case equalFold(name, "Sec-WebSocket-Accept"):
		c.accepts++
		c.accepted = bytes.Equal(value, c.accept[:])
	case equalFold(name, "Sec-WebSocket-Protocol"):
		c.protocols++
		c.protocolUnrequested = c.protocolUnrequested || !c.requested(value)
	case equalFold(name, "Sec-WebSocket-Extensions"):
		for range listItems(value) {
			c.hasExtended = true
		}
	}
}

func (c *ResponseCheck) requested(value []byte) bool {
	for _, subprotocol := range c.subprotocols {
		if string(value) == subprotocol {
			return true
		}
	}
	return false
}

// Verify returns what is wrong with the response, or nil. For a status other
// than 101 the error matches [ErrNotUpgraded] and carries the status.
func (c *ResponseCheck) Verify() error {
	switch {
	case c.status != 101:
		err := *ErrNotUpgraded
		err.Status = c.status
		return &err
	case c.upgrades != 1 || !c.upgrade:
		return ErrResponseUpgrade
	case !c.connection:
		return ErrResponseConnection
	case c.accepts != 1 || !c.accepted:
		return ErrResponseAccept
	case c.protocols > 1 || c.protocolUnrequested:
		return ErrUnrequestedProtocol
	case c.hasExtended:
		return ErrUnrequestedExtension
	}
	return nil
}
