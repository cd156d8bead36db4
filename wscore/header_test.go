package wscore

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

func TestHeaderIsWrittenAndReadAsTheRFCDrawsIt(t *testing.T) {
	for _, test := range []struct {
		name   string
		header Header
		wire   []byte
	}{
		{"empty text", Header{Fin: true, Opcode: OpText}, []byte{0x81, 0x00}},
		{"first fragment", Header{Opcode: OpBinary, Length: 1}, []byte{0x02, 0x01}},
		{"last fragment", Header{Fin: true, Opcode: OpContinuation, Length: 2}, []byte{0x80, 0x02}},
		{"longest 7-bit length", Header{Fin: true, Opcode: OpPing, Length: 125}, []byte{0x89, 125}},
		{"shortest 16-bit length", Header{Fin: true, Opcode: OpText, Length: 126}, []byte{0x81, 126, 0, 126}},
		{"longest 16-bit length", Header{Fin: true, Opcode: OpText, Length: 65535}, []byte{0x81, 126, 0xFF, 0xFF}},
		{"shortest 64-bit length", Header{Fin: true, Opcode: OpText, Length: 65536}, []byte{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
		{"longest 64-bit length", Header{Fin: true, Opcode: OpText, Length: math.MaxInt64}, []byte{0x81, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}},
		{"key in network order", Header{Fin: true, Opcode: OpText, Masked: true, Key: 0x04030201, Length: 5}, []byte{0x81, 0x85, 1, 2, 3, 4}},
		{"key after 16-bit length", Header{Fin: true, Opcode: OpText, Masked: true, Key: 0x04030201, Length: 256}, []byte{0x81, 0xFE, 1, 0, 1, 2, 3, 4}},
		{"longest header", Header{Fin: true, Opcode: OpText, Masked: true, Key: 0x04030201, Length: 1 << 32}, []byte{0x81, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}},
		{"reserved bits", Header{RSV: RSV1 | RSV2 | RSV3, Opcode: OpText}, []byte{0x71, 0x00}},
		{"reserved opcode", Header{Fin: true, Opcode: 0xF}, []byte{0x8F, 0x00}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.header.Append([]byte("x")); !bytes.Equal(got[1:], test.wire) || got[0] != 'x' {
				t.Errorf("Append gave % x, want % x", got[1:], test.wire)
			}
			if got := test.header.Size(); got != len(test.wire) {
				t.Errorf("Size is %d, want %d", got, len(test.wire))
			}
			got, size, err := ParseHeader(append(bytes.Clone(test.wire), 0xAA))
			if got != test.header || size != len(test.wire) || err != nil {
				t.Errorf("ParseHeader gave %+v, %d, %v", got, size, err)
			}
			for cut := range test.wire {
				if got, size, err := ParseHeader(test.wire[:cut]); got != (Header{}) || size != 0 || err != nil {
					t.Errorf("the first %d bytes gave %+v, %d, %v", cut, got, size, err)
				}
			}
			if len(test.wire) > MaxHeaderSize {
				t.Errorf("%d bytes are more than MaxHeaderSize", len(test.wire))
			}
		})
	}
}

// A length is refused at the first byte that shows it to be wrong, whatever
// follows.
func TestHeaderRefusesBadLengthsAtTheEarliestByte(t *testing.T) {
	for _, test := range []struct {
		name string
		wire []byte
		at   int // bytes after which the failure is certain
		want error
	}{
		{"16 bits for 0", []byte{0x82, 126, 0, 0}, 4, ErrLengthNotMinimal},
		{"16 bits for 125", []byte{0x82, 126, 0, 125}, 4, ErrLengthNotMinimal},
		{"16 bits for 125, masked", []byte{0x82, 0xFE, 0, 125, 1, 2, 3, 4}, 4, ErrLengthNotMinimal},
		{"64 bits for 0", []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0, 0}, 8, ErrLengthNotMinimal},
		{"64 bits for 65535", []byte{0x82, 127, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, 8, ErrLengthNotMinimal},
		{"top bit of 64", []byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, 3, ErrLengthTopBit},
		{"all bits of 64, masked", []byte{0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4}, 3, ErrLengthTopBit},
	} {
		t.Run(test.name, func(t *testing.T) {
			for cut := range len(test.wire) + 1 {
				header, size, err := ParseHeader(test.wire[:cut])
				var want error
				if cut >= test.at {
					want = test.want
				}
				if header != (Header{}) || size != 0 || !errors.Is(err, want) {
					t.Errorf("%d bytes gave %+v, %d, %v; want error %v", cut, header, size, err, want)
				}
			}
		})
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add([]byte{0x81, 0x85, 1, 2, 3, 4, 5})
	f.Add([]byte{0x82, 126, 0, 126})
	f.Add([]byte{0x82, 126, 0, 125})
	f.Add([]byte{0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4})
	f.Add([]byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, p []byte) {
		header, size, err := ParseHeader(p)
		if size == 0 || err != nil {
			if header != (Header{}) || size != 0 {
				t.Fatalf("no header, but %+v, %d", header, size)
			}
			for cut := range p { // more bytes never turn a failure into a header
				if _, size, early := ParseHeader(p[:cut]); size != 0 || early != nil && !errors.Is(err, early) {
					t.Fatalf("%d bytes gave %d, %v; all gave %v", cut, size, early, err)
				}
			}
			return
		}
		if size > MaxHeaderSize || size != header.Size() {
			t.Fatalf("header of %d bytes says it has %d", size, header.Size())
		}
		var again [MaxHeaderSize]byte
		if n := header.Put(again[:]); !bytes.Equal(again[:n], p[:size]) {
			t.Fatalf("% x was written as % x", p[:size], again[:n])
		}
	})
}

func BenchmarkHeader(b *testing.B) {
	for _, length := range []uint64{16, 1 << 10, 1 << 20} {
		header := Header{Fin: true, Opcode: OpBinary, Masked: true, Key: 0x04030201, Length: length}
		var wire [MaxHeaderSize]byte
		b.Run("put/"+sizeName(int(length)), func(b *testing.B) {
			for b.Loop() {
				header.Put(wire[:])
			}
		})
		b.Run("parse/"+sizeName(int(length)), func(b *testing.B) {
			size := header.Put(wire[:])
			for b.Loop() {
				if _, n, _ := ParseHeader(wire[:]); n != size {
					b.Fatal(n)
				}
			}
		})
	}
}
