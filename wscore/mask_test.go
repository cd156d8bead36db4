package wscore

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"testing"
)

// maskByDefinition is RFC 6455 section 5.3 word for word:
// transformed-octet-i = original-octet-i XOR masking-key-octet-(i MOD 4).
func maskByDefinition(p []byte, key uint32) {
	for i := range p {
		p[i] ^= byte(key >> (8 * (i % 4)))
	}
}

func TestMaskOfTheRFCsExample(t *testing.T) {
	p := []byte{0x7F, 0x9F, 0x4D, 0x51, 0x58} // RFC 6455 section 5.7
	Mask(p, binary.LittleEndian.Uint32([]byte{0x37, 0xFA, 0x21, 0x3D}))
	if string(p) != "Hello" {
		t.Errorf("unmasked to %q", p)
	}
}

func TestMaskFitsTheDefinitionAtEveryLengthAndOffset(t *testing.T) {
	const key = 0xD4C3B2A1
	for _, way := range []struct {
		name string
		mask func(p []byte, key uint32) uint32
	}{
		{"Mask", Mask},
		{"words alone", func(p []byte, key uint32) uint32 {
			maskWords(p, key)
			return bits.RotateLeft32(key, -8*(len(p)%4))
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			memory := make([]byte, 40+520)
			for offset := range 40 { // every place within a vector of 32 bytes
				for _, length := range append(lengthsTo(300), 383, 384, 385, 511, 512, 513) {
					for i := range memory {
						memory[i] = byte(i * 7)
					}
					want := bytes.Clone(memory)
					maskByDefinition(want[offset:offset+length], key)
					next := way.mask(memory[offset:offset+length], key)
					if !bytes.Equal(memory, want) {
						t.Fatalf("offset %d, length %d differs", offset, length)
					}
					if turned := bits.RotateLeft32(key, -8*(length%4)); next != turned {
						t.Fatalf("length %d turned the key to %08x, want %08x", length, next, turned)
					}
				}
			}
		})
	}
}

func lengthsTo(most int) []int {
	lengths := make([]int, most+1)
	for i := range lengths {
		lengths[i] = i
	}
	return lengths
}

func FuzzMask(f *testing.F) {
	f.Add([]byte("Hello"), uint32(0x3D21FA37), uint8(0), uint16(2), uint16(3))
	f.Add(bytes.Repeat([]byte{0xA5}, 200), uint32(1), uint8(3), uint16(65), uint16(7))
	f.Add(bytes.Repeat([]byte{0x5A}, 1000), uint32(0x01020304), uint8(5), uint16(129), uint16(640))
	f.Fuzz(func(t *testing.T, data []byte, key uint32, offset uint8, first, second uint16) {
		memory := append(make([]byte, offset%16), data...)
		p := memory[offset%16:]
		want := bytes.Clone(p)
		maskByDefinition(want, key)

		a := int(first) % (len(p) + 1)
		b := a + int(second)%(len(p)-a+1)
		end := Mask(p[b:], Mask(p[a:b], Mask(p[:a], key)))
		if !bytes.Equal(p, want) {
			t.Fatalf("pieces %d, %d, %d give % x, want % x", a, b-a, len(p)-b, p, want)
		}
		whole := bytes.Clone(data)
		if Mask(whole, key) != end || !bytes.Equal(whole, want) {
			t.Fatal("the whole and its pieces differ")
		}
		if Mask(whole, key); !bytes.Equal(whole, data) {
			t.Fatal("masking twice does not restore")
		}
		if !bytes.Equal(memory[:offset%16], make([]byte, offset%16)) {
			t.Fatal("bytes before the payload were changed")
		}
	})
}

func BenchmarkMask(b *testing.B) {
	const key = 0x3D21FA37
	for _, size := range []int{16, 64, 128, 1 << 10, 64 << 10} {
		p, from := make([]byte, size), make([]byte, size)
		for _, way := range []struct {
			name string
			run  func()
		}{
			{"Mask", func() { Mask(p, key) }},
			{"copy", func() { copy(p, from) }},
			{"words", func() { maskWords(p, key) }},
			{"byte by byte", func() { maskByDefinition(p, key) }},
		} {
			b.Run(way.name+"/"+sizeName(size), func(b *testing.B) {
				b.SetBytes(int64(size))
				for b.Loop() {
					way.run()
				}
			})
		}
	}
}

// sizeName writes a number of bytes as benchmark names have it.
func sizeName(bytes int) string {
	switch {
	case bytes >= 1<<20:
		return strconv.Itoa(bytes>>20) + "MiB"
	case bytes >= 1<<10:
		return strconv.Itoa(bytes>>10) + "KiB"
	}
	return strconv.Itoa(bytes) + "B"
}
