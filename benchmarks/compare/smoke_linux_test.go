package compare

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestTwoServersUnderTwoWorkloads builds and runs the real thing, for a moment.
// It judges no number.
func TestTwoServersUnderTwoWorkloads(t *testing.T) {
	servers, err := Pick("gws,actor-poll")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	plan := Plan{Servers: servers, Rounds: 1, Warmup: 20 * time.Millisecond, Duration: 60 * time.Millisecond, Programs: t.TempDir(),
		Workloads: []Workload{echo(128, 4, 2), broadcast(5, 2)}}
	steps := 0
	plan.Progress = func(s Step) {
		if steps++; s.Cell != steps || s.Cells != 4 {
			t.Errorf("step %d of %d, want %d of 4", s.Cell, s.Cells, steps)
		}
	}
	if err := Build(ctx, plan.Programs); err != nil {
		t.Fatal(err)
	}
	if facts, err := Survey(plan); err != nil || len(facts.Versions) != len(compared)+2 {
		t.Errorf("survey: %v, %v", facts, err)
	}
	for _, table := range plan.Run(ctx) {
		for _, failure := range table.Failures() {
			t.Error(failure)
		}
		for _, r := range table.Rows {
			if r.Err == nil && (len(r.Samples) != 1 || r.Samples[0].Cost <= 0 || r.Samples[0].Rate <= 0) {
				t.Errorf("%s: %+v", r.Server.Name, r.Samples)
			}
		}
	}
	if steps != 4 {
		t.Errorf("%d steps", steps)
	}
}

// TestEveryServerAnswersRight runs all of them for a moment, plain and
// compressed: the load checks each byte.
func TestEveryServerAnswersRight(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	// Long enough for a busy machine to answer at all.
	plan := Plan{Servers: Servers, Rounds: 1, Duration: 200 * time.Millisecond, Programs: t.TempDir(),
		Workloads: []Workload{echo(70_000, 2, 2), Quick()[3]}}
	if err := Build(ctx, plan.Programs); err != nil {
		t.Fatal(err)
	}
	for _, table := range plan.Run(ctx) {
		for _, failure := range table.Failures() {
			t.Error(failure)
		}
	}
}

// TestABrokenServerIsReported: what fails must never be missing in a table.
func TestABrokenServerIsReported(t *testing.T) {
	if path, err := exec.LookPath("false"); err != nil {
		t.Fatal(err)
	} else {
		plan := Plan{Servers: []Server{{Name: "broken", program: path}}, Workloads: []Workload{echo(128, 1, 1)}, Rounds: 3, Duration: time.Millisecond, Programs: "/"}
		tables := plan.Run(context.Background())
		failures := tables[0].Failures()
		if len(failures) != 1 || !strings.Contains(failures[0], "round 1: starting broken") {
			t.Errorf("failures: %q", failures)
		}
	}
}

func TestAWorkloadBeyondTheFileLimitIsNotRun(t *testing.T) {
	plan := Plan{Servers: Servers[:1], Workloads: []Workload{{Name: "too many", Kind: Idle, Conns: 1 << 30}}, Rounds: 1, Programs: "/"}
	if table := plan.Run(context.Background())[0]; table.NotRun == "" || len(table.Failures()) != 0 {
		t.Errorf("%+v", table)
	}
}

// TestProcessorTimeCountsThreads compares the process's clock with the sum over
// its threads, none of which ends here.
func TestProcessorTimeCountsThreads(t *testing.T) {
	var spun uint64
	for begin := time.Now(); time.Since(begin) < 30*time.Millisecond; {
		spun++
	}
	before, err := threadTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	clock, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	// A running thread's own count is brought up to date at each timer tick.
	if clock < before || before == 0 || spun == 0 {
		t.Errorf("clock says %v, threads say %v", clock, before)
	}
	if _, err := cpuTime(1<<22 + 1); err == nil {
		t.Error("a process that does not exist has processor time")
	}
	if rss, err := residentBytes(os.Getpid()); err != nil || rss < 1<<20 {
		t.Errorf("resident %d, %v", rss, err)
	}
}
