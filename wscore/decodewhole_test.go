package wscore

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// fromClient is a masked frame with that first byte.
func fromClient(first byte, payload []byte) []byte {
	h := Header{Fin: first&0x80 != 0, RSV: first & 0x70, Opcode: Opcode(first & 0x0F), Masked: true, Key: 0x03090107, Length: uint64(len(payload))}
	frame := make([]byte, h.Size(), h.Size()+len(payload))
	h.Put(frame)
	frame = append(frame, payload...)
	Mask(frame[h.Size():], h.Key)
	return frame
}

func serverDecoder(t *testing.T) *Decoder {
	t.Helper()
	d, err := NewDecoder(Server, new(Lifecycle), &Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

func TestDecodeWholeIsDecodeForWholeFrames(t *testing.T) {
	for _, first := range []byte{0x81, 0x82} {
		for _, length := range []int{0, 1, 2, 125, 126, 127, 1000, 65535} {
			t.Run(fmt.Sprintf("%#x, %d bytes", first, length), func(t *testing.T) {
				payload := bytes.Repeat([]byte("a"), length)
				wire := append(fromClient(first, payload), fromClient(0x82, []byte("behind"))...)
				event, used, err := serverDecoder(t).Decode(slices.Clone(wire))
				if err != nil {
					t.Fatal(err)
				}
				d := serverDecoder(t)
				p := slices.Clone(wire)
				opcode, at, end := d.DecodeWhole(p, 65535)
				if opcode != event.Opcode || end != used || !bytes.Equal(p[at:end], event.Payload) || !bytes.Equal(p[at:end], payload) {
					t.Errorf("%v at %d to %d, want %v to %d", opcode, at, end, event.Opcode, used)
				}
				if opcode, at, end = d.DecodeWhole(p[end:], 65535); opcode != OpBinary || end-at != 6 {
					t.Errorf("the frame behind: %v at %d to %d", opcode, at, end)
				}
			})
		}
	}
}

func TestDecodeWholeLeavesEverythingElseToDecode(t *testing.T) {
	text := []byte("a text")
	for name, wire := range map[string][]byte{
		"nothing":                   nil,
		"half a header":             fromClient(0x82, text)[:5],
		"a ping":                    fromClient(0x89, text),
		"a close":                   fromClient(0x88, []byte{3, 0xE8}),
		"a first fragment":          fromClient(0x01, text),
		"a continuation":            fromClient(0x80, text),
		"a compressed message":      fromClient(0xC1, text),
		"a reserved bit":            fromClient(0xA2, text),
		"a reserved opcode":         fromClient(0x83, text),
		"no mask":                   append([]byte{0x82, 6}, text...),
		"a length in 64 bits":       fromClient(0x82, make([]byte, 65536)),
		"a length in too many":      append([]byte{0x82, 0xFE, 0, 6, 0, 0, 0, 0}, text...),
		"more than is asked for":    fromClient(0x82, make([]byte, 1001)),
		"text that is not all here": fromClient(0x81, text)[:9],
	} {
		t.Run(name, func(t *testing.T) {
			d := serverDecoder(t)
			p := slices.Clone(wire)
			if _, _, end := d.DecodeWhole(p, 1000); end != 0 || !bytes.Equal(p, wire) {
				t.Errorf("taken up to %d, or changed", end)
			}
			want, wantUsed, wantErr := serverDecoder(t).Decode(slices.Clone(wire))
			event, used, err := d.Decode(p)
			if used != wantUsed || err != wantErr || event.Kind != want.Kind || !bytes.Equal(event.Payload, want.Payload) {
				t.Errorf("then %+v, %d, %v, want %+v, %d, %v", event, used, err, want, wantUsed, wantErr)
			}
		})
	}
	t.Run("the second part of a message", func(t *testing.T) {
		d := serverDecoder(t)
		if _, _, err := d.Decode(fromClient(0x01, text)); err != nil {
			t.Fatal(err)
		}
		if _, _, end := d.DecodeWhole(fromClient(0x82, text), 1000); end != 0 {
			t.Errorf("an interruption was taken up to %d", end)
		}
	})
	t.Run("a client's decoder", func(t *testing.T) {
		d, err := NewDecoder(Client, new(Lifecycle), &Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, end := d.DecodeWhole(fromClient(0x82, text), 1000); end != 0 {
			t.Errorf("taken up to %d", end)
		}
	})
}

func TestDecodeWholeWaitsForTheRestOfABinaryFrame(t *testing.T) {
	wire := fromClient(0x82, []byte("a binary message"))
	d := serverDecoder(t)
	p := slices.Clone(wire[:10])
	opcode, at, end := d.DecodeWhole(p, 1000)
	if opcode != OpBinary || at != 6 || end != len(wire) || !bytes.Equal(p, wire[:10]) {
		t.Errorf("%v at %d to %d", opcode, at, end)
	}
	p = slices.Clone(wire)
	if _, at, end = d.DecodeWhole(p, 1000); string(p[at:end]) != "a binary message" {
		t.Errorf("%q", p[at:end])
	}
}

func TestDecodeWholeNotesTextThatIsNotUTF8(t *testing.T) {
	d := serverDecoder(t)
	p := fromClient(0x81, []byte("bad \xFF byte"))
	if _, _, end := d.DecodeWhole(p, 1000); end != 0 {
		t.Errorf("taken up to %d", end)
	}
	if _, _, err := d.Decode(p); !errors.Is(err, ErrInvalidText) {
		t.Errorf("then %v", err)
	}
	if _, _, end := d.DecodeWhole(fromClient(0x82, nil), 1000); end != 0 {
		t.Error("something is taken after a failure")
	}
}
