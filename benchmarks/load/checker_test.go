package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
)

// frame is a server's frame.
func frame(first byte, payload []byte) []byte {
	var f []byte
	switch n := len(payload); {
	case n < 126:
		f = []byte{first, byte(n)}
	case n < 1<<16:
		f = binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(n))
	default:
		f = binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(n))
	}
	return append(f, payload...)
}

func mustTape(t *testing.T, size, window int) *Tape {
	t.Helper()
	tape, err := Plain(size, window)
	if err != nil {
		t.Fatal(err)
	}
	return tape
}

// feedPieces feeds bytes in pieces of the given length.
func feedPieces(c *checker, p []byte, piece int) (int, error) {
	total := 0
	for len(p) > 0 {
		n := min(piece, len(p))
		done, err := c.feed(p[:n])
		if total += done; err != nil {
			return total, err
		}
		p = p[n:]
	}
	return total, nil
}

func TestRepliesAreRightInAnyPieces(t *testing.T) {
	for _, size := range []int{8, 32, 125, 126, 128, 1000, 65535, 65536, 70000} {
		tape := mustTape(t, size, 4)
		var stream []byte
		const messages = 5
		for i := range messages {
			p := tape.payloads[i%tape.frames()]
			switch i {
			case 1: // in three frames, with a ping in between, and an empty one
				stream = append(stream, frame(0x02, p[:3])...)
				stream = append(stream, frame(0x89, []byte("beat"))...)
				stream = append(stream, frame(0x00, nil)...)
				stream = append(stream, frame(0x80, p[3:])...)
			default:
				stream = append(stream, frame(0x82, p)...)
			}
		}
		for _, piece := range []int{1, 2, 3, 7, 127, 4096, len(stream)} {
			c := &checker{tape: tape}
			got, err := feedPieces(c, stream, piece)
			if err != nil || got != messages {
				t.Fatalf("size %d in pieces of %d: %d messages, %v", size, piece, got, err)
			}
			if want := appendMasked(nil, 0x8A, []byte("beat"), 0); !bytes.Equal(c.pongs, want) {
				t.Fatalf("size %d in pieces of %d: pongs %x", size, piece, c.pongs)
			}
		}
	}
}

func TestWrongRepliesAreFound(t *testing.T) {
	tape := mustTape(t, 200, 4)
	p := tape.payloads
	changed := bytes.Clone(p[0])
	changed[199] ^= 1
	masked := frame(0x82, p[0])
	masked[1] |= 0x80
	for name, c := range map[string]struct {
		stream []byte
		want   error
	}{
		"one bit differs":             {frame(0x82, changed), ErrPayload},
		"another message":             {frame(0x82, p[1]), ErrPayload},
		"the same message twice":      {append(frame(0x82, p[0]), frame(0x82, p[0])...), ErrPayload},
		"too short":                   {frame(0x82, p[0][:199]), ErrLength},
		"too long":                    {frame(0x82, append(bytes.Clone(p[0]), 0)), ErrLength},
		"empty":                       {frame(0x82, nil), ErrLength},
		"masked":                      {masked, ErrFrame},
		"reserved bit":                {frame(0xC2, p[0]), ErrFrame},
		"continuation without start":  {frame(0x80, p[0]), ErrFrame},
		"start inside of a message":   {append(frame(0x02, p[0][:9]), frame(0x82, p[0])...), ErrFrame},
		"fragmented ping":             {frame(0x09, nil), ErrFrame},
		"long ping":                   {frame(0x89, p[0]), ErrFrame},
		"close":                       {frame(0x88, []byte{0x03, 0xF5}), ErrClosed},
		"close without a code":        {frame(0x88, nil), ErrClosed},
		"length with the top bit set": {[]byte{0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0}, ErrFrame},
	} {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{1, len(c.stream)} {
				if _, err := feedPieces(&checker{tape: tape}, c.stream, piece); !errors.Is(err, c.want) {
					t.Errorf("in pieces of %d: %v, want %v", piece, err, c.want)
				}
			}
		})
	}
}

