package wscore

import (
	"strings"
	"testing"
)

// A server's echo without a kernel: masked frames come from memory, and what
// is sent is only counted.
func BenchmarkEchoServer(b *testing.B) {
	for _, kind := range []struct {
		name string
		make byte
	}{{"binary", finBinary}, {"text", finText}} {
		for _, size := range []int{128, 1 << 10, 64 << 10, 1 << 20} {
			b.Run(kind.name+"/"+sizeName(size), func(b *testing.B) {
				stream := &wheel{frames: frame(Client, kind.make, strings.Repeat("x", size))}
				c := newTestConn(b, stream, Server, Buffers{make([]byte, 4096), make([]byte, 4096), make([]byte, size)}, Options{})
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					m, err := c.Next()
					if err != nil {
						b.Fatal(err)
					}
					if err := c.Send(m); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
