package wscore

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

var deflateTail = []byte{0, 0, 0xFF, 0xFF}

// inflateAll inflates a message with the given sizes of input pieces and room.
func inflateAll(t testing.TB, z *Inflater, compressed, dictionary []byte, piece, room, limit int) ([]byte, InflateStatus) {
	t.Helper()
	z.Reset()
	out, used := make([]byte, min(room, limit)), 0
	rest := compressed
	for {
		source := rest[:min(piece, len(rest))]
		n, taken, status := z.Inflate(out, used, source, dictionary)
		used, rest = n, rest[taken:]
		switch status {
		case InflateCorrupt:
			return out[:used], status
		case InflateNeedRoom:
			if len(out) == limit {
				return out[:used], status
			}
			out = append(out, make([]byte, min(room, limit-len(out)))...)
		case InflateNeedInput:
			if len(rest) == 0 {
				return out[:used], status
			}
		}
	}
}

func deflateStd(t testing.TB, payload, dictionary []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriterDict(&b, level, dictionary)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write(payload)
	_ = w.Flush()
	return b.Bytes()
}

func samples() map[string][]byte {
	noise := make([]byte, 70_000)
	source := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(source.Uint32())
	}
	skewed := make([]byte, 100_000)
	for i := range skewed {
		skewed[i] = byte(source.ExpFloat64() * 12)
	}
	return map[string][]byte{
		"empty": nil, "one byte": {'x'}, "zeros": make([]byte, 200_000), "noise": noise, "skewed": skewed,
		"json": []byte(strings.Repeat(`{"user":"ann","text":"hello there","at":"2026-01-02T03:04:05Z","n":12345},`, 300)),
	}
}

func TestInflateReadsWhatTheStandardLibraryWrites(t *testing.T) {
	var z Inflater
	for name, payload := range samples() {
		for level := flate.HuffmanOnly; level <= flate.BestCompression; level++ {
			compressed := deflateStd(t, payload, nil, level)
			for _, sizes := range [][2]int{{1 << 30, 1 << 20}, {1, 1 << 20}, {7, 1000}, {1 << 30, 1}, {13, 258}} {
				if len(payload) > 10_000 && min(sizes[0], sizes[1]) == 1 && level != 1 {
					continue // slow and no different
				}
				got, status := inflateAll(t, &z, compressed, nil, sizes[0], sizes[1], 1<<20)
				if status != InflateNeedInput || !z.AtBoundary() || !bytes.Equal(got, payload) {
					t.Fatalf("%s, level %d, pieces %v: %d bytes of %d, status %d, boundary %v", name, level, sizes, len(got), len(payload), status, z.AtBoundary())
				}
			}
		}
	}
}

func TestInflateRefersBackIntoTheDictionary(t *testing.T) {
	payload := samples()["json"]
	dictionary := payload[:5000]
	compressed := deflateStd(t, payload[2500:9000], dictionary, 6)
	var z Inflater
	for _, room := range []int{1, 100, 10_000} {
		got, status := inflateAll(t, &z, compressed, dictionary, 11, room, 1<<20)
		if status != InflateNeedInput || !bytes.Equal(got, payload[2500:9000]) {
			t.Fatalf("room %d: status %d, %d bytes", room, status, len(got))
		}
	}
	if _, status := inflateAll(t, &z, compressed, nil, 1<<20, 1<<20, 1<<20); status != InflateCorrupt {
		t.Errorf("a reference before the beginning: status %d", status)
	}
}

// RFC 7692 section 7.2.3.4: a block marked as the last does not end the stream.
func TestInflateGoesOnAfterAFinalBlock(t *testing.T) {
	var z Inflater
	message := append([]byte{0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00}, deflateTail...)
	got, status := inflateAll(t, &z, message, nil, 1, 100, 100)
	if status != InflateNeedInput || string(got) != "Hello" || !z.AtBoundary() {
		t.Errorf("%q, status %d, boundary %v", got, status, z.AtBoundary())
	}
}

func TestInflateRefusesWhatIsNotDeflate(t *testing.T) {
	var z Inflater
	for name, source := range map[string][]byte{
		"block type 3":               {0x07},
		"stored length check":        {0x00, 1, 0, 0, 0},
		"distance before the start":  {0x4B, 0x04, 0x72, 0x00},
		"too many length codes":      {0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},
		"repeat of nothing":          {0x05, 0xC0, 0x81, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0xFF, 0x6B, 0x1F},
		"length symbol out of range": {0x1A, 0x03},
	} {
		_, status := inflateAll(t, &z, append(source, make([]byte, 16)...), nil, 1<<20, 1000, 1<<16)
		_, err := io.ReadAll(flate.NewReader(bytes.NewReader(append(source, make([]byte, 16)...))))
		if _, corrupt := err.(flate.CorruptInputError); corrupt != (status == InflateCorrupt) {
			t.Errorf("%s: status %d, the standard library says %v", name, status, err)
		}
	}
}

func FuzzInflate(f *testing.F) {
	for _, payload := range samples() {
		f.Add(deflateStd(f, payload[:min(len(payload), 2000)], nil, 6), 3, 17)
	}
	f.Add([]byte{0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00, 0, 0, 0xFF, 0xFF}, 1, 1)
	f.Fuzz(func(t *testing.T, compressed []byte, piece, room int) {
		const limit = 1 << 18
		piece, room = max(1, piece&0xFFF), max(1, room&0xFFFF)
		var z Inflater
		got, status := inflateAll(t, &z, compressed, nil, piece, room, limit)
		whole, wholeStatus := inflateAll(t, &z, compressed, nil, 1<<30, limit, limit)
		if status != wholeStatus || !bytes.Equal(got, whole) {
			t.Fatalf("in pieces: %d bytes, status %d; whole: %d bytes, status %d", len(got), status, len(whole), wholeStatus)
		}
		// Up to the first final block the standard library reads the same. It
		// lets a block without an end-of-block code begin, which cannot end.
		want, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(compressed)), limit))
		n := min(len(want), len(whole))
		if !bytes.Equal(want[:n], whole[:n]) || err == nil && len(whole) < len(want) {
			t.Fatalf("the standard library reads %d bytes that differ from our %d (%v)", len(want), len(whole), err)
		}
		if _, corrupt := err.(flate.CorruptInputError); corrupt && status == InflateNeedInput && z.AtBoundary() {
			t.Fatalf("accepted what the standard library calls corrupt: %v", err)
		}
	})
}

func BenchmarkInflate(b *testing.B) {
	payload := samples()["json"][:1024]
	compressed := append(deflateStd(b, payload, nil, 1), deflateTail...)
	b.Run("tandem", func(b *testing.B) {
		var z Inflater
		out := make([]byte, 4096)
		b.SetBytes(1024)
		b.ReportAllocs()
		for b.Loop() {
			z.Reset()
			if n, _, _ := z.Inflate(out, 0, compressed, nil); n != 1024 {
				b.Fatal(n)
			}
		}
	})
	b.Run("compress/flate", func(b *testing.B) {
		out := make([]byte, 4096)
		source := bytes.NewReader(compressed)
		r := flate.NewReader(source)
		b.SetBytes(1024)
		b.ReportAllocs()
		for b.Loop() {
			source.Reset(compressed)
			_ = r.(flate.Resetter).Reset(source, nil)
			if n, _ := io.ReadFull(r, out[:1024]); n != 1024 {
				b.Fatal(n)
			}
		}
	})
}
