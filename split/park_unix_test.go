//go:build unix

package split

import (
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

func TestWaiterFitsTheStream(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, _ net.Conn) {
		// A connection of another type than the standard library's may do more
		// in its Read than the descriptor knows.
		var plain bool
		switch server.(type) {
		case *net.TCPConn, *net.UnixConn:
			plain = true
		}
		wrapped, err := newParked(parkedBegin{}, watch(server))
		must(t, err)
		_, onDescriptor := wrapped.(*parkedSocket)
		equal(t, "waits on its descriptor though wrapped", onDescriptor, false)
		transport, err := newParked(parkedBegin{}, server)
		must(t, err)
		defer transport.Close()
		_, onDescriptor = transport.(*parkedSocket)
		equal(t, "waits on its descriptor", onDescriptor, plain)
	})
	_, err := newParked(parkedBegin{}, &net.TCPConn{})
	equal(t, "waits on a descriptor that it has not", err == nil, false)
}

func TestNoBufferIsHeldWhileParkedOnADescriptor(t *testing.T) {
	for _, name := range []string{"tcp", "unix"} {
		t.Run(name, func(t *testing.T) {
			server, client := streams[name](t)
			defer goleak.VerifyNone(t)
			defer client.Close()
			h := park(t, server, "", nil)
			defer h.Close()
			h.Start()
			peer, arrived := rawpeer.New(client, rawpeer.Client), 0
			for _, size := range []int{3, 5000, 100_000} {
				wire := clientFrames(textFrame(pattern7(size)))
				arrived += len(wire)
				must(t, peer.WriteRaw([]byte(wire)))
				h.finds(pattern7(size))
				for receive(t, "the reader", h.drained).arrived < arrived {
				}
				// A read that finds nothing takes and returns a buffer on the way.
				for deadline := time.Now().Add(patience); h.pool.InUse() > 0; runtime.Gosched() {
					if time.Now().After(deadline) {
						t.Fatalf("%d buffers are in use while parked", h.pool.InUse())
					}
				}
			}
		})
	}
}

func TestResetIsTold(t *testing.T) {
	server, client := streams["tcp"](t)
	defer goleak.VerifyNone(t)
	h := park(t, server, clientFrames(textFrame("parked")), nil)
	defer h.Close()
	h.Start()
	h.finds("parked")
	must(t, client.(*net.TCPConn).SetLinger(0), client.Close())
	h.ends(syscall.ECONNRESET)
}