func TestSubscribersJoinInTheMiddle(t *testing.T) {
	tape := mustTape(t, 64, 4)
	for _, piece := range []int{1, 5, 9, 1000} {
		c := &checker{tape: tape, free: true}
		k := tape.frames()
		stream := append(frame(0x82, tape.payloads[k-1]), frame(0x82, tape.payloads[0])...)
		if n, err := feedPieces(c, stream, piece); n != 2 || err != nil {
			t.Errorf("pieces of %d: %d messages, %v", piece, n, err)
		}
		if _, err := c.feed(frame(0x82, tape.payloads[5])); !errors.Is(err, ErrPayload) {
			t.Errorf("pieces of %d: a gap after joining is %v", piece, err)
		}
	}
}

func TestByteEchoesAreComparedAsSent(t *testing.T) {
	tape := mustTape(t, 50, 3)
	stream := bytes.Clone(tape.run(0, 3))
	for _, piece := range []int{1, 10, len(stream)} {
		if n, err := feedPieces(&checker{tape: tape, raw: true}, stream, piece); n != 3 || err != nil {
			t.Errorf("pieces of %d: %d messages, %v", piece, n, err)
		}
	}
	stream[len(stream)-1] ^= 1
	if n, err := feedPieces(&checker{tape: tape, raw: true}, stream, 64); n != 2 || !errors.Is(err, ErrPayload) {
		t.Errorf("changed byte: %d messages, %v", n, err)
	}
}

func TestCompressedRepliesMustInflateToTheText(t *testing.T) {
	tape, err := Packed(1024, 2)
	if err != nil {
		t.Fatal(err)
	}
	good, err := deflate(tape.payloads[0])
	if err != nil {
		t.Fatal(err)
	}
	other, err := deflate(tape.payloads[1])
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		stream []byte
		want   error
	}{
		"right":              {frame(0xC1, good), nil},
		"in two frames":      {append(frame(0x41, good[:10]), frame(0x80, good[10:])...), nil},
		"another text":       {frame(0xC1, other), ErrPayload},
		"broken":             {frame(0xC1, append([]byte{0xFF}, good...)), ErrPayload},
		"cut":                {frame(0xC1, good[:len(good)-20]), ErrPayload},
		"not compressed":     {frame(0x81, tape.payloads[0]), ErrNotPacked},
		"endless":            {frame(0xC1, make([]byte, 100_000)), ErrLength},
		"other reserved bit": {frame(0xE1, good), ErrFrame},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := feedPieces(&checker{tape: tape}, c.stream, 100)
			if !errors.Is(err, c.want) || (n == 1) != (c.want == nil) {
				t.Errorf("%d messages, %v, want %v", n, err, c.want)
			}
		})
	}
}

func TestATapeIsMadeOfMaskedFramesInTurn(t *testing.T) {
	for _, window := range []int{1, 3, 16, 40} {
		tape := mustTape(t, 300, window)
		k := tape.frames()
		if k < window {
			t.Fatalf("%d frames for a window of %d", k, window)
		}
		var all []byte
		for i := range 3 * k {
			all = append(all, tape.run(i, 1)...)
		}
		size := len(tape.run(0, 1))
		for range 100 {
			first, count := rand.IntN(2*k), 1+rand.IntN(k)
			if got := tape.run(first, count); !bytes.Equal(got, all[first*size:(first+count)*size]) {
				t.Fatalf("run of %d from %d differs", count, first)
			}
		}
		one := tape.run(1, 1)
		mask, body := one[4:8], bytes.Clone(one[8:])
		for i := range body {
			body[i] ^= mask[i&3]
		}
		if want := []byte{0x82, 0x80 | 126, 1, 44}; !bytes.Equal(one[:4], want) || !bytes.Equal(body, tape.payloads[1]) {
			t.Errorf("frame is % x...", one[:8])
		}
	}
	if _, err := Plain(MinSize-1, 1); err == nil {
		t.Error("a message that cannot hold its number is accepted")
	}
}
