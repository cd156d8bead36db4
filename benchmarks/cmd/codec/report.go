package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/tandem-ws/tandem/benchmarks/codec"
)

// result is what was measured of a row, by contender and round.
type result struct {
	row     codec.Row
	samples [][]float64 // nanoseconds an operation
	allocs  []int64
}

// report writes the whole result as Markdown, which also reads well as text.
func report(w io.Writer, results []result, rounds int, benchtime time.Duration) {
	fmt.Fprintf(w, "# Codec in memory, %s\n\n", time.Now().Format(time.DateOnly))
	fmt.Fprintf(w, "%s, %d processors, %s/%s, %s. %d rounds of %s, contenders in turn.\n", processor(), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version(), rounds, benchtime)
	fmt.Fprintf(w, "Versions: %s.\n", strings.Join(versions(), ", "))
	fmt.Fprintf(w, "Command: `go -C benchmarks run ./cmd/codec -rounds %d -benchtime %s`, of which only the ratios carry over to other machines.\n\n", rounds, benchtime)
	fmt.Fprintln(w, "A ratio is the median over the rounds of Tandem's time divided by the other's time in the same round: below 1, Tandem is faster.")
	fmt.Fprintln(w, "The best other is the contender with the lowest median that is not Tandem.")

	fmt.Fprintf(w, "\n## Summary\n\n| task | tandem | to gws | to best other | best other |\n|---|--:|--:|--:|---|\n")
	var behind []string
	for _, r := range results {
		best := r.bestOther()
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s |\n", r.row.Name, nanoseconds(median(r.samples[0])), r.toGWS(), ratio(r.ratios(best)), r.row.Contenders[best].Name)
		if median(r.ratios(best)) > 1 {
			behind = append(behind, fmt.Sprintf("%s (%.2f of %s)", r.row.Name, median(r.ratios(best)), r.row.Contenders[best].Name))
		}
	}
	if len(behind) > 0 {
		fmt.Fprintf(w, "\nWhere Tandem loses here: %s.\n", strings.Join(behind, "; "))
	} else {
		fmt.Fprintf(w, "\nTandem loses none of these rows.\n")
	}

	fmt.Fprintf(w, "\n## Details\n\n| task | contender | median | lowest to highest | speed | allocations | tandem's ratio to it |\n|---|---|--:|--:|--:|--:|--:|\n")
	for _, r := range results {
		for i, contender := range r.row.Contenders {
			speed, against := "", ""
			if r.row.Bytes > 0 {
				speed = fmt.Sprintf("%.2f GB/s", float64(r.row.Bytes)/median(r.samples[i]))
			}
			if i > 0 {
				against = ratio(r.ratios(i))
			}
			fmt.Fprintf(w, "| %s | %s | %s | %s to %s | %s | %d | %s |\n", r.row.Name, contender.Name, nanoseconds(median(r.samples[i])),
				nanoseconds(slices.Min(r.samples[i])), nanoseconds(slices.Max(r.samples[i])), speed, r.allocs[i], against)
		}
	}
}

// ratios are Tandem's times divided by a contender's, round by round.
func (r result) ratios(contender int) []float64 {
	ratios := make([]float64, len(r.samples[0]))
	for i := range ratios {
		ratios[i] = r.samples[0][i] / r.samples[contender][i]
	}
	return ratios
}

func (r result) toGWS() string {
	for i, contender := range r.row.Contenders {
		if contender.Name == codec.GWS {
			return ratio(r.ratios(i))
		}
	}
	return ""
}

func (r result) bestOther() int {
	best := 1
	for i := 2; i < len(r.samples); i++ {
		if r.row.Contenders[i].Name != codec.PlainCopy && median(r.samples[i]) < median(r.samples[best]) {
			best = i
		}
	}
	return best
}

// ratio writes the median and, in brackets, the middle half of the rounds.
func ratio(ratios []float64) string {
	sorted := slices.Sorted(slices.Values(ratios))
	return fmt.Sprintf("%.2f (%.2f–%.2f)", median(ratios), sorted[len(sorted)/4], sorted[len(sorted)-1-len(sorted)/4])
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

func nanoseconds(ns float64) string {
	switch {
	case ns >= 1e6:
		return fmt.Sprintf("%.2f ms", ns/1e6)
	case ns >= 1e4:
		return fmt.Sprintf("%.1f µs", ns/1e3)
	case ns >= 100:
		return fmt.Sprintf("%.0f ns", ns)
	}
	return fmt.Sprintf("%.1f ns", ns)
}

// versions lists the libraries compared, as they were built in.
func versions() (list []string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return []string{"unknown"}
	}
	for _, module := range info.Deps {
		if module.Replace == nil && slices.Contains([]string{
			"github.com/coder/websocket", "github.com/gobwas/ws", "github.com/gorilla/websocket",
			"github.com/klauspost/compress", "github.com/lxzan/gws",
		}, module.Path) {
			list = append(list, strings.TrimPrefix(module.Path, "github.com/")+" "+module.Version)
		}
	}
	return list
}

// processor is the processor's name where the system tells it.
func processor() string {
	file, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "processor unknown"
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "processor unknown"
}
