package metrics

import (
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// histogram is a classic histogram of whole numbers: bytes, frames, or
// nanoseconds that are shown as seconds. prometheus.Histogram searches its
// buckets and adds floats; here a table leads to the bucket, and an observation
// is two additions.
type histogram struct {
	limits  []uint64 // upper bounds, inclusive
	first   [65]uint8
	counts  []count // one more than limits: the last is for everything above
	sum     atomic.Uint64
	perUnit float64 // how many of the observed make the unit that is shown
}

// count is a number that has its cache line for itself.
type count struct {
	atomic.Uint64
	_ [56]byte
}

func newHistogram(limits []uint64, perUnit float64) *histogram {
	h := &histogram{limits: limits, counts: make([]count, len(limits)+1), perUnit: perUnit}
	for length := range h.first {
		least := uint64(1) << max(0, length-1) // the least number of that bit length
		for int(h.first[length]) < len(limits) && limits[h.first[length]] < least {
			h.first[length]++
		}
	}
	h.first[0] = 0
	return h
}

// seconds returns a histogram of durations.
func seconds(limits []time.Duration) *histogram {
	numbers := make([]uint64, len(limits))
	for i, limit := range limits {
		numbers[i] = uint64(limit)
	}
	return newHistogram(numbers, float64(time.Second))
}

func (h *histogram) observe(n int64) {
	v := uint64(max(0, n))
	bucket := int(h.first[bits.Len64(v)])
	for bucket < len(h.limits) && h.limits[bucket] < v {
		bucket++
	}
	h.counts[bucket].Add(1)
	h.sum.Add(v)
}

// metric returns the histogram's state. Observations that come meanwhile may be
// in the sum and not in the count.
func (h *histogram) metric(desc *prometheus.Desc, labels []string) prometheus.Metric {
	total, buckets := uint64(0), make(map[float64]uint64, len(h.limits))
	for i, limit := range h.limits {
		total += h.counts[i].Load()
		buckets[float64(limit)/h.perUnit] = total
	}
	total += h.counts[len(h.limits)].Load()
	return prometheus.MustNewConstHistogram(desc, total, float64(h.sum.Load())/h.perUnit, buckets, labels...)
}
