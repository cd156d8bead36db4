package rawpeer

import (
	"bufio"
	"net"
	"sync"
	"time"
)

// DefaultTimeout bounds every read and every write call.
const DefaultTimeout = 5 * time.Second

// DefaultMaxPayload bounds what a remote frame or message may make this peer
// allocate.
const DefaultMaxPayload = 64 << 20

const readBufferSize = 64 << 10

// Role says which side of the connection this peer plays.
type Role uint8

// The two roles. A client masks what it sends, a server does not.
const (
	Client Role = iota + 1
	Server
)

// String names the role.
func (r Role) String() string {
	if r == Client {
		return "client"
	}
	return "server"
}

// Peer is one scripted end of a connection. Writing is safe from several
// goroutines, reading belongs to one.
type Peer struct {
	// Timeout bounds each read and each write; zero means DefaultTimeout.
	Timeout time.Duration
	// AllowRSV lists the reserved bits the remote peer may set on the first
	// frame of a data message: RSV1 once permessage-deflate is agreed.
	AllowRSV byte
	// MaxPayload bounds a remote message; zero means DefaultMaxPayload.
	MaxPayload uint64
	// KeepPings hands remote pings to ReadMessage's and the Expect methods'
	// caller as unexpected events instead of answering them.
	KeepPings bool

	conn    net.Conn
	role    Role
	reader  *bufio.Reader
	writing sync.Mutex
	fences  uint64

	fragmentOpcode byte
	fragmentRSV    byte
	fragmentOpen   bool
	fragments      int
	partial        []byte
}

// New makes a peer of a connection whose handshake is over, or is none of the
// peer's business.
func New(conn net.Conn, role Role) *Peer {
	return &Peer{conn: conn, role: role, reader: bufio.NewReaderSize(conn, readBufferSize)}
}

// Role returns the role this peer plays.
func (p *Peer) Role() Role { return p.role }

// Conn returns the connection underneath. Octets already read ahead stay in
// the peer.
func (p *Peer) Conn() net.Conn { return p.conn }

// Shut closes the connection without any frame.
func (p *Peer) Shut() error { return p.conn.Close() }

// ShutWrite ends this peer's direction where the connection can do so, and
// closes it where it cannot.
func (p *Peer) ShutWrite() error {
	if half, ok := p.conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return p.conn.Close()
}

// NewFrame builds a lawful frame for this peer's role, with a fresh key where
// one is due.
func (p *Peer) NewFrame(fin bool, opcode byte, payload []byte) Frame {
	f := Frame{Fin: fin, Opcode: opcode, Payload: payload}
	if p.role == Client {
		f.Masked, f.Key = true, newKey()
	}
	return f
}

// WriteFrame writes the frame exactly as it stands.
func (p *Peer) WriteFrame(f Frame) error { return p.WriteFrames(f) }

// WriteFrames writes all frames exactly as they stand, with one write call.
func (p *Peer) WriteFrames(frames ...Frame) error {
	return p.WriteRaw(AppendFrames(nil, frames...))
}

// WriteRaw writes the octets with one write call.
func (p *Peer) WriteRaw(b []byte) error {
	return p.WriteChopped(b, len(b))
}

// WriteChopped writes the octets in write calls of at most n octets each.
// Nothing else this peer writes comes in between.
func (p *Peer) WriteChopped(b []byte, n int) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	n = max(n, 1)
	for len(b) > 0 {
		if err := p.conn.SetWriteDeadline(time.Now().Add(p.timeout())); err != nil {
			return err
		}
		part := b[:min(n, len(b))]
		if _, err := p.conn.Write(part); err != nil {
			return err
		}
		b = b[len(part):]
	}
	return nil
}

// Text sends an unfragmented text message; the string is not checked.
func (p *Peer) Text(s string) error { return p.send(OpText, []byte(s)) }

// Binary sends an unfragmented binary message.
func (p *Peer) Binary(b []byte) error { return p.send(OpBinary, b) }

// Ping sends a ping.
func (p *Peer) Ping(b []byte) error { return p.send(OpPing, b) }

// Pong sends a pong.
func (p *Peer) Pong(b []byte) error { return p.send(OpPong, b) }

// Close sends a close frame, empty when the code is NoStatus or 0. Neither
// code nor reason is checked.
func (p *Peer) Close(code uint16, reason string) error {
	if code == 0 || code == NoStatus {
		return p.send(OpClose, nil)
	}
	return p.send(OpClose, ClosePayload(code, reason))
}

func (p *Peer) send(opcode byte, payload []byte) error {
	return p.WriteFrame(p.NewFrame(true, opcode, payload))
}

func (p *Peer) timeout() time.Duration {
	if p.Timeout > 0 {
		return p.Timeout
	}
	return DefaultTimeout
}

func (p *Peer) maxPayload() uint64 {
	if p.MaxPayload > 0 {
		return p.MaxPayload
	}
	return DefaultMaxPayload
}

// armRead gives the next read its deadline. A stream whose far end is closed may
// refuse it; what came before that is still to be read.
func (p *Peer) armRead(timeout time.Duration) error {
	if err := p.conn.SetReadDeadline(time.Now().Add(timeout)); err != nil && p.reader.Buffered() == 0 {
		return err
	}
	return nil
}
