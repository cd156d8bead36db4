package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// level is a gauge that many goroutines change at once. prometheus.Gauge holds
// a float and repeats a compare-and-swap until it wins; an integer needs one
// addition, and the padding keeps neighbours off its cache line.
type level struct {
	value atomic.Int64
	_     [56]byte
}

func (l *level) add(n int) { l.value.Add(int64(n)) }

// gauge exposes the level.
func (l *level) gauge(opts prometheus.GaugeOpts) prometheus.GaugeFunc {
	return prometheus.NewGaugeFunc(opts, func() float64 { return float64(l.value.Load()) })
}
