package actortest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor/actortest"
)

func closeWrite(conn net.Conn) error { return conn.(interface{ CloseWrite() error }).CloseWrite() }

func TestPipeCarriesBothDirectionsWholeAndInOrder(t *testing.T) {
	here, there := actortest.Pipe()
	random := rand.New(rand.NewPCG(1, 2))
	results := make(chan error, 2)
	for _, side := range []struct{ from, to net.Conn }{{here, there}, {there, here}} {
		sent := make([]byte, 3*actortest.PipeBuffer+17)
		for i := range sent {
			sent[i] = byte(random.Uint32())
		}
		pieces := []int{1, 1000, actortest.PipeBuffer + 1}
		go func() {
			for rest, i := sent, 0; len(rest) > 0; i++ {
				n, err := side.from.Write(rest[:min(len(rest), pieces[i%len(pieces)])])
				if err != nil {
					t.Error(err)
				}
				rest = rest[n:]
			}
			if err := closeWrite(side.from); err != nil {
				t.Error(err)
			}
		}()
		go func() {
			got, err := io.ReadAll(side.to)
			if err == nil && !bytes.Equal(got, sent) {
				err = errors.New("what was read is not what was written")
			}
			results <- err
		}()
	}
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestPipeErrorsAfterAnEndIsClosed(t *testing.T) {
	for _, test := range []struct {
		name        string
		end         func(here, there net.Conn)
		read, write error // of here, once "left" is read
	}{
		{"by itself", func(here, _ net.Conn) { _ = here.Close() }, net.ErrClosed, net.ErrClosed},
		{"by the other", func(_, there net.Conn) { _ = there.Close() }, io.EOF, io.ErrClosedPipe},
		{"in its sending direction", func(here, there net.Conn) { _ = closeWrite(here); _ = there.Close() }, io.EOF, io.ErrClosedPipe},
		{"in the other's sending direction", func(_, there net.Conn) { _ = closeWrite(there) }, io.EOF, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			here, there := actortest.Pipe()
			if _, err := there.Write([]byte("left")); err != nil {
				t.Fatal(err)
			}
			test.end(here, there)
			if test.read == io.EOF {
				if left, err := io.ReadAll(here); string(left) != "left" || err != nil {
					t.Errorf("left is %q, %v", left, err)
				}
			}
			if _, err := here.Read(make([]byte, 1)); !errors.Is(err, test.read) {
				t.Errorf("read: %v, want %v", err, test.read)
			}
			if _, err := here.Write([]byte("x")); !errors.Is(err, test.write) {
				t.Errorf("write: %v, want %v", err, test.write)
			}
		})
	}
}

// Deadlines end waits that have begun, and only until they are moved.
func TestPipeDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := actortest.Pipe()
		full := make([]byte, actortest.PipeBuffer+1)
		for _, test := range []struct {
			name string
			set  func(time.Time) error
			wait func() (int, error)
			n    int
		}{
			{"read", here.SetReadDeadline, func() (int, error) { return here.Read(make([]byte, 1)) }, 0},
			{"write", here.SetWriteDeadline, func() (int, error) { return here.Write(full) }, actortest.PipeBuffer},
		} {
			began := time.Now()
			if err := test.set(began.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(time.Minute, func() { _ = test.set(began.Add(2 * time.Minute)) })
			n, err := test.wait()
			if waited := time.Since(began); n != test.n || !errors.Is(err, os.ErrDeadlineExceeded) || waited != 2*time.Minute {
				t.Errorf("%s: %d, %v after %v", test.name, n, err, waited)
			}
			if _, err := test.wait(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s past its deadline: %v", test.name, err)
			}
			if err := here.SetDeadline(time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.ReadFull(there, make([]byte, actortest.PipeBuffer)); err != nil {
			t.Error(err)
		}
		if _, err := there.Write([]byte("x")); err != nil {
			t.Error(err)
		}
		if _, err := here.Read(make([]byte, 1)); err != nil {
			t.Errorf("read after the deadline was lifted: %v", err)
		}
	})
}

func TestClosingAPipeEndsItsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := actortest.Pipe()
		ended := make(chan error, 2)
		go func() { _, err := here.Read(make([]byte, 1)); ended <- err }()
		go func() { _, err := here.Write(make([]byte, 2*actortest.PipeBuffer)); ended <- err }()
		synctest.Wait() // both wait
		_ = here.Close()
		for range 2 {
			if err := <-ended; !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		}
		_ = there.Close()
	})
}

func TestListener(t *testing.T) {
	l := actortest.NewListener()
	first, err := l.Dial()
	if err != nil {
		t.Fatal(err)
	}
	second, err := l.Dial()
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if first.LocalAddr().String() != accepted.RemoteAddr().String() || first.LocalAddr().String() == second.LocalAddr().String() {
		t.Errorf("addresses: %v and %v were dialed, %v was accepted", first.LocalAddr(), second.LocalAddr(), accepted.RemoteAddr())
	}
	if first.RemoteAddr().String() != l.Addr().String() {
		t.Errorf("dialed %v of %v", first.RemoteAddr(), l.Addr())
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
	if _, err := second.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("a stream that nobody accepted: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
	if _, err := l.Dial(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("dial: %v", err)
	}
}

func TestDialWaitsForRoomUntilItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := actortest.NewListener()
		defer func() { _ = l.Close() }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began, err := time.Now(), error(nil)
		dialed := 0
		for ; err == nil; dialed++ {
			_, err = l.DialContext(ctx, "tcp", "anywhere:80")
		}
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute || dialed < 100 {
			t.Errorf("after %d streams and %v: %v", dialed, time.Since(began), err)
		}
	})
}
