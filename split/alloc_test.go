//go:build !race

package split

import (
	"io"
	"net"
	"strconv"
	"testing"

	"github.com/tandem-ws/tandem/wscore"
)

// The race detector makes pools forget at random, so exact counts are taken
// without it.

// noAllocations fails if run allocates, once it has warmed up.
func noAllocations(t *testing.T, run func()) {
	t.Helper()
	for range 10 {
		run()
	}
	if n := testing.AllocsPerRun(200, run); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

var messageSizes = []int{128, 1 << 10, 4 << 10, 16 << 10, 64 << 10}

func TestReaderAllocatesNothing(t *testing.T) {
	for _, size := range messageSizes {
		for _, most := range []int{1000, 1 << 20} {
			t.Run(strconv.Itoa(size)+" in reads of "+strconv.Itoa(most), func(t *testing.T) {
				r, _, err := New(wscore.Server, plainConfig(t), wscore.DeflateParams{})
				must(t, err)
				source := &wheel{bytes: clientFrames(binaryFrame(pattern(size)), begin(1, pattern7(size)), pingless, last("end")), most: most}
				noAllocations(t, func() { next(t, r, source) })
			})
		}
	}
}

// pingless is a control frame that needs no answer; each answer in the control
// lane is an allocation.
var pingless = pongFrame("nobody asked")

func TestWriterAllocatesNothing(t *testing.T) {
	for _, role := range []wscore.Role{wscore.Server, wscore.Client} {
		for _, size := range messageSizes {
			for _, together := range []int{1, keptQueue} {
				t.Run(role.String()+" "+strconv.Itoa(together)+" of "+strconv.Itoa(size), func(t *testing.T) {
					config := plainConfig(t)
					_, w, err := New(role, config, wscore.DeflateParams{})
					must(t, err)
					w.Bind(sink{})
					payload := []byte(pattern(size))
					noAllocations(t, func() {
						for range together {
							if _, err := w.Send(config.Pool.Binary(payload)); err != nil {
								t.Fatal(err)
							}
						}
						if _, err := w.Flush(); err != nil {
							t.Fatal(err)
						}
					})
				})
			}
		}
	}
}

func TestTryFlushAllocatesNothing(t *testing.T) {
	for _, role := range []wscore.Role{wscore.Server, wscore.Client} {
		config := plainConfig(t)
		_, w, err := New(role, config, wscore.DeflateParams{})
		must(t, err)
		w.Bind(sink{})
		payload := []byte(pattern(128))
		noAllocations(t, func() {
			for _, send := range []func(*Buffer) (bool, error){w.Send, w.TrySend} {
				if _, err := send(config.Pool.Binary(payload)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := w.TryFlush(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestReplacingAMessageAllocatesNothing(t *testing.T) {
	config, err := Config{Pool: NewPool(nil), Mailbox: MailboxConfig{Policy: Conflate}}.WithDefaults()
	must(t, err)
	_, w, err := New(wscore.Server, &config, wscore.DeflateParams{})
	must(t, err)
	noAllocations(t, func() {
		if _, err := w.SendKeyed("key", config.Pool.Text("newest")); err != nil {
			t.Fatal(err)
		}
	})
	w.Shut()
}

func TestTryWriteAllocatesNothing(t *testing.T) {
	onEveryStream(t, func(t *testing.T, server, client net.Conn) {
		if !tried(server) {
			return
		}
		h := park(t, server, "", nil)
		defer h.Close()
		frame, got := []byte(pattern(128)), make([]byte, 128)
		vectors := make(net.Buffers, 1)
		rest := new(net.Buffers)
		noAllocations(t, func() {
			vectors[0] = frame
			*rest = vectors
			if _, err := h.TryWrite(rest); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(client, got); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func TestPreparedMessageToManyAllocatesNothing(t *testing.T) {
	config := plainConfig(t)
	var writers []*Writer
	for range 10 {
		_, w, err := New(wscore.Server, config, wscore.DeflateParams{})
		must(t, err)
		w.Bind(sink{})
		writers = append(writers, w)
	}
	noAllocations(t, func() {
		message := config.Pool.Text("to everybody")
		message.Prepare()
		for _, w := range writers {
			if _, err := w.Send(message.Retain()); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		message.Release()
	})
}

func TestSharedCompressedFormAllocatesNothingForEachWriter(t *testing.T) {
	deflate, params := agreement(false, 15)
	config, err := Config{Pool: NewPool(nil), Deflate: deflate}.WithDefaults()
	must(t, err)
	_, w, err := New(wscore.Server, &config, params)
	must(t, err)
	w.Bind(sink{})
	message := config.Pool.Text(prose(1000))
	message.Prepare()
	noAllocations(t, func() {
		if _, err := w.Send(message.Retain()); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	})
	message.Release()
}

// allocless is a handler that reads messages and counts them.
type allocless struct {
	reader *Reader
	found  chan struct{}
}

func (h *allocless) Fill(source io.Reader) error { return h.reader.Fill(source) }

func (h *allocless) Drain(err error) Verdict {
	if err != nil {
		_ = h.reader.End(err)
		return Stop
	}
	for {
		event, err := h.reader.Next()
		switch {
		case err != nil:
			return Stop
		case event.Kind == Message:
			event.Buffer.Release()
			h.found <- struct{}{}
		case event.Kind == NeedMore:
			h.reader.Rest()
			if h.reader.Unfinished() {
				return ReadMore
			}
			return Park
		}
	}
}

func TestWaitingForMessagesAllocatesNothing(t *testing.T) {
	for _, name := range []string{"tcp", "pipe"} {
		t.Run(name, func(t *testing.T) {
			server, client := streams[name](t)
			defer client.Close()
			r, _, err := New(wscore.Server, plainConfig(t), wscore.DeflateParams{})
			must(t, err)
			h := &allocless{reader: r, found: make(chan struct{})}
			transport, err := Parked{}.Attach(server, nil, h)
			must(t, err)
			defer transport.Close()
			transport.Start()
			wire := []byte(clientFrames(binaryFrame(pattern(128))))
			noAllocations(t, func() {
				if _, err := client.Write(wire); err != nil {
					t.Fatal(err)
				}
				<-h.found
			})
		})
	}
}
