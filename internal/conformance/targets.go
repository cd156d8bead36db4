package conformance

import (
	"context"
	"errors"
	"net"
	"time"
)

// clientGrace bounds how long a client may take to return once its connection
// is closed, and how long its connection may wait to be accepted once it has
// returned.
const clientGrace = 5 * time.Second

// ServerAt is a server target that listens on a TCP address.
func ServerAt(name, addr string) Target {
	return Target{
		Name: name, Role: RoleServer, Host: addr,
		Connect: func(ctx context.Context, _ Case) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "tcp", addr)
		},
	}
}

// ClientsOf is a client target: for each case it listens on a fresh loopback
// address and runs start, which must connect one client to that address and
// echo until the connection is over or the context is done. What becomes of
// start is ignored; the case judges what the client did on the wire.
func ClientsOf(name string, start func(ctx context.Context, addr string, c Case)) Target {
	return Target{
		Name: name, Role: RoleClient,
		Connect: func(ctx context.Context, c Case) (net.Conn, error) {
			listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				return nil, err
			}
			defer listener.Close()
			clientCtx, cancel := context.WithCancel(ctx)
			stop := context.AfterFunc(clientCtx, func() { _ = listener.Close() })
			defer stop()
			returned := make(chan struct{})
			go func() {
				defer close(returned)
				start(clientCtx, listener.Addr().String(), c)
				// A client that returned early has its connection in the
				// backlog already, or none.
				_ = listener.SetDeadline(time.Now().Add(clientGrace))
			}()
			conn, err := listener.AcceptTCP()
			if err != nil {
				cancel()
				return nil, errors.Join(err, ctx.Err())
			}
			return &clientConn{TCPConn: conn, cancel: cancel, returned: returned}, nil
		},
	}
}

// clientConn waits on Close for the client at the other end, so that no
// client that keeps to its part outlives its case.
type clientConn struct {
	*net.TCPConn
	cancel   context.CancelFunc
	returned <-chan struct{}
}

// Close closes the connection and waits, up to clientGrace, for the client.
func (c *clientConn) Close() error {
	err := c.TCPConn.Close()
	c.cancel()
	select {
	case <-c.returned:
	case <-time.After(clientGrace):
	}
	return err
}
