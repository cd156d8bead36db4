package compare

import (
	"fmt"
	"time"
)

// Table is the result of one workload.
type Table struct {
	Workload Workload
	Rows     []Row
	Excluded []string // servers that cannot run it, and why
	NotRun   string   // why it was not run at all
}

// Row is the result of one server.
type Row struct {
	Server  Server
	Samples []Sample // by round
	Err     error
}

func newTable(w Workload, servers []Server) Table {
	t := Table{Workload: w}
	for _, s := range servers {
		if why := w.Excludes(s); why != "" {
			t.Excluded = append(t.Excluded, fmt.Sprintf("%s (%s)", s.Name, why))
			continue
		}
		t.Rows = append(t.Rows, Row{Server: s})
	}
	return t
}

// base is the row that the others are divided by: gws, or whoever came first.
func (t Table) base() *Row {
	for i := range t.Rows {
		if t.Rows[i].Server.Name == Baseline {
			return &t.Rows[i]
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return &t.Rows[0]
}

// row finds a server's row.
func (t Table) row(name string) *Row {
	for i := range t.Rows {
		if t.Rows[i].Server.Name == name {
			return &t.Rows[i]
		}
	}
	return nil
}

// Failures are the errors of a table, as sentences.
func (t Table) Failures() []string {
	var all []string
	for _, r := range t.Rows {
		if r.Err != nil {
			all = append(all, fmt.Sprintf("%s under %q: %v", r.Server.Name, t.Workload.Name, r.Err))
		}
	}
	return all
}

func (r Row) numbers(of func(Sample) float64) []float64 {
	all := make([]float64, len(r.Samples))
	for i, s := range r.Samples {
		all[i] = of(s)
	}
	return all
}

func cost(s Sample) float64 { return s.Cost }
func p99(s Sample) float64  { return float64(s.P99) }

// costRatio is the cost in relation to the base's, round by round. It is not
// ok where one of them has no sample.
func (t Table) costRatio(r *Row) (spread, bool) {
	base := t.base()
	if base == nil || r == nil || r.Err != nil || len(base.Samples) == 0 || len(r.Samples) == 0 {
		return spread{}, false
	}
	return spreadOf(ratios(r.numbers(cost), base.numbers(cost))), true
}

// median of a latency.
func (r Row) latency(of func(Sample) time.Duration) time.Duration {
	return time.Duration(spreadOf(r.numbers(func(s Sample) float64 { return float64(of(s)) })).median)
}
