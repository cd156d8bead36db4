// Package codec holds the contenders of the in-memory comparison: each library
// echoes, parses or compresses the same bytes, with no kernel in between. It is
// for measuring only and no part of Tandem.
package codec

import (
	"io"
	"net"
	"time"
)

// Stream is a connection in memory on which the same frame arrives a given
// number of times; what is written is only counted.
type Stream struct {
	frame []byte
	left  int // frames still to begin or to finish
	at    int // position in the frame
	// OneARead ends each Read at the end of a frame, as when a peer waits for
	// each answer. Otherwise a Read fills the buffer, as when it does not wait.
	OneARead bool

	// Written is how many bytes were written, and Writes in how many calls.
	Written, Writes int
	// Keep makes Write keep what it gets in Kept.
	Keep bool
	Kept []byte
}

// NewStream returns a stream on which nothing arrives before [Stream.Rewind].
func NewStream(frame []byte) *Stream { return &Stream{frame: frame} }

// Rewind lets the frame arrive that many times, and then the stream ends.
func (s *Stream) Rewind(times int) { s.left, s.at, s.Written, s.Writes = times, 0, 0, 0 }

// Read implements net.Conn.
func (s *Stream) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && s.left > 0 {
		copied := copy(p[n:], s.frame[s.at:])
		n += copied
		if s.at += copied; s.at == len(s.frame) {
			s.at = 0
			s.left--
			if s.OneARead {
				break
			}
		}
	}
	return n, nil
}

// Write implements net.Conn.
func (s *Stream) Write(p []byte) (int, error) {
	s.Written += len(p)
	s.Writes++
	if s.Keep {
		s.Kept = append(s.Kept, p...)
	}
	return len(p), nil
}

// Close does nothing, as the rest of net.Conn.
func (s *Stream) Close() error { return nil }

// LocalAddr returns no address in particular.
func (s *Stream) LocalAddr() net.Addr { return &net.TCPAddr{} }

// RemoteAddr returns no address in particular.
func (s *Stream) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// SetDeadline does nothing: no call waits.
func (s *Stream) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing.
func (s *Stream) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing.
func (s *Stream) SetWriteDeadline(time.Time) error { return nil }
