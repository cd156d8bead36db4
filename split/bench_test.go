package split

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// plainConfig is a config without an observer that allocates.
func plainConfig(t testing.TB) *Config {
	t.Helper()
	config, err := Config{Pool: NewPool(nil)}.WithDefaults()
	must(t, err)
	return &config
}

// wheel is a source on which the same bytes arrive for ever, at most so many
// in one read.
type wheel struct {
	bytes string
	at    int
	most  int
}

func (w *wheel) Read(p []byte) (int, error) {
	if len(p) > w.most {
		p = p[:w.most]
	}
	n := copy(p, w.bytes[w.at:])
	if w.at += n; w.at == len(w.bytes) {
		w.at = 0
	}
	return n, nil
}

// next reads until a message is there and releases it.
func next(t testing.TB, r *Reader, source io.Reader) {
	for {
		event, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		switch event.Kind {
		case Message:
			event.Buffer.Release()
			return
		case NeedMore:
			r.Rest()
			if err := r.Fill(source); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// sink is a transport that takes everything.
type sink struct{ Transport }

func (s sink) TryWrite(buffers *net.Buffers) (int64, error) { return s.Write(buffers, 0) }

func (sink) Write(buffers *net.Buffers, _ time.Duration) (n int64, _ error) {
	for _, b := range *buffers {
		n += int64(len(b))
	}
	return n, nil
}

// benchPair makes halves whose writer's bytes go nowhere.
func benchPair(b *testing.B, role wscore.Role) (*Reader, *Writer, *Config) {
	config := plainConfig(b)
	r, w, err := New(role, config, wscore.DeflateParams{})
	must(b, err)
	w.Bind(sink{})
	return r, w, config
}

// One message through a mailbox and out, alone and with others in its batch.
func BenchmarkPushAndFlush(b *testing.B) {
	for _, batch := range []int{1, 16} {
		for _, size := range []int{128, 16 << 10} {
			b.Run(fmt.Sprintf("batch=%d/size=%d", batch, size), func(b *testing.B) {
				_, w, config := benchPair(b, wscore.Server)
				message := config.Pool.Binary(make([]byte, size))
				message.Prepare()
				b.SetBytes(int64(size))
				b.ReportAllocs()
				waiting := 0
				for b.Loop() {
					if _, err := w.Send(message.Retain()); err != nil {
						b.Fatal(err)
					}
					if waiting++; waiting == batch {
						waiting = 0
						if _, err := w.Flush(); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}

// One masked message off the wire, many of them in each read.
func BenchmarkReader(b *testing.B) {
	for _, size := range []int{128, 16 << 10} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			r, _, _ := benchPair(b, wscore.Server)
			source := &wheel{bytes: clientFrames(binaryFrame(pattern(size))), most: 1 << 20}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				next(b, r, source)
			}
		})
	}
}
