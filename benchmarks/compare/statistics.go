package compare

import (
	"math"
	"math/rand/v2"
	"slices"
)

// spread is the middle of some numbers, and their ends.
type spread struct{ median, low, high float64 }

// spreadOf is zero for no numbers.
func spreadOf(numbers []float64) spread {
	if len(numbers) == 0 {
		return spread{}
	}
	sorted := slices.Sorted(slices.Values(numbers))
	return spread{median: middle(sorted), low: sorted[0], high: sorted[len(sorted)-1]}
}

// middle is the median of sorted numbers.
func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratios divides numbers of the same rounds.
func ratios(a, b []float64) []float64 {
	r := make([]float64, 0, min(len(a), len(b)))
	for i := range min(len(a), len(b)) {
		if b[i] != 0 {
			r = append(r, a[i]/b[i])
		}
	}
	return r
}

// resamples is how many times bootstrap draws.
const resamples = 2000

// bootstrap is the 95 % interval of the median: what medians of samples drawn
// from these numbers, with repetition, lie between. The draws are the same each
// time. Fewer than three numbers give an interval of everything.
func bootstrap(numbers []float64) (low, high float64) {
	if len(numbers) < 3 {
		return math.Inf(-1), math.Inf(1)
	}
	random := rand.New(rand.NewPCG(6455, 7692))
	medians := make([]float64, resamples)
	drawn := make([]float64, len(numbers))
	for i := range medians {
		for j := range drawn {
			drawn[j] = numbers[random.IntN(len(numbers))]
		}
		slices.Sort(drawn)
		medians[i] = middle(drawn)
	}
	slices.Sort(medians)
	return medians[resamples*25/1000], medians[resamples*975/1000-1]
}
