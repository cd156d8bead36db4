package compare

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Facts are what a report says about how it was made.
type Facts struct {
	Date             time.Time
	Machine          string
	Versions         []string
	Rounds           int
	Warmup, Duration time.Duration
	Picture          string // file name, none if empty
}

// Report writes everything as Markdown.
func Report(w io.Writer, tables []Table, f Facts) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Servers side by side, %s\n\n", f.Date.Format(time.DateOnly))
	fmt.Fprintf(&b, "%s. %d rounds of %v after %v of warming up, servers in turn, load and server on the same machine over loopback.\n\nVersions: %s.\n\n",
		f.Machine, f.Rounds, f.Duration, f.Warmup.Round(time.Millisecond), strings.Join(f.Versions, ", "))
	b.WriteString("Ratios are taken within a round and the median over the rounds is shown, with the lowest and the highest in brackets: below 1 the server costs less than gws. How to read and repeat this: [README.md](README.md).\n")
	if failures := allFailures(tables); len(failures) > 0 {
		b.WriteString("\n## Failed\n\n")
		for _, failure := range failures {
			fmt.Fprintf(&b, "- %s\n", strings.ReplaceAll(failure, "\n", " "))
		}
	}
	b.WriteString("\n## Cost in relation to gws\n\n")
	summary(&b, tables)
	if f.Picture != "" {
		fmt.Fprintf(&b, "\n![Bars of the same ratios](%s)\n", f.Picture)
	}
	b.WriteString("\n## Servers\n\n| name | what it is |\n|---|---|\n")
	for _, s := range serversOf(tables) {
		fmt.Fprintf(&b, "| %s | %s |\n", s.Name, s.About)
	}
	for _, t := range tables {
		b.WriteString("\n")
		t.write(&b)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// Write writes one workload's table as Markdown.
func (t Table) Write(w io.Writer) error {
	var b strings.Builder
	t.write(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func allFailures(tables []Table) []string {
	var all []string
	for _, t := range tables {
		all = append(all, t.Failures()...)
	}
	return all
}

func serversOf(tables []Table) []Server {
	var all []Server
	seen := make(map[string]bool)
	for _, t := range tables {
		for _, r := range t.Rows {
			if !seen[r.Server.Name] {
				seen[r.Server.Name] = true
				all = append(all, r.Server)
			}
		}
	}
	return all
}

func summary(b *strings.Builder, tables []Table) {
	servers := serversOf(tables)
	b.WriteString("| workload |")
	for _, s := range servers {
		fmt.Fprintf(b, " %s |", s.Name)
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|", len(servers)) + "\n")
	for _, t := range tables {
		fmt.Fprintf(b, "| %s |", t.Workload.Name)
		for _, s := range servers {
			r := t.row(s.Name)
			ratio, ok := t.costRatio(r)
			switch {
			case ok:
				fmt.Fprintf(b, " %.2f |", ratio.median)
			case r != nil && r.Err != nil:
				b.WriteString(" failed |")
			default:
				b.WriteString(" |")
			}
		}
		b.WriteString("\n")
	}
}

func (t Table) write(b *strings.Builder) {
	w := t.Workload
	fmt.Fprintf(b, "## %s\n\n", w.Name)
	if t.NotRun != "" {
		fmt.Fprintf(b, "Not run: %s.\n", t.NotRun)
		return
	}
	columns := []string{"server", w.Unit(), "ratio to " + t.baseName()}
	switch w.Kind {
	case Idle:
		columns = append(columns, "before garbage is given back", "heap and stack, KiB a connection")
	default:
		columns = append(columns, "a second", "p50", "p99", "p99.9", "ratio of p99, 95 % interval", "allocations", "RSS MiB")
	}
	if w.Kind == Slow {
		columns = append(columns, "slow ones closed")
	}
	fmt.Fprintf(b, "| %s |\n|---|%s\n", strings.Join(columns, " | "), strings.Repeat("--:|", len(columns)-1))
	for i := range t.Rows {
		r := &t.Rows[i]
		if r.Err != nil {
			fmt.Fprintf(b, "| %s | failed%s\n", r.Server.Name, strings.Repeat(" |", len(columns)-1))
			continue
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(t.cells(r), " | "))
	}
	if len(t.Excluded) > 0 {
		fmt.Fprintf(b, "\nNot in this table: %s.\n", strings.Join(t.Excluded, ", "))
	}
	for _, failure := range t.Failures() {
		fmt.Fprintf(b, "\nFailed: %s\n", strings.ReplaceAll(failure, "\n", " "))
	}
}

func (t Table) baseName() string {
	if base := t.base(); base != nil {
		return base.Server.Name
	}
	return Baseline
}

// cells are the texts of one row.
func (t Table) cells(r *Row) []string {
	of := func(get func(Sample) float64) float64 { return spreadOf(r.numbers(get)).median }
	c := spreadOf(r.numbers(cost))
	cells := []string{r.Server.Name, fmt.Sprintf("%s (%s..%s)", number(c.median), number(c.low), number(c.high))}
	if ratio, ok := t.costRatio(r); ok {
		cells = append(cells, fmt.Sprintf("**%.2f** (%.2f..%.2f)", ratio.median, ratio.low, ratio.high))
	} else {
		cells = append(cells, "")
	}
	if t.Workload.Kind == Idle {
		return append(cells, number(of(func(s Sample) float64 { return s.RSS })), number(of(func(s Sample) float64 { return s.Heap })))
	}
	cells = append(cells,
		thousands64(of(func(s Sample) float64 { return s.Rate })),
		duration(r.latency(func(s Sample) time.Duration { return s.P50 })),
		duration(r.latency(func(s Sample) time.Duration { return s.P99 })),
		duration(r.latency(func(s Sample) time.Duration { return s.P999 })),
		t.p99Ratio(r),
		number(of(func(s Sample) float64 { return s.Allocs })),
		number(of(func(s Sample) float64 { return s.RSS })))
	if t.Workload.Kind == Slow {
		cells = append(cells, number(of(func(s Sample) float64 { return float64(s.SlowClosed) })))
	}
	return cells
}

func (t Table) p99Ratio(r *Row) string {
	base := t.base()
	if len(base.Samples) == 0 || len(r.Samples) == 0 {
		return ""
	}
	all := ratios(r.numbers(p99), base.numbers(p99))
	if len(all) < 3 {
		return fmt.Sprintf("%.2f", spreadOf(all).median)
	}
	low, high := bootstrap(all)
	return fmt.Sprintf("%.2f (%.2f..%.2f)", spreadOf(all).median, low, high)
}

// number writes three digits or so.
func number(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

func thousands64(x float64) string {
	digits := fmt.Sprintf("%.0f", x)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func duration(d time.Duration) string {
	switch {
	case d >= time.Second:
		return number(d.Seconds()) + " s"
	case d >= time.Millisecond:
		return number(float64(d)/float64(time.Millisecond)) + " ms"
	}
	return number(float64(d)/float64(time.Microsecond)) + " µs"
}
