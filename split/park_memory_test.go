package split

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// watched tells of each read as it begins, and reads as its function says.
type watched struct {
	net.Conn
	rooms chan int
	read  func(p []byte) (int, error)
}

func watch(conn net.Conn) *watched {
	return &watched{Conn: conn, rooms: make(chan int, 100_000), read: conn.Read}
}

func (w *watched) Read(p []byte) (int, error) {
	w.rooms <- len(p)
	return w.read(p)
}

// The kinds of stream that wait in a one-byte read.
var byteStreams = map[string]stream{"tls": streams["tls"], "pipe": streams["pipe"]}

func TestNoBufferIsHeldInAOneByteRead(t *testing.T) {
	for name, open := range byteStreams {
		t.Run(name, func(t *testing.T) {
			server, client := open(t)
			defer goleak.VerifyNone(t)
			defer client.Close()
			conn := watch(server)
			h := park(t, conn, "", nil)
			defer h.Close()
			h.Start()
			equal(t, "room of the first read", receive(t, "a read", conn.rooms), 1)
			equal(t, "fills before the first byte", h.fills.Load(), 0)
			peer := rawpeer.New(client, rawpeer.Client)
			for _, size := range []int{3, 5000, 100_000} {
				must(t, peer.Text(pattern7(size)))
				h.finds(pattern7(size))
				for receive(t, "a read", conn.rooms) != 1 {
				}
				equal(t, "InUse in the read after a message", h.pool.InUse(), 0)
			}
		})
	}
}

func TestNoBufferIsHeldByAParkedPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		h := park(t, server, "", nil)
		h.Start()
		synctest.Wait()
		equal(t, "InUse at the start", h.pool.InUse(), 0)
		peer := rawpeer.New(client, rawpeer.Client)
		wire := []byte(clientFrames(begin(rawpeer.OpText, "half and"), last(" half"), textFrame(pattern7(10_000))))
		half, whole := 14, 14+11
		must(t, peer.WriteRaw(wire[:half]))
		synctest.Wait()
		equal(t, "InUse between fragments", h.pool.InUse(), 1)
		must(t, peer.WriteRaw(wire[half:whole]))
		synctest.Wait()
		h.finds("half and half")
		equal(t, "InUse after a message", h.pool.InUse(), 0)
		must(t, peer.WriteRaw(wire[whole:5000]))
		synctest.Wait()
		equal(t, "InUse inside a message", h.pool.InUse(), 1)
		must(t, peer.WriteRaw(wire[5000:]))
		synctest.Wait()
		h.finds(pattern7(10_000))
		equal(t, "InUse after a large message", h.pool.InUse(), 0)
		must(t, h.Close())
		synctest.Wait()
		h.ends(io.ErrClosedPipe)
		must(t, client.Close())
	})
}

func TestPausedStreamIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		h := park(t, server, "", func(string) Verdict { return Pause })
		h.Start()
		peer := rawpeer.New(client, rawpeer.Client)
		must(t, peer.Text("one"))
		written := make(chan error, 1)
		go func() { written <- peer.Text("two") }()
		synctest.Wait()
		equal(t, "writes that came through", len(written), 0)
		h.Resume() // drains nothing, then reads
		synctest.Wait()
		must(t, <-written)
		h.finds("one", "two")
		must(t, h.Close(), client.Close())
		h.ends(net.ErrClosed)
	})
}

// An io.Reader may give nothing and no error.
func TestReadsOfZeroBytesAreSurvived(t *testing.T) {
	for name, open := range byteStreams {
		t.Run(name, func(t *testing.T) {
			server, client := open(t)
			defer goleak.VerifyNone(t)
			defer client.Close()
			conn, turn := watch(server), 0
			conn.read = func(p []byte) (int, error) {
				if turn++; turn%3 != 0 {
					return 0, nil
				}
				return server.Read(p)
			}
			h := park(t, conn, "", nil)
			defer h.Close()
			h.Start()
			peer := rawpeer.New(client, rawpeer.Client)
			for range 3 {
				must(t, peer.Text(pattern7(20_000)), peer.WriteChopped([]byte(clientFrames(textFrame("byte by byte"))), 1))
				h.finds(pattern7(20_000), "byte by byte")
			}
		})
	}
}

