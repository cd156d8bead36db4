// Command codec compares Tandem's codec with other libraries' in memory, and
// prints medians, spreads and ratios. It measures no network and no server.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime/debug"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/benchmarks/codec"
)

const leastRounds = 3 // fewer give no spread

func main() {
	testing.Init() // testing.Benchmark takes its time from a test flag
	rounds := flag.Int("rounds", 7, "how many times each contender runs, 3 or more")
	benchtime := flag.Duration("benchtime", 20*time.Millisecond, "how long each of these runs is")
	only := flag.String("only", "", "compare only the rows whose names match this regular expression")
	markdown := flag.String("markdown", "", "also write the result to this file, as Markdown")
	flag.Parse()
	if err := run(*rounds, *benchtime, *only, *markdown); err != nil {
		fmt.Fprintln(os.Stderr, "codec:", err)
		os.Exit(1)
	}
}

func run(rounds int, benchtime time.Duration, only, markdown string) error {
	if rounds < leastRounds {
		return fmt.Errorf("%d rounds are too few: %d or more", rounds, leastRounds)
	}
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	if err := flag.Set("test.benchtime", benchtime.String()); err != nil {
		return err
	}
	debug.SetGCPercent(400) // fewer collections from one contender's garbage during the next one's turn
	var rows []codec.Row
	for _, row := range codec.Rows() {
		if pattern.MatchString(row.Name) {
			rows = append(rows, row)
		}
	}
	if len(rows) == 0 {
		return fmt.Errorf("no row matches %q", only)
	}
	var results []result
	for i, row := range rows {
		fmt.Fprintf(os.Stderr, "\r\033[K%3d/%d  %s", i+1, len(rows), row.Name)
		r, err := measure(row, rounds)
		if err != nil {
			return err
		}
		results = append(results, r)
	}
	fmt.Fprintln(os.Stderr)
	report(os.Stdout, results, rounds, benchtime)
	if markdown == "" {
		return nil
	}
	file, err := os.Create(markdown)
	if err != nil {
		return err
	}
	report(file, results, rounds, benchtime)
	return file.Close()
}

// measure runs a row's contenders in turn, round after round: whatever else the
// machine does hits all of them alike.
func measure(row codec.Row, rounds int) (result, error) {
	r := result{row: row, samples: make([][]float64, len(row.Contenders)), allocs: make([]int64, len(row.Contenders))}
	for range rounds {
		for i, contender := range row.Contenders {
			b := testing.Benchmark(contender.Run)
			if b.N == 0 {
				return r, fmt.Errorf("%s: %s failed", row.Name, contender.Name)
			}
			r.samples[i] = append(r.samples[i], float64(b.T.Nanoseconds())/float64(b.N))
			r.allocs[i] = b.AllocsPerOp()
		}
	}
	return r, nil
}
