package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreWithinOnePercent(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var all []time.Duration
	for range 100_000 {
		d := time.Duration(random.ExpFloat64() * 1e5)
		h.Record(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999} {
		want, got := all[int(q*float64(len(all)))], h.Quantile(q)
		if diff := (got - want).Abs(); diff > want/100+1 {
			t.Errorf("quantile %v is %v, sorting says %v", q, got, want)
		}
	}
}

func TestEveryDurationHasABucketThatHoldsIt(t *testing.T) {
	for _, d := range []time.Duration{-1, 0, 1, 127, 128, 255, 256, 257, 1 << 20, 1<<20 + 12345, time.Hour, 1<<63 - 1} {
		var h Histogram
		h.Record(d)
		got, want := h.Quantile(0.5), max(d, 0)
		if diff := (got - want).Abs(); diff > want/subBuckets {
			t.Errorf("%d comes back as %d", d, got)
		}
	}
}

func TestBucketsGrowWithTheValue(t *testing.T) {
	last := -1
	for v := uint64(0); v < 1<<16; v++ {
		if b := bucket(v); b != last && b != last+1 {
			t.Fatalf("bucket of %d is %d after %d", v, b, last)
		} else {
			last = b
		}
	}
}

func TestEmptyAndResetHistograms(t *testing.T) {
	var h Histogram
	if h.Quantile(0.99) != 0 {
		t.Error("an empty histogram has a quantile")
	}
	h.Record(time.Second)
	h.Reset()
	if h.Count() != 0 || h.Quantile(1) != 0 {
		t.Error("Reset leaves something behind")
	}
}
