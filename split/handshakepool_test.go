package split

import (
	"runtime"
	"strings"
	"testing"
	"unsafe"
	"weak"

	"github.com/tandem-ws/tandem/wscore"
)

// What DefaultMaxHandshakes says: the next size that memory comes in is 8 KiB.
func TestHandshakeFitsInto7KiB(t *testing.T) {
	if size := unsafe.Sizeof(Handshake{}) + unsafe.Sizeof(streamArrival{}); size > 7<<10 || unsafe.Sizeof(Handshake{}) > 6912 {
		t.Errorf("%d bytes, %d with what it comes on", unsafe.Sizeof(Handshake{}), size)
	}
}

// A handshake that waits for its next use keeps nothing of a long head.
func TestReleasedHandshakeLetsItsHeadGo(t *testing.T) {
	a, err := NewAcceptor(AcceptConfig{Decide: func(*Handshake) error { return wscore.Reject(404, "") }})
	must(t, err)
	h := a.handshake(nil, addrPort(nil))
	head := strings.Replace(handshakeHead, "Host:", "X-Long: "+strings.Repeat("x", 32<<10)+"\r\nHost:", 1)
	for rest := head; rest != ""; {
		n := copy(h.room(), rest)
		h.took(n)
		rest = rest[n:]
	}
	whole, err := h.advance()
	must(t, err)
	equal(t, "the request is whole", whole, true)
	long := weak.Make(&h.buffer[0])
	h.release()
	runtime.GC()
	equal(t, "the head is gone", long.Value() == nil, true)
	runtime.KeepAlive(h)
}
