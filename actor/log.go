package actor

import (
	"time"

	"go.uber.org/zap"
)

// One event for each connection as it opens and one as it ends, with the same
// id in the field "connection"; nothing of what was said. They are frequent,
// so a logger that samples by message keeps a flood of them bounded.

func (c *Conn) logOpened() {
	entry := c.host.config.Logger.Check(zap.InfoLevel, "websocket opened")
	if entry == nil {
		return
	}
	entry.Write(zap.String("connection", c.ID()), zap.Stringer("remote", c.RemoteAddr()), zap.String("subprotocol", c.subprotocol),
		zap.String("readiness", c.readiness()))
}

func (c *Conn) logClosed(closed Closed, lifetime time.Duration) {
	entry := c.host.config.Logger.Check(zap.InfoLevel, "websocket closed")
	if entry == nil {
		return
	}
	reason := closed.Reason
	if closed.Initiator == Remote {
		reason = "" // it is the peer's, and may say anything
	}
	stats := c.Stats()
	entry.Write(zap.String("connection", c.ID()), zap.Stringer("remote", c.RemoteAddr()), zap.String("subprotocol", c.subprotocol),
		zap.Uint16("code", uint16(closed.Code)), zap.String("reason", reason),
		zap.Stringer("initiator", closed.Initiator), zap.Stringer("cause", closed.Cause), zap.Duration("duration", lifetime),
		zap.Uint64("frames_in", stats.In.Frames), zap.Uint64("bytes_in", stats.In.Bytes),
		zap.Uint64("frames_out", stats.Out.Frames), zap.Uint64("bytes_out", stats.Out.Bytes),
		zap.Duration("round_trip", stats.RoundTrip), zap.Error(closed.Err))
}
