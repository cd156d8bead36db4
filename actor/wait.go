package actor

import (
	"context"
	"errors"

	"github.com/tandem-ws/tandem/split"
)

// Wait waits until the connection has ended and its stream is closed, and
// returns how it ended. The error is the context's, whose end does nothing to
// the connection.
func (c *Conn) Wait(ctx context.Context) (Closed, error) {
	select {
	case <-c.Done():
	default:
		select {
		case <-c.Done():
		case <-ctx.Done():
			return Closed{}, ctx.Err()
		}
	}
	closed, _ := c.Cause()
	return closed, nil
}

// CloseAndWait is [Conn.Close] followed by [Conn.Wait]: both close frames have
// been exchanged then, or ConnConfig.CloseTimeout is over. On a connection that
// is closing already it only waits. The end of the context ends the wait, not
// the close.
//
// A session that calls it waits inside of Receive, for as long as the peer
// takes to answer; [Conn.Close] and the message [Closed] are made for it.
func (c *Conn) CloseAndWait(ctx context.Context, code CloseCode, reason string) (Closed, error) {
	if err := c.Close(code, reason); err != nil && !errors.Is(err, split.ErrClosed) {
		return Closed{}, err
	}
	return c.Wait(ctx)
}
