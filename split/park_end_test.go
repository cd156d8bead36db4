package split

import (
	"io"
	"net"
	"testing"

	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

func TestEndOfTheStreamIsTold(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		h := park(t, server, "", nil)
		h.Start()
		must(t, rawpeer.New(client, rawpeer.Client).Text("last words"), client.Close())
		h.finds("last words")
		h.ends(io.EOF)
		equal(t, "InUse", h.pool.InUse(), 0)
	})
}

func TestEndInsideAMessageGivesItsMemoryBack(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		h := park(t, server, "", nil)
		h.Start()
		must(t, rawpeer.New(client, rawpeer.Client).WriteRaw([]byte(clientFrames(textFrame(pattern7(50_000)))[:20_000])))
		must(t, client.Close())
		h.ends(io.EOF)
		equal(t, "InUse", h.pool.InUse(), 0)
	})
}

// closedError is what reads of a stream that was closed here give.
func closedError(conn net.Conn) error {
	if conn.RemoteAddr().Network() == "pipe" {
		return io.ErrClosedPipe
	}
	return net.ErrClosed
}

func TestCloseEndsTheWaitFromAnotherGoroutine(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		h := park(t, server, clientFrames(textFrame("parked")), nil)
		h.Start()
		h.finds("parked")
		receive(t, "the reader", h.drained)
		closes := make(chan error, 3)
		for range cap(closes) {
			go func() { closes <- h.Close() }()
		}
		for range cap(closes) {
			_ = receive(t, "Close", closes) // TLS may not get its farewell through
		}
		h.ends(closedError(server))
	})
}

func TestCloseEndsTheWaitInsideAMessage(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		h := park(t, server, clientFrames(textFrame("half"))[:8], nil)
		h.Start()
		equal(t, "buffers held", receive(t, "the reader", h.drained).inUse, 1)
		_ = h.Close()
		h.ends(closedError(server))
		equal(t, "InUse", h.pool.InUse(), 0)
	})
}

func TestCloseFromTheHandlerEndsTheGoroutine(t *testing.T) {
	for _, verdict := range []Verdict{Park, Pause, Stop} {
		for _, early := range []bool{false, true} {
			onEveryStream(t, func(t *testing.T, server, client net.Conn) {
				var h *parkTest
				wire, first := clientFrames(textFrame("enough"), textFrame("too much")), ""
				if early {
					first = wire
				}
				h = park(t, server, first, func(string) Verdict {
					_ = h.Close()
					return verdict
				})
				h.Start()
				if !early {
					go func() { _, _ = client.Write([]byte(wire)) }() // the close may come in between
				}
				h.finds("enough")
				switch verdict {
				case Park:
					h.ends(closedError(server))
				case Pause:
					h.ends(net.ErrClosed)
				}
			})
		}
	}
}

// A handler that has no room yet pauses again and again; that must not keep a
// closed stream's goroutine for ever.
func TestCloseEndsAPauseThatTheHandlerWouldGoOnWith(t *testing.T) {
	wire := clientFrames(textFrame("one"), textFrame("two"))
	for _, early := range []string{"", wire} {
		onEveryStream(t, func(t *testing.T, server, client net.Conn) {
			h := park(t, server, early, func(string) Verdict { return Pause })
			h.Start()
			if early == "" {
				must(t, rawpeer.New(client, rawpeer.Client).WriteRaw([]byte(wire)))
			}
			h.finds("one")
			h.Resume()
			h.finds("two")
			_ = h.Close()
			h.ends(net.ErrClosed)
			equal(t, "InUse", h.pool.InUse(), 0)
		})
	}
}

func TestStopReadsNothingMore(t *testing.T) {
	wire := clientFrames(textFrame("enough"), textFrame("too much"))
	for _, early := range []string{"", wire} {
		onEveryStream(t, func(t *testing.T, server, client net.Conn) {
			h := park(t, server, early, func(string) Verdict { return Stop })
			h.Start()
			if early == "" {
				must(t, rawpeer.New(client, rawpeer.Client).WriteRaw([]byte(wire)))
			}
			h.finds("enough")
			if _, parked := h.Transport.(parkedStream); parked {
				goleak.VerifyNone(t) // though the stream is open
			}
			_ = h.Close()
			equal(t, "messages", len(h.found), 0)
			equal(t, "ends", len(h.ended), 0)
		})
	}
}