// The last bytes may come together with the end.
func TestBytesBesideTheEndAreDelivered(t *testing.T) {
	wire := clientFrames(textFrame("last words"))
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF} {
		source := strings.NewReader(wire)
		server, client := net.Pipe()
		conn := watch(server)
		conn.read = func(p []byte) (int, error) {
			n, _ := source.Read(p)
			if source.Len() == 0 {
				return n, end
			}
			return n, nil
		}
		h := park(t, conn, "", nil)
		h.Start()
		h.finds("last words")
		h.ends(end)
		must(t, h.Close(), client.Close())
	}
	goleak.VerifyNone(t)
}

// byByte is a handler that has one byte of memory.
type byByte struct {
	got   chan byte
	ended chan error
}

func (h *byByte) Fill(source io.Reader) error {
	var room [1]byte
	n, err := source.Read(room[:])
	if n == 1 {
		h.got <- room[0]
	}
	return readResult(n, err)
}

func (h *byByte) Drain(err error) Verdict {
	if err != nil {
		h.ended <- err
		return Stop
	}
	return Park
}

func TestHandlerWithOneByteOfMemoryMissesNone(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		h := &byByte{got: make(chan byte, 100), ended: make(chan error, 1)}
		transport, err := Parked{}.Attach(server, []byte("early "), h)
		must(t, err)
		defer transport.Close()
		transport.Start()
		_, err = client.Write([]byte("bytes"))
		must(t, err)
		got := ""
		for range len("early bytes") {
			got += string(rune(receive(t, "a byte", h.got)))
		}
		equal(t, "got", got, "early bytes")
		must(t, client.Close())
		equal[error](t, "end", receive(t, "the end", h.ended), io.EOF)
	})
}

// Writing.

func TestTransportWritesAllBuffersInOrder(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		h := park(t, server, "", nil)
		defer h.Close()
		long := pattern(1 << 20)
		got := make(chan string, 1)
		go func() {
			all := make([]byte, 1<<20+9)
			_, err := io.ReadFull(client, all)
			if err != nil {
				t.Error(err)
			}
			got <- string(all)
		}()
		n, err := h.Write(&net.Buffers{[]byte("one"), []byte(long), []byte("two"), nil, []byte("end")}, patience)
		must(t, err)
		equal(t, "bytes written", n, 1<<20+9)
		equal(t, "arrived in order", receive(t, "the bytes", got) == "one"+long+"twoend", true)
	})
}

func TestWriteToAPeerThatDoesNotReadTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		h := park(t, server, "", nil)
		began := time.Now()
		_, err := h.Write(&net.Buffers{[]byte("x")}, 3*time.Second)
		equal(t, "timed out", errors.Is(err, os.ErrDeadlineExceeded), true)
		equal(t, "after", time.Since(began), 3*time.Second)
		must(t, h.Close(), client.Close())
	})
}

func TestWriteAfterCloseFails(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, _ net.Conn) {
		h := park(t, server, "", nil)
		_ = h.Close()
		_, err := h.Write(&net.Buffers{[]byte("x")}, time.Second)
		equal(t, "failed", err != nil, true)
	})
}

func TestCloseWriteLeavesTheOtherDirectionOpen(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		h := park(t, server, "", nil)
		defer h.Close()
		h.Start()
		must(t, h.CloseWrite())
		if server.RemoteAddr().Network() != "pipe" { // which has no halves
			_, err := client.Read(make([]byte, 1))
			equal[error](t, "read by the peer", err, io.EOF)
		}
		must(t, rawpeer.New(client, rawpeer.Client).Text("still heard"))
		h.finds("still heard")
	})
}

func TestParkedTransportKnowsItsPeer(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, _ net.Conn) {
		h := park(t, server, "", nil)
		equal(t, "address", h.RemoteAddr().String(), server.RemoteAddr().String())
		equal(t, "network", h.RemoteAddr().Network(), server.RemoteAddr().Network())
		_ = h.Close()
	})
	equal(t, "name", Parked{}.String(), "parked")
}
