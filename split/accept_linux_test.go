package split

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

func TestAcceptedConnectionsDoNotDelaySmallWrites(t *testing.T) {
	a := newAcceptTest(t, AcceptConfig{}, nil)
	options := make(chan int, 1)
	a.decides(func(h *Handshake) error {
		descriptor := h.channel.(*arrival).transport.descriptor
		noDelay, err := syscall.GetsockoptInt(descriptor, syscall.IPPROTO_TCP, syscall.TCP_NODELAY)
		if err != nil {
			return err
		}
		options <- noDelay
		return a.open(h, wscore.Answer{})
	})
	conn := a.dial()
	send(conn, handshakeHead)
	a.hears(conn, switched)
	equal(t, "TCP_NODELAY", receive(t, "the option", options), 1)

	// One that came before the listener was served.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	early, err := net.Dial("tcp", listener.Addr().String())
	must(t, err)
	defer func() { _ = early.Close() }()
	must(t, early.SetDeadline(time.Now().Add(patience)))
	served := make(chan error, 1)
	go func() { served <- a.Serve(listener) }()
	defer func() { equal(t, "the end of Serve", receive(t, "the end of Serve", served), error(ErrAcceptorClosed)) }()
	send(early, handshakeHead)
	a.hears(early, switched)
	equal(t, "TCP_NODELAY of the early one", receive(t, "the option", options), 1)
	a.end()
}

// Nothing of the handshake stays with the connection.
func TestHandshakeIsForgottenOnceItIsOver(t *testing.T) {
	a := newAcceptTest(t, AcceptConfig{}, nil)
	defer a.end()
	transports := make(chan *polled, 1)
	a.decides(func(h *Handshake) error {
		transports <- h.channel.(*arrival).transport
		return a.open(h, wscore.Answer{})
	})
	conn := a.dial()
	send(conn, handshakeHead+masked("x"))
	a.hears(conn, switched+frame("x"))
	transport := receive(t, "the transport", transports)
	transport.mu.Lock()
	defer transport.mu.Unlock()
	if _, still := transport.handler.(*arrival); still || transport.worker != nil {
		t.Errorf("the transport still has %T, %T", transport.handler, transport.worker)
	}
}

// A poller's listener watches no closed descriptor, and reads on after a pause.
func TestPollListenerOutlivesManyLoops(t *testing.T) {
	a := newAcceptTest(t, AcceptConfig{Readiness: NewPoller(4)}, nil)
	defer a.end()
	a.Acceptor.config.Readiness.(*Poller).monitor.open.Store(4) // as if all were busy
	for range 16 {
		conn := a.dial()
		send(conn, handshakeHead+masked("x"))
		a.hears(conn, switched+frame("x"))
		_ = conn.Close()
	}
}

// Without descriptors nothing is accepted for a while, and then again. It runs
// in a process of its own, which it deprives of them.
func TestAcceptGoesOnAfterDescriptorsRanOut(t *testing.T) {
	if os.Getenv("TANDEM_STARVE") == "" {
		for _, kind := range []string{"poll", "park"} {
			child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
			child.Env = append(os.Environ(), "TANDEM_STARVE="+kind)
			out, err := child.CombinedOutput()
			if err != nil || !strings.Contains(string(out), "starved and recovered") {
				t.Errorf("%s: %v\n%s", kind, err, out)
			}
		}
		return
	}
	var readiness Readiness = NewPoller(1)
	if os.Getenv("TANDEM_STARVE") == "park" {
		readiness = Parked{}
	}
	a := newAcceptTest(t, AcceptConfig{Readiness: readiness}, nil)
	defer a.end()
	before := a.dial() // opens what is opened once
	send(before, handshakeHead)
	a.hears(before, switched)

	client := a.dialRaw() // waits in the backlog if the limit comes first
	send(client, "GET / HTTP/1.1\r\n")
	for a.Underway() < 1 {
		runtime.Gosched()
	}
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	var hoard []*os.File
	low := syscall.Rlimit{Cur: 64, Max: limit.Max}
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low))
	waiting, err := net.Dial("tcp", a.addr)
	must(t, err)
	for {
		file, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		hoard = append(hoard, file)
	}
	// The one above may have been accepted before the last descriptor was gone, or
	// take the first that is given back; one more takes its place.
	var hungry net.Conn
	for hungry == nil && len(hoard) > 0 {
		_ = hoard[len(hoard)-1].Close()
		hoard = hoard[:len(hoard)-1]
		hungry, err = net.Dial("tcp", a.addr)
	}
	must(t, err)
	var waits []time.Duration
	for restarts := 0; len(waits) < 4 && restarts <= 3; {
		wait := receive(t, "a failure to accept", a.starved)
		if wait == firstBackoff { // the descriptor given back above served one of them
			waits, restarts = nil, restarts+1
		}
		waits = append(waits, wait)
	}
	equal(t, "waits", len(waits), 4)
	for i, wait := range waits {
		equal(t, "wait", wait, 5*time.Millisecond<<i)
	}
	for _, file := range hoard {
		_ = file.Close()
	}
	must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	for _, conn := range []net.Conn{waiting, hungry} {
		must(t, conn.SetDeadline(time.Now().Add(patience)))
		send(conn, handshakeHead)
		a.hears(conn, switched)
		_ = conn.Close()
	}
	_, _ = client.Close(), before.Close()
	a.failsWith("the one that gave up", func(error) bool { return true })
	t.Log("starved and recovered")
}
