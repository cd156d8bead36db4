package load

import (
	"math/bits"
	"time"
)

// subBuckets is how many buckets each power of two is cut into; a quantile is
// wrong by less than one part in as many.
const (
	subBits    = 7
	subBuckets = 1 << subBits
)

// Histogram counts durations in buckets that grow with the value: linear below
// 128 ns, then 128 buckets for each power of two. The zero value is empty.
type Histogram struct {
	counts [(64 - subBits) * subBuckets]uint64
	total  uint64
}

// Record counts one duration; a negative one counts as zero.
func (h *Histogram) Record(d time.Duration) {
	h.counts[bucket(uint64(max(d, 0)))]++
	h.total++
}

// Count is how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.total }

// Reset forgets everything.
func (h *Histogram) Reset() { *h = Histogram{} }

// Quantile is the duration that this share of all do not exceed: 0.99 for p99.
// An empty histogram answers 0.
func (h *Histogram) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := uint64(q * float64(h.total))
	var seen uint64
	last := 0
	for i, n := range h.counts {
		if n == 0 {
			continue
		}
		last = i
		if seen += n; seen > rank {
			break
		}
	}
	return time.Duration(middle(last))
}

// bucket is the index for a value: its highest bits, after as many leading
// zeros as it has.
func bucket(v uint64) int {
	shift := max(bits.Len64(v)-subBits-1, 0)
	return shift*subBuckets + int(v>>shift)
}

// middle is a value in the middle of a bucket.
func middle(index int) uint64 {
	if index < 2*subBuckets {
		return uint64(index)
	}
	shift := index/subBuckets - 1
	low := uint64(index-shift*subBuckets) << shift
	return low + 1<<shift/2
}
