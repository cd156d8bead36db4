package codec

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"github.com/gobwas/ws/wsflate"
	klauspost "github.com/klauspost/compress/flate"

	"github.com/tandem-ws/tandem/wscore"
)

func newStandardCompressor(w io.Writer) wsflate.Compressor {
	c, err := flate.NewWriter(w, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return c
}

func newStandardDecompressor(r io.Reader) wsflate.Decompressor { return flate.NewReader(r) }

// compressor is what both libraries' writers have in common.
type compressor interface {
	io.Writer
	Flush() error
	Reset(w io.Writer)
}

func compressWith(b *testing.B, w compressor, payload []byte) {
	var out bytes.Buffer
	for b.Loop() {
		out.Reset()
		w.Reset(&out)
		_, _ = w.Write(payload) // a bytes.Buffer takes everything
		if err := w.Flush(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(out.Len()-len(tail)), "compressed-B")
}

// CompressContenders compress one payload, with reused writers as the libraries
// use them.
func CompressContenders(payload []byte) []Contender {
	return []Contender{
		{Tandem, func(b *testing.B) {
			z := wscore.NewDeflater(1)
			var out []byte
			for b.Loop() {
				var ok bool
				if out, ok = z.Append(out[:0], payload, nil, 15); !ok {
					b.Fatal("not compressed")
				}
			}
			b.ReportMetric(float64(len(out)), "compressed-B")
		}},
		{"compress/flate (gorilla, coder, gobwas)", func(b *testing.B) {
			w, err := flate.NewWriter(nil, flate.BestSpeed)
			if err != nil {
				b.Fatal(err)
			}
			compressWith(b, w, payload)
		}},
		{"klauspost flate (gws)", func(b *testing.B) {
			w, err := klauspost.NewWriter(nil, klauspost.BestSpeed)
			if err != nil {
				b.Fatal(err)
			}
			compressWith(b, w, payload)
		}},
	}
}

// InflateContenders inflate what [Deflated] made of one payload.
func InflateContenders(payload []byte) []Contender {
	packed := Deflated(payload)
	read := func(b *testing.B, r io.Reader, reset func(io.Reader) error) {
		var source, end = bytes.NewReader(nil), strings.NewReader("")
		// A last empty block makes the reader end with EOF instead of an error.
		const close = tail + "\x01\x00\x00\xff\xff"
		out := make([]byte, len(payload)+1)
		for b.Loop() {
			source.Reset(packed)
			end.Reset(close)
			if err := reset(&twoReaders{source, end}); err != nil {
				b.Fatal(err)
			}
			if n, err := io.ReadFull(r, out); err != io.ErrUnexpectedEOF || n != len(payload) {
				b.Fatal(n, err)
			}
		}
	}
	return []Contender{
		{Tandem, func(b *testing.B) {
			var z wscore.Inflater
			out := make([]byte, len(payload)+64)
			for b.Loop() {
				z.Reset()
				used, _, _ := z.Inflate(out, 0, packed, nil)
				used, _, status := z.Inflate(out, used, []byte(tail), nil)
				if status != wscore.InflateNeedInput || used != len(payload) {
					b.Fatal(used, status)
				}
			}
		}},
		{"compress/flate (gorilla, coder, gobwas)", func(b *testing.B) {
			r := flate.NewReader(strings.NewReader(""))
			read(b, r, func(s io.Reader) error { return r.(flate.Resetter).Reset(s, nil) })
		}},
		{"klauspost flate (gws)", func(b *testing.B) {
			r := klauspost.NewReader(strings.NewReader(""))
			read(b, r, func(s io.Reader) error { return r.(klauspost.Resetter).Reset(s, nil) })
		}},
	}
}

// twoReaders reads one after the other, byte by byte where asked, without
// allocating.
type twoReaders struct {
	first  *bytes.Reader
	second *strings.Reader
}

// Read reads the second once the first is empty.
func (t *twoReaders) Read(p []byte) (int, error) {
	if t.first.Len() > 0 {
		return t.first.Read(p)
	}
	return t.second.Read(p)
}

// ReadByte is Read for one byte.
func (t *twoReaders) ReadByte() (byte, error) {
	if t.first.Len() > 0 {
		return t.first.ReadByte()
	}
	return t.second.ReadByte()
}
