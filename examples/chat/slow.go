package main

import (
	"bufio"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
)

// The slow lane: the same chat over streams that pass little, so that everybody
// can see what the kit does with a client that cannot keep up.
const (
	// maxSlow is how many may be slow at once. Over it: 503.
	maxSlow = 8
	// slowPiece and slowPause make 512 bytes a second.
	slowPiece = 128
	slowPause = 250 * time.Millisecond
	// slowWriteTimeout lets a full mailbox through at that rate.
	slowWriteTimeout = time.Minute
	// slowCloseTimeout is longer than elsewhere: a slow client shall hear why it
	// is closed.
	slowCloseTimeout = 30 * time.Second
)

// slowMailbox is small, so that a busy room fills it within seconds.
var slowMailbox = split.MailboxConfig{MaxFrames: 16, MaxBytes: 64 << 10}

// newSlowLane makes a server like another one, whose connections are slow.
func newSlowLane(engine *actor.Engine, newSession actor.NewSession, like actor.ServerConfig) (*actor.Server, error) {
	like.MaxConnections = maxSlow
	like.Mailbox = slowMailbox
	like.WriteTimeout = slowWriteTimeout
	like.CloseTimeout = slowCloseTimeout
	return actor.NewServer(engine, newSession, like)
}

// slowed makes all streams slow that a handler takes over.
func slowed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(slowHijacker{w}, r)
	})
}

// slowHijacker gives its connection away as a slow one.
type slowHijacker struct{ http.ResponseWriter }

// Hijack implements http.Hijacker.
func (h slowHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	stream, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	slow := &slowStream{Conn: stream, closed: make(chan struct{})}
	return slow, bufio.NewReadWriter(buffered.Reader, bufio.NewWriter(slow)), nil
}

// slowStream passes what is written to it in small pieces, with pauses. It shows
// nothing of the stream below but net.Conn, so that nobody writes past it.
type slowStream struct {
	net.Conn
	closed chan struct{}
	once   sync.Once
}

// Write writes all of data, slowly. A deadline is that of the stream below.
func (s *slowStream) Write(data []byte) (written int, err error) {
	pause := time.NewTimer(slowPause)
	defer pause.Stop()
	for {
		n, err := s.Conn.Write(data[written:min(written+slowPiece, len(data))])
		written += n
		if err != nil {
			return written, err
		}
		select {
		case <-pause.C:
			pause.Reset(slowPause)
		case <-s.closed:
			return written, net.ErrClosed
		}
		if written == len(data) {
			return written, nil
		}
	}
}

// Close closes the stream and ends a Write that is pausing.
func (s *slowStream) Close() error {
	s.once.Do(func() { close(s.closed) })
	return s.Conn.Close()
}
