package compare

import (
	"math"
	"slices"
	"testing"
)

func TestSpreadIsMedianAndEnds(t *testing.T) {
	for _, c := range []struct {
		numbers []float64
		want    spread
	}{
		{nil, spread{}},
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{4, 1}, spread{2.5, 1, 4}},
		{[]float64{9, 1, 5}, spread{5, 1, 9}},
		{[]float64{9, 1, 5, 6}, spread{5.5, 1, 9}},
	} {
		given := slices.Clone(c.numbers)
		if got := spreadOf(given); got != c.want {
			t.Errorf("%v: %v, want %v", c.numbers, got, c.want)
		}
		if !slices.Equal(given, c.numbers) {
			t.Errorf("%v was reordered", c.numbers)
		}
	}
}

func TestRatiosAreTakenWithinARound(t *testing.T) {
	got := ratios([]float64{2, 9, 5, 7}, []float64{1, 3, 0})
	if !slices.Equal(got, []float64{2, 3}) {
		t.Errorf("%v", got)
	}
}

func TestBootstrapHoldsTheMedianAndRepeats(t *testing.T) {
	numbers := []float64{0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 5}
	low, high := bootstrap(numbers)
	again, _ := bootstrap(numbers)
	if low != again {
		t.Error("another run gives another interval")
	}
	if median := spreadOf(numbers).median; !(low <= median && median <= high) {
		t.Errorf("median %v is outside of %v..%v", median, low, high)
	}
	if low < 0.8 || high > 5 || low == high {
		t.Errorf("interval %v..%v", low, high)
	}
	if low, high := bootstrap([]float64{1, 1, 1, 1}); low != 1 || high != 1 {
		t.Errorf("equal numbers give %v..%v", low, high)
	}
	if low, high := bootstrap([]float64{1, 2}); !math.IsInf(low, -1) || !math.IsInf(high, 1) {
		t.Errorf("two numbers give %v..%v", low, high)
	}
}
