package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// maxOpening is how many handshakes are under way at a time.
	maxOpening = 128
	// perSource is how many connections share a source address; the kernel has
	// about 28,000 ports for each.
	perSource = 10_000
	// slowWindow is the receive buffer of a connection that never reads.
	slowWindow  = 4 << 10
	openTimeout = 60 * time.Second
	maxHead     = 8 << 10

	// The key and its answer are the example of RFC 6455, section 1.3.
	handshakeKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	handshakeAnswer = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
	deflateOffer    = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
)

// ErrHandshake says that a server did not upgrade as asked.
var ErrHandshake = errors.New("handshake failed")

// Target is a server to drive.
type Target struct {
	Addr    string // IPv4 address and port
	Raw     bool   // a byte echo: replies are what was sent, still masked
	Deflate bool   // ask for permessage-deflate
}

// handshake is the state of a connection that is being opened.
type handshake struct {
	began   time.Duration
	request []byte // what is left to send
	head    []byte // what arrived
}

// open opens count connections of which the first slow ones never read.
func (l *loop) open(ctx context.Context, target Target, tape *Tape, count, slow int, latency *Histogram) error {
	addr, err := netip.ParseAddrPort(target.Addr)
	if err != nil {
		return err
	}
	if !addr.Addr().Is4() {
		return fmt.Errorf("%s is no IPv4 address", target.Addr)
	}
	to := &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	request := "GET /ws HTTP/1.1\r\nHost: " + target.Addr + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + handshakeKey + "\r\n"
	if target.Deflate {
		request += "Sec-WebSocket-Extensions: " + deflateOffer + "\r\n"
	}
	request += "\r\n"
	deadline := l.now() + openTimeout
	for done := 0; done < count; {
		if err := ctx.Err(); err != nil {
			return err
		}
		if l.now() > deadline {
			return fmt.Errorf("%w: %d of %d connections are open after %v", ErrHandshake, done, count, openTimeout)
		}
		for len(l.conns) < count && len(l.conns)-done < maxOpening {
			c := &conn{index: len(l.conns), checker: checker{tape: tape, raw: target.Raw}, slow: len(l.conns) < slow}
			c.hand = &handshake{began: l.now(), request: []byte(request)}
			if err := l.connect(c, to); err != nil {
				return err
			}
		}
		err := l.wait(pollPause, func(c *conn, _ uint32) error {
			if c.hand == nil {
				return l.greet(c)
			}
			began := c.hand.began
			if err := l.proceed(c, target.Deflate); err != nil {
				return err
			}
			if c.hand == nil {
				done++
				latency.Record(l.now() - began)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// greet handles what a server says unasked while others are being opened: a
// ping.
func (l *loop) greet(c *conn) error {
	done, err := l.read(c)
	if err == nil && done > 0 {
		err = ErrPayload
	}
	if err == nil {
		_, err = c.write()
	}
	return err
}

// connect starts a connection and takes it in.
func (l *loop) connect(c *conn, to *unix.SockaddrInet4) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	c.fd = fd
	l.conns = append(l.conns, c)
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if c.slow {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, slowWindow); err != nil {
			return fmt.Errorf("socket: %w", err)
		}
	}
	if source := c.index / perSource; source > 0 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
			return fmt.Errorf("socket: %w", err)
		}
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + source)}}); err != nil {
			return fmt.Errorf("bind: %w", err)
		}
	}
	if err := unix.Connect(fd, to); err != nil && !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect: %w", err)
	}
	return l.watch(c, unix.EPOLLOUT, unix.EPOLL_CTL_ADD)
}

// proceed takes the next step of a handshake.
func (l *loop) proceed(c *conn, deflate bool) error {
	h := c.hand
	if len(h.request) > 0 {
		n, err := unix.Write(c.fd, h.request)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrHandshake, err)
		}
		if h.request = h.request[n:]; len(h.request) == 0 {
			return l.watch(c, unix.EPOLLIN, unix.EPOLL_CTL_MOD)
		}
		return nil
	}
	n, err := unix.Read(c.fd, l.buffer)
	if err != nil || n == 0 {
		return fmt.Errorf("%w: the connection ended (%v) after %q", ErrHandshake, err, h.head)
	}
	h.head = append(h.head, l.buffer[:n]...)
	head, early, whole := bytes.Cut(h.head, []byte("\r\n\r\n"))
	if !whole {
		if len(h.head) > maxHead {
			return fmt.Errorf("%w: the answer is too long", ErrHandshake)
		}
		return nil
	}
	if err := checkAnswer(string(head), deflate); err != nil {
		return err
	}
	c.hand = nil
	done, err := c.feed(early)
	if err == nil && done > 0 {
		err = ErrPayload
	}
	return err
}

func checkAnswer(head string, deflate bool) error {
	agreed := strings.Contains(head, "permessage-deflate") && strings.Contains(head, "server_no_context_takeover")
	switch {
	case !strings.HasPrefix(head, "HTTP/1.1 101 "), !strings.Contains(head, handshakeAnswer):
		return fmt.Errorf("%w: %q", ErrHandshake, head)
	case deflate && !agreed:
		return fmt.Errorf("%w: compression was not agreed: %q", ErrHandshake, head)
	}
	return nil
}
