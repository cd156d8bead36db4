package rawpeer

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// The octets are the examples of RFC 6455 section 5.7 and headers written by
// hand from section 5.2.
func TestAppendFrameWritesTheOctetsOfTheRFC(t *testing.T) {
	key := [4]byte{0x37, 0xfa, 0x21, 0x3d}
	for _, c := range []struct {
		name  string
		frame Frame
		lie   Lie
		want  string
	}{
		{"unmasked text", Frame{Fin: true, Opcode: OpText, Payload: []byte("Hello")}, Lie{}, "810548656c6c6f"},
		{"masked text", Frame{Fin: true, Opcode: OpText, Masked: true, Key: key, Payload: []byte("Hello")}, Lie{}, "818537fa213d7f9f4d5158"},
		{"first fragment", Frame{Opcode: OpText, Payload: []byte("Hel")}, Lie{}, "010348656c"},
		{"last fragment", Frame{Fin: true, Opcode: OpContinuation, Payload: []byte("lo")}, Lie{}, "80026c6f"},
		{"reserved bits", Frame{Fin: true, RSV: RSV1 | RSV3, Opcode: OpPing}, Lie{}, "d900"},
		{"7-bit maximum", Frame{Fin: true, Opcode: OpBinary, Payload: make([]byte, 125)}, Lie{}, "827d" + strings.Repeat("00", 125)},
		{"16-bit minimum", Frame{Fin: true, Opcode: OpBinary, Payload: make([]byte, 126)}, Lie{}, "827e007e" + strings.Repeat("00", 126)},
		{"16-bit form of a short length", Frame{Fin: true, Opcode: OpText, Payload: []byte("a")}, Lie{Form: Form16}, "817e000161"},
		{"64-bit form of a short length", Frame{Fin: true, Opcode: OpText, Payload: []byte("a")}, Lie{Form: Form64}, "817f000000000000000161"},
		{"top bit of a 64-bit length", Frame{Fin: true, Opcode: OpBinary}, Lie{Declare: true, Length: 1 << 63}, "827f8000000000000000"},
		{"declared length without payload", Frame{Fin: true, Opcode: OpBinary}, Lie{Declare: true, Length: 300}, "827e012c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := hex.EncodeToString(AppendFrameLying(nil, c.frame, c.lie)); got != c.want {
				t.Fatalf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestAppendFrameChoosesTheShortestLengthForm(t *testing.T) {
	for length, header := range map[int]int{0: 2, 125: 2, 126: 4, 65535: 4, 65536: 10} {
		encoded := AppendFrame(nil, Frame{Fin: true, Opcode: OpBinary, Payload: make([]byte, length)})
		if len(encoded) != header+length {
			t.Errorf("length %d: header takes %d octets, want %d", length, len(encoded)-length, header)
		}
	}
}

func TestMaskIsItsOwnInverseAtEveryLength(t *testing.T) {
	key := [4]byte{1, 2, 3, 4}
	for length := range 40 {
		plain := bytes.Repeat([]byte{0xA5}, length)
		b := bytes.Clone(plain)
		mask(b, key)
		for i := range b {
			if b[i] != plain[i]^key[i%4] {
				t.Fatalf("length %d: octet %d is %#x", length, i, b[i])
			}
		}
		mask(b, key)
		if !bytes.Equal(b, plain) {
			t.Fatalf("length %d: masking twice changed the payload", length)
		}
	}
}
