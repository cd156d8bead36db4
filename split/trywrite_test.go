package split

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"
)

// tried reports whether streams of that kind can be written to without waiting
// on this system.
func tried(server net.Conn) bool {
	if _, polled := server.(interface{ polledStream() }); polled {
		return true
	}
	switch server.(type) {
	case *net.TCPConn, *net.UnixConn:
		return runtime.GOOS != "windows"
	}
	return false
}

func TestTryWriteTakesWhatTheStreamTakesAndWriteGoesOn(t *testing.T) {
	all := bytes.Repeat([]byte(pattern(100_003)), 120) // more than the socket holds
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		h := park(t, server, "", nil)
		defer h.Close()
		h.Start()
		buffers := net.Buffers{all[:100], nil, all[100:101], all[101:5_000_000], all[5_000_000:]}
		n, err := h.TryWrite(&buffers)
		equal[error](t, "try", err, ErrWouldBlock)
		equal(t, "something was written", n > 0, tried(server))
		left := 0
		for _, b := range buffers {
			left += len(b)
		}
		equal(t, "bytes left", left, len(all)-int(n))
		n, err = h.TryWrite(&buffers)
		equal[error](t, "second try", err, ErrWouldBlock)
		if n > 0 { // loopback has moved bytes on meanwhile
			left -= int(n)
		}

		written := make(chan error, 1)
		go func() {
			n, err := h.Write(&buffers, patience)
			if n != int64(left) && err == nil {
				err = io.ErrShortWrite
			}
			written <- err
		}()
		got := make([]byte, len(all))
		_, err = io.ReadFull(client, got)
		must(t, err, receive(t, "the write", written))
		equal(t, "the bytes that arrived are those that were written", bytes.Equal(got, all), true)
	})
}

func TestTryWriteOfWhatFitsLeavesNothing(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		if !tried(server) {
			return // the other test has shown that these take nothing
		}
		h := park(t, server, "", nil)
		defer h.Close()
		h.Start()
		got := make([]byte, 6)
		for range 3 {
			buffers := net.Buffers{[]byte("ab"), nil, []byte("cdef")}
			n, err := h.TryWrite(&buffers)
			must(t, err)
			equal(t, "bytes", n, 6)
			equal(t, "buffers left", len(buffers), 0)
			_, err = io.ReadFull(client, got)
			must(t, err)
			equal(t, "arrived", string(got), "abcdef")
		}
	})
}

// The deadline of an earlier write must not end a later try.
func TestTryWriteOutlivesOlderWriteDeadlines(t *testing.T) {
	for _, before := range []string{"Write", "Attach"} {
		onEveryStream(t, func(t *testing.T, server, client net.Conn) {
			if !tried(server) {
				return
			}
			if before == "Attach" {
				must(t, server.SetWriteDeadline(time.Now().Add(-time.Second)))
			}
			h := park(t, server, "", nil)
			defer h.Close()
			h.Start()
			if before == "Write" {
				full := net.Buffers{make([]byte, 12_000_000)}
				_, err := h.Write(&full, time.Millisecond)
				equal(t, "the write is over its deadline", errors.Is(err, os.ErrDeadlineExceeded), true)
				sent := int64(12_000_000 - len(full[0]))
				_, err = io.CopyN(io.Discard, client, sent)
				must(t, err)
			}
			buffers := net.Buffers{[]byte("after it")}
			_, err := h.TryWrite(&buffers)
			must(t, err)
		})
	}
}

func TestTryWriteToAClosedStreamIsAnError(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		if !tried(server) {
			return
		}
		h := park(t, server, "", nil)
		h.Start()
		must(t, h.Close())
		h.ends(net.ErrClosed)
		buffers := net.Buffers{[]byte("late")}
		_, err := h.TryWrite(&buffers)
		equal(t, "closed", errors.Is(err, net.ErrClosed), true)
	})
}

func TestFailedTryWriteSaysWhatFailed(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		if !tried(server) {
			return
		}
		h := park(t, server, "", nil)
		defer h.Close()
		h.Start()
		must(t, client.Close())
		h.ends(io.EOF)
		var err error
		for range 1000 { // a reset may take its time
			buffers := net.Buffers{make([]byte, 1<<16)}
			if _, err = h.TryWrite(&buffers); err != nil && err != ErrWouldBlock {
				break
			}
		}
		if err == nil || err == ErrWouldBlock {
			t.Errorf("write to a peer that has gone: %v", err)
		}
	})
}
