package split

import (
	"io"
	"net"
	"time"
)

// parkedConn waits in a read of one byte, which works for TLS and every other
// stream. Between frames that byte is always the first of a header, so reading
// on for the rest never waits for a message that is already whole.
type parkedConn struct {
	parkedTransport
	conn   net.Conn
	first  afterByte
	remote net.Addr // of the peer, where the connection does not know it
}

func newParkedConn(begin parkedBegin, conn net.Conn) *parkedConn {
	return &parkedConn{parkedTransport: parkedTransport{parkedBegin: begin}, conn: conn, first: afterByte{conn: conn}}
}

// Start lets the handler be woken.
func (t *parkedConn) Start() { go runParked(t, Park) }

func (t *parkedConn) fill(unfinished bool) error {
	if unfinished {
		return t.handler.Fill(t.conn)
	}
	for {
		n, err := t.conn.Read(t.first.byte[:])
		if n == 1 {
			return t.handler.Fill(&t.first)
		}
		if err != nil {
			return err
		}
	}
}

// Write writes all of the buffers.
func (t *parkedConn) Write(buffers *net.Buffers, timeout time.Duration) (int64, error) {
	if err := t.conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	return buffers.WriteTo(t.conn)
}

// TryWrite takes nothing: such a stream cannot be tried.
func (t *parkedConn) TryWrite(*net.Buffers) (int64, error) { return 0, ErrWouldBlock }

// CloseWrite ends the sending direction, if the stream can do that.
func (t *parkedConn) CloseWrite() error {
	if half, ok := t.conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close closes the stream, once.
func (t *parkedConn) Close() error {
	if !t.close() {
		return nil
	}
	return t.conn.Close()
}

// RemoteAddr returns the address of the peer.
func (t *parkedConn) RemoteAddr() net.Addr {
	if t.remote != nil {
		return t.remote
	}
	return t.conn.RemoteAddr()
}

// SetRemoteAddr says what the peer's address is. It is called before Start.
func (t *parkedConn) SetRemoteAddr(addr net.Addr) { t.remote = addr }

// afterByte reads the byte that was waited for and what follows it.
type afterByte struct {
	conn net.Conn
	byte [1]byte
}

func (s *afterByte) Read(p []byte) (int, error) {
	p[0] = s.byte[0]
	if len(p) == 1 {
		return 1, nil
	}
	n, err := s.conn.Read(p[1:])
	if err == io.EOF {
		err = nil // the next read meets it again
	}
	return n + 1, err
}
