package split

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"testing"
)

// Messages that fill their buffer class and hardly shrink: the compressor may
// want more room than there is on its way to a result that fits.
func TestCompressedMessagesThatHardlyShrinkAreWhole(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	pool := NewPool(nil)
	near := 0
	for _, size := range []int{256, 1 << 10, 4 << 10} {
		for alphabet := 40; alphabet <= 256; alphabet++ {
			for range 20 {
				payload := make([]byte, size)
				for i := range payload {
					payload[i] = byte(random.IntN(alphabet))
				}
				message := pool.Binary(payload)
				compressed := compress(message, 1, 15, nil)
				message.Release()
				if compressed == nil {
					continue
				}
				if compressed.Len() > size-32 {
					near++
				}
				tail := bytes.NewReader([]byte{0, 0, 0xFF, 0xFF, 1, 0, 0, 0xFF, 0xFF})
				got, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(compressed.Payload()), tail)))
				if err != nil || !bytes.Equal(got, payload) {
					t.Fatalf("%d bytes of %d values became %d bytes that do not inflate to them: %v", size, alphabet, compressed.Len(), err)
				}
				compressed.Release()
			}
		}
	}
	if near < 100 {
		t.Errorf("only %d messages were near enough", near)
	}
	equal(t, "buffers in use", pool.InUse(), 0)
}
