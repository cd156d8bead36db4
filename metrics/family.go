package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// family is a metric whose series are numbers of our own: prometheus.Counter
// takes floats and remembers exemplars, which costs several times as much as
// the addition that is needed for each frame.
type family struct {
	desc   *prometheus.Desc
	series []func() (prometheus.Metric, bool) // false: not to be shown
}

// Describe and Collect complete prometheus.Collector.
func (f *family) Describe(descriptions chan<- *prometheus.Desc) { descriptions <- f.desc }

// Collect hands out the values.
func (f *family) Collect(metrics chan<- prometheus.Metric) {
	for _, one := range f.series {
		if metric, ok := one(); ok {
			metrics <- metric
		}
	}
}

func (m maker) family(name, help string, labels ...string) *family {
	f := &family{desc: prometheus.NewDesc(prometheus.BuildFQName(m.config.Namespace, "", name), help, labels, m.config.ConstLabels)}
	*m.parts = append(*m.parts, f)
	return f
}

// histogram adds a series.
func (f *family) histogram(h *histogram, labels ...string) *histogram {
	f.series = append(f.series, func() (prometheus.Metric, bool) { return h.metric(f.desc, labels), true })
	return h
}

// number adds a series that value gives.
func (f *family) number(kind prometheus.ValueType, value func() uint64, labels ...string) {
	f.series = append(f.series, func() (prometheus.Metric, bool) {
		return prometheus.MustNewConstMetric(f.desc, kind, float64(value()), labels...), true
	})
}

// counter adds a series.
func (f *family) counter(value *atomic.Uint64, labels ...string) {
	f.number(prometheus.CounterValue, value.Load, labels...)
}

// unusual adds a counter that is shown only once it counts something.
func (f *family) unusual(value *atomic.Uint64, labels ...string) {
	f.series = append(f.series, func() (prometheus.Metric, bool) {
		n := value.Load()
		return prometheus.MustNewConstMetric(f.desc, prometheus.CounterValue, float64(n), labels...), n > 0
	})
}
