package split

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// The tests of parked streams run on polled ones too.
func init() {
	streams["epoll"] = func(t *testing.T) (net.Conn, net.Conn) {
		server, client := loopback(t, "tcp", "127.0.0.1:0")
		return &pollConn{TCPConn: server.(*net.TCPConn)}, client
	}
	park := attach
	attach = func(conn net.Conn, early []byte, h Handler) (Transport, error) {
		polled, ok := conn.(*pollConn)
		if !ok {
			return park(conn, early, h)
		}
		var err error
		polled.attached, err = NewPoller(1).Attach(polled.TCPConn, early, h)
		return polled.attached, err
	}
}

// pollConn is a connection for a poller, and closed through it once attached.
type pollConn struct {
	*net.TCPConn
	attached Transport
}

func (c *pollConn) polledStream() {}

func (c *pollConn) Close() error {
	if c.attached != nil {
		return c.attached.Close()
	}
	return c.TCPConn.Close()
}

// polledPair returns a started reader on a poller and the peer's end.
func polledPair(t *testing.T, p *Poller, after func(string) Verdict) (*parkTest, *polled, net.Conn) {
	t.Helper()
	server, client := loopback(t, "tcp", "127.0.0.1:0")
	h := park(t, server, "", after) // parked first, for the reader that comes with it
	must(t, h.Transport.Close())
	server, client = loopback(t, "tcp", "127.0.0.1:0")
	transport, err := p.Attach(server, nil, h)
	must(t, err)
	h.Transport = transport
	t.Cleanup(func() { _, _ = client.Close(), transport.Close() })
	h.Start()
	return h, transport.(*polled), client
}

// leavesEpoll waits until a paused connection is no longer watched.
func leavesEpoll(t *testing.T, transport *polled) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; runtime.Gosched() {
		transport.mu.Lock()
		interest := transport.interest
		transport.mu.Unlock()
		if interest == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still watched for %#x", interest)
		}
	}
}

func TestIdlePolledConnectionsHoldNoGoroutineAndNoBuffer(t *testing.T) {
	defer goleak.VerifyNone(t)
	p := NewPoller(2)
	const count = 50
	var open []*parkTest
	before := runtime.NumGoroutine()
	for range count {
		h, _, client := polledPair(t, p, nil)
		must(t, rawpeer.New(client, rawpeer.Client).Text("hello"))
		h.finds("hello")
		equal(t, "buffers in use", receive(t, "the reader", h.drained).inUse, 0)
		open = append(open, h)
	}
	if now := runtime.NumGoroutine(); now > before+len(p.loops) {
		t.Errorf("%d goroutines for %d connections", now-before, count)
	}
	for _, h := range open {
		must(t, h.Close())
		h.ends(net.ErrClosed)
	}
}

// A paused descriptor must leave epoll, which reports a hang-up whatever it is
// asked for; and the hang-up must not be missed afterwards.
func TestPausedDescriptorIsOutOfEpollAndItsEndIsFoundOnResume(t *testing.T) {
	defer goleak.VerifyNone(t)
	h, transport, client := polledPair(t, NewPoller(1), func(string) Verdict { return Pause })
	must(t, rawpeer.New(client, rawpeer.Client).Text("pause"))
	h.finds("pause")
	leavesEpoll(t, transport)
	fills := h.fills.Load()
	must(t, client.(*net.TCPConn).SetLinger(0), client.Close()) // a reset: HUP and ERR
	equal(t, "reads while paused", h.fills.Load(), fills)
	h.Resume()
	h.ends(syscall.ECONNRESET)
	must(t, h.Close())
}

// Epoll takes no regular file, as it takes no socket once its watches are used
// up; a connection nobody would hear of again must end there and then.
func TestConnectionThatEpollRefusesIsClosedWithTheReason(t *testing.T) {
	defer goleak.VerifyNone(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	must(t, err)
	defer file.Close()
	h, transport, client := polledPair(t, NewPoller(1), func(string) Verdict { return Pause })
	must(t, rawpeer.New(client, rawpeer.Client).Text("pause"))
	h.finds("pause")
	leavesEpoll(t, transport)
	must(t, syscall.Dup3(int(file.Fd()), transport.descriptor, syscall.O_CLOEXEC))
	h.Resume()
	h.ends(syscall.EPERM)
	if _, err := transport.Write(&net.Buffers{[]byte("x")}, time.Second); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a write afterwards: %v", err)
	}
}

func TestEventForALeftConnectionIsDropped(t *testing.T) {
	defer goleak.VerifyNone(t)
	p := NewPoller(1)
	loop := &p.loops[0]
	keep, _, _ := polledPair(t, p, nil) // keeps the loop alive
	first, old, _ := polledPair(t, p, nil)
	event := syscall.EpollEvent{Fd: old.slot, Pad: int32(old.generation)}
	if loop.membersOf([]syscall.EpollEvent{event}, make([]*polled, 1))[0] != old {
		t.Fatal("the event does not find its connection")
	}
	must(t, first.Close())
	first.ends(net.ErrClosed)
	second, fresh, _ := polledPair(t, p, nil)
	for deadline := time.Now().Add(5 * time.Second); fresh.slot != old.slot; {
		// The first has told its handler and is about to leave its slot.
		must(t, second.Close())
		second, fresh, _ = polledPair(t, p, nil)
		if time.Now().After(deadline) {
			t.Fatal("the slot is not used again")
		}
	}
	if loop.membersOf([]syscall.EpollEvent{event}, make([]*polled, 1))[0] != nil {
		t.Error("a stale event finds the slot's next connection")
	}
	must(t, keep.Close(), second.Close())
}

