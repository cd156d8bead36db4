package wscore

import "bytes"

// ResponseCheck judges a server's answer to the opening handshake field by
// field (RFC 6455 section 4.1). Give it the status with
// [ResponseCheck.Status], each field with [ResponseCheck.Field], then ask
// [ResponseCheck.Verify].
type ResponseCheck struct {
	accept       [acceptSize]byte
	subprotocols []string
	deflate      *DeflateConfig
	agreed       DeflateParams

	status                                int
	upgrade, connection, accepted         bool
	upgrades, accepts, protocols          int
	protocolUnrequested, refusedExtension bool
}

// NewResponseCheck returns a check of the answer to a request with that key, in
// base64, and those subprotocols, which it keeps. No extension was offered;
// [Connect] adds its own offer.
func NewResponseCheck(key [keySize]byte, subprotocols []string) ResponseCheck {
	return ResponseCheck{accept: acceptFor(key), subprotocols: subprotocols}
}

// Status takes the HTTP status code, 0 if the response had none.
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
		for element := range listItems(value) {
			c.extension(element)
		}
	}
}

// extension judges one extension that the server chose: at most the one that
// was offered, once.
func (c *ResponseCheck) extension(element []byte) {
	ok := false
	if c.deflate != nil && !c.agreed.Agreed {
		c.agreed, ok = c.deflate.checkAnswer(element)
	}
	c.refusedExtension = c.refusedExtension || !ok
}

// Deflate returns what was agreed on compression, once Verify has passed.
func (c *ResponseCheck) Deflate() DeflateParams { return c.agreed }

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
	case c.refusedExtension:
		return ErrUnrequestedExtension
	}
	return nil
}
