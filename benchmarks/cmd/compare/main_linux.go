// Command compare runs Tandem's servers and those of other libraries side by
// side over loopback and writes what a message costs each of them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/tandem-ws/tandem/benchmarks/compare"
)

const (
	reportFile  = "COMPARISON.md"
	pictureFile = "comparison.svg"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	quick, list        bool
	only, servers, out string
	rounds             int
	duration           time.Duration
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("compare", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&o.quick, "quick", false, "small workloads, one round of 200 ms: shows that everything works, the numbers mean nothing")
	flags.BoolVar(&o.list, "list", false, "list workloads and servers, and do nothing")
	flags.StringVar(&o.only, "only", "", "run only workloads whose names match this regular expression")
	flags.StringVar(&o.servers, "servers", "", "run only these servers, separated by commas; gws is what others are divided by")
	flags.StringVar(&o.out, "out", "", "folder for "+reportFile+" and "+pictureFile)
	flags.IntVar(&o.rounds, "rounds", 7, "how many times each server runs each workload")
	flags.DurationVar(&o.duration, "duration", time.Second, "how long a cell is measured, after a third of it for warming up")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.quick {
		o.rounds, o.duration = 1, 200*time.Millisecond
	}
	if flags.NArg() > 0 || o.rounds < 1 || o.duration <= 0 {
		return o, errors.New("wrong arguments, see -help")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	plan := compare.Plan{Rounds: o.rounds, Warmup: o.duration / 3, Duration: o.duration}
	if plan.Servers, err = compare.Pick(o.servers); err != nil {
		return err
	}
	if plan.Workloads, err = workloads(o); err != nil {
		return err
	}
	if o.list {
		return list(stdout, plan)
	}
	if plan.Programs, err = os.MkdirTemp("", "compare"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(plan.Programs) }()
	fmt.Fprintln(stderr, "building the servers")
	if err = compare.Build(ctx, plan.Programs); err != nil {
		return err
	}
	facts, err := compare.Survey(plan)
	if err != nil {
		return err
	}
	bar := newProgress(stderr)
	plan.Progress = bar.step
	plan.Finished = func(t compare.Table) {
		bar.clear()
		_ = t.Write(stdout) // the report has it too
		fmt.Fprintln(stdout)
	}
	tables := plan.Run(ctx)
	if o.out != "" {
		if err := write(o.out, tables, facts); err != nil {
			return err
		}
	}
	failures := 0
	for _, t := range tables {
		failures += len(t.Failures())
	}
	if failures > 0 {
		return fmt.Errorf("%d of the server and workload pairs failed", failures)
	}
	return ctx.Err()
}

func workloads(o options) ([]compare.Workload, error) {
	pattern, err := regexp.Compile(o.only)
	if err != nil {
		return nil, err
	}
	all := compare.Workloads()
	if o.quick {
		all = compare.Quick()
	}
	var some []compare.Workload
	for _, w := range all {
		if pattern.MatchString(w.Name) {
			some = append(some, w)
		}
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("no workload matches %q", o.only)
	}
	return some, nil
}

func list(w io.Writer, plan compare.Plan) error {
	for _, workload := range plan.Workloads {
		fmt.Fprintln(w, workload.Name)
	}
	fmt.Fprintln(w)
	for _, s := range plan.Servers {
		fmt.Fprintf(w, "%-12s %s\n", s.Name, s.About)
	}
	return nil
}

func write(dir string, tables []compare.Table, facts compare.Facts) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	facts.Picture = pictureFile
	report, err := os.Create(filepath.Join(dir, reportFile))
	if err != nil {
		return err
	}
	err = errors.Join(compare.Report(report, tables, facts), report.Close())
	if err != nil {
		return err
	}
	picture, err := os.Create(filepath.Join(dir, pictureFile))
	if err != nil {
		return err
	}
	return errors.Join(compare.Picture(picture, tables), picture.Close())
}