func TestWriteWaitsForThePeerAndGoesOnWhereItStopped(t *testing.T) {
	defer goleak.VerifyNone(t)
	h, transport, client := polledPair(t, NewPoller(1), nil)
	all := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // more than the socket holds
	written := make(chan error, 1)
	go func() {
		buffers := net.Buffers{all[:100], nil, all[100:5_000_000], all[5_000_000:]}
		n, err := transport.Write(&buffers, 10*time.Second)
		if n != int64(len(all)) && err == nil {
			err = io.ErrShortWrite
		}
		written <- err
	}()
	for blocked := false; !blocked; runtime.Gosched() { // until the writer waits
		transport.mu.Lock()
		blocked = transport.writable != nil
		transport.mu.Unlock()
	}
	got := make([]byte, len(all))
	_, err := io.ReadFull(client, got)
	must(t, err, receive(t, "the write", written))
	if !bytes.Equal(got, all) {
		t.Error("other bytes arrived than were written")
	}
	must(t, h.Close())
	h.ends(net.ErrClosed)
}

func TestWriteToAPeerThatNeverReadsEndsAtItsTimeoutOrWithTheClose(t *testing.T) {
	defer goleak.VerifyNone(t)
	all := make([]byte, 32<<20)
	h, transport, _ := polledPair(t, NewPoller(1), nil)
	buffers := net.Buffers{all}
	if _, err := transport.Write(&buffers, 20*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("write over its deadline: %v", err)
	}
	written := make(chan error, 1)
	go func() {
		buffers := net.Buffers{all}
		_, err := transport.Write(&buffers, time.Minute)
		written <- err
	}()
	must(t, h.Close())
	h.ends(net.ErrClosed)
	if err := receive(t, "the write", written); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write to a closed stream: %v", err)
	}
	if err := transport.CloseWrite(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("CloseWrite of a closed stream: %v", err)
	}
}

// A session may give its last credit back when its connection, and with it the
// loop, is long gone.
func TestResumeOfALeftConnectionDoesNothing(t *testing.T) {
	p := NewPoller(1)
	for range 2 {
		h, transport, _ := polledPair(t, p, nil)
		must(t, h.Close())
		h.ends(net.ErrClosed)
		goleak.VerifyNone(t) // the loop has ended
		transport.Resume()
		transport.Start()
		must(t, transport.Close())
	}
}

func TestWhatIsNoPlainTCPIsParked(t *testing.T) {
	defer goleak.VerifyNone(t)
	server, client := overTLS(t)
	defer client.Close()
	h := park(t, server, "", nil)
	transport, err := NewPoller(1).Attach(server, nil, h)
	must(t, err)
	if _, ok := transport.(parkedStream); !ok {
		t.Errorf("TLS is attached as %T", transport)
	}
	_ = transport.Close()
}

// Closing while both directions are in use must neither race nor write to a
// descriptor that somebody else has got.
func TestCloseAgainstReadsAndWrites(t *testing.T) {
	defer goleak.VerifyNone(t)
	p := NewPoller(2)
	for range 200 {
		h, transport, client := polledPair(t, p, nil)
		peer := rawpeer.New(client, rawpeer.Client)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 20 {
				buffers := net.Buffers{[]byte("x")}
				if _, err := transport.Write(&buffers, time.Second); err != nil {
					return
				}
			}
		}()
		go func() { _ = peer.Text("hello") }() // may fail: the other side closes
		must(t, h.Close())
		<-done
		h.ended <- receive(t, "the end", h.ended)
	}
}

// A system call that is under way keeps the descriptor's number from being given
// to somebody else.
func TestDescriptorIsClosedWithTheLastSystemCall(t *testing.T) {
	server, _ := loopback(t, "tcp", "127.0.0.1:0")
	transport, err := NewPoller(1).Attach(server, nil, &faulty{})
	must(t, err)
	p := transport.(*polled)
	isOpen := func() bool {
		_, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(p.descriptor), syscall.F_GETFD, 0)
		return errno == 0
	}
	equal(t, "a system call may begin", p.acquire(), true)
	h := p.handler.(*faulty)
	h.transport, h.ended = transport, make(chan error, 1)
	must(t, p.Close())
	receive(t, "the end", h.ended)
	equal(t, "the descriptor is open during a system call", isOpen(), true)
	equal(t, "another system call may begin", p.acquire(), false)
	p.release()
	equal(t, "the descriptor is open after it", isOpen(), false)
}

// Nor is a type that embeds a TCP connection: it may do more with its bytes.
func TestConnectionThatEmbedsOneOfTCPIsParked(t *testing.T) {
	server, _ := loopback(t, "tcp", "127.0.0.1:0")
	transport, err := NewPoller(1).Attach(struct{ *net.TCPConn }{server.(*net.TCPConn)}, nil, &faulty{})
	must(t, err)
	if _, ok := transport.(parkedStream); !ok {
		t.Errorf("attached as %T", transport)
	}
	_ = transport.Close()
}
