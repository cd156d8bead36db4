package wscore

import (
	"bytes"
	"compress/flate"
	"io"
	"math/rand/v2"
	"testing"
)

// inflateStd is what the standard library makes of a message.
func inflateStd(t testing.TB, packed, dictionary []byte) []byte {
	t.Helper()
	source := append(bytes.Clone(packed), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...)
	out, err := io.ReadAll(flate.NewReaderDict(bytes.NewReader(source), dictionary))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheStandardLibraryInflatesLevelOne(t *testing.T) {
	z := NewDeflater(1)
	for name, payload := range samples() {
		for _, length := range []int{1, 3, 4, 5, 11, 100, 258, 259, 1000, fastTokens, fastTokens + 1, 20_000, len(payload)} {
			payload := payload[:min(length, len(payload))]
			if len(payload) == 0 {
				continue
			}
			for _, kept := range []int{0, 1, 3, 100, 8192} {
				dictionary := payload[len(payload)-min(kept, len(payload)):]
				packed, ok := z.Append(nil, payload, dictionary, 15)
				if !ok || !bytes.Equal(inflateStd(t, packed, dictionary), payload) {
					t.Fatalf("%s, %d bytes, dictionary of %d: comes out differently", name, len(payload), len(dictionary))
				}
				if most := len(payload) + 6*(1+len(payload)/fastTokens); len(packed) > most {
					t.Errorf("%s, %d bytes: packed into %d, want at most %d", name, len(payload), len(packed), most)
				}
			}
		}
	}
}

func TestLevelOneFindsWhatIsRepeated(t *testing.T) {
	z, json := NewDeflater(1), samples()["json"]
	for name, test := range map[string]struct {
		payload, dictionary []byte
		most                int
	}{
		"zeros":                  {make([]byte, 100_000), nil, 200},
		"JSON":                   {json, nil, 300},
		"all in the dictionary":  {json[:75], json[:1000], 8},
		"at odd places, too":     {json[1:76], json[:75], 14},
		"only a few bytes alike": {[]byte("abcdefgabcdefh"), nil, 14},
	} {
		packed, ok := z.Append(nil, test.payload, test.dictionary, 15)
		if !ok || len(packed) > test.most {
			t.Errorf("%s: %d bytes packed into %d, want at most %d", name, len(test.payload), len(packed), test.most)
		}
	}
}

// The places of earlier messages are forgotten, also when their numbers run out.
func TestLevelOneStartsAgainWhenPlacesRunOut(t *testing.T) {
	z, payload := NewDeflater(1), samples()["json"][:5000]
	want, _ := z.Append(nil, payload, nil, 15)
	z.fast.base = 1<<31 - 5000
	for range 3 {
		if got, ok := z.Append(nil, payload, nil, 15); !ok || !bytes.Equal(got, want) {
			t.Fatal("compressed differently")
		}
	}
	if z.fast.base > 1<<20 {
		t.Errorf("the places go on from %d", z.fast.base)
	}
}

func FuzzLevelOne(f *testing.F) {
	for name, payload := range samples() {
		f.Add(payload[:min(len(payload), 3000)], []byte(name), uint8(15), uint8(1))
		f.Add(payload[:min(len(payload), 600)], payload[min(len(payload), 300):min(len(payload), 900)], uint8(9), uint8(40))
	}
	z := NewDeflater(1)
	f.Fuzz(func(t *testing.T, payload, dictionary []byte, windowBits, times uint8) {
		if len(payload) == 0 {
			return
		}
		payload = bytes.Repeat(payload, 1+int(times)%64)
		payload, dictionary = payload[:min(len(payload), 1<<16)], dictionary[:min(len(dictionary), 1<<15)]
		window := 8 + int(windowBits)%8
		packed, ok := z.Append(nil, payload, dictionary, window)
		if !ok || !bytes.Equal(inflateStd(t, packed, dictionary), payload) {
			t.Fatalf("%d bytes come out differently", len(payload))
		}
		var inflater Inflater
		inflater.Reset()
		inflater.window = 1 << window
		out := make([]byte, len(payload)+1)
		if n, _, status := inflater.Inflate(out, 0, packed, dictionary); status != InflateNeedInput || n != len(payload) {
			t.Fatalf("a reference leaves the window: status %d", status)
		}
	})
}

// Repeats of any length at any distance, found early or late, in each window.
func TestLevelOneKeepsToTheWindowWhateverIsRepeated(t *testing.T) {
	source := rand.New(rand.NewPCG(3, 4))
	noise := samples()["noise"][:8192]
	z := NewDeflater(1)
	var inflater Inflater
	for n := range 400 {
		window := 8 + n%8
		var all []byte
		for range 2 + source.IntN(20) {
			from := source.IntN(len(noise) - 1024)
			if source.IntN(2) == 0 {
				from = 0
			}
			all = append(all, noise[from:from+1+source.IntN(1024)]...)
		}
		dictionary, payload := all[:len(all)/3], all[len(all)/3:]
		packed, ok := z.Append(nil, payload, dictionary, window)
		if !ok || !bytes.Equal(inflateStd(t, packed, dictionary), payload) {
			t.Fatalf("%d: %d bytes come out differently", n, len(payload))
		}
		inflater.Reset()
		inflater.window = 1 << window
		if n, _, status := inflater.Inflate(make([]byte, len(payload)+1), 0, packed, dictionary); status != InflateNeedInput || n != len(payload) {
			t.Fatalf("%d: a reference leaves the window: status %d", n, status)
		}
	}
}
