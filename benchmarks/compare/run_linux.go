package compare

import (
	"context"
	"fmt"
	"runtime"
	"time"
)

// Plan is what to compare.
type Plan struct {
	Servers          []Server
	Workloads        []Workload
	Rounds           int
	Warmup, Duration time.Duration
	Programs         string // folder that Build filled
	Progress         func(Step)
	Finished         func(Table) // called after each workload
}

// Step is told before each cell.
type Step struct {
	Cell, Cells int
	Workload    Workload
	Server      Server
	Round       int
	Left        time.Duration // estimate
}

// Run measures everything. In each round of a workload each server runs once,
// one after the other, so that whatever else the machine does hits all alike;
// each round begins with another one. A server that failed is not run again
// under the same workload; its error is in the table.
func (p Plan) Run(ctx context.Context) []Table {
	tables := make([]Table, 0, len(p.Workloads))
	pace := p.newPace()
	files, filesErr := openFiles()
	for _, w := range p.Workloads {
		t := newTable(w, p.Servers)
		need := w.Conns + spareFiles
		if filesErr == nil && need > files {
			t.NotRun = fmt.Sprintf("needs %d open files, the limit is %d", need, files)
		}
		for round := range p.rounds(w) {
			for i := range t.Rows {
				row := &t.Rows[(i+round)%len(t.Rows)]
				pace.next(w, row.Server, round)
				if t.NotRun != "" || row.Err != nil {
					pace.skip(w)
					continue
				}
				if row.Err = ctx.Err(); row.Err != nil {
					continue
				}
				began := time.Now()
				runtime.GC() // the load's garbage is not collected while it measures
				s, err := cell{p.Programs, row.Server, w, p.Warmup, p.Duration}.run(ctx)
				pace.took(w, time.Since(began))
				if err != nil {
					row.Err = fmt.Errorf("round %d: %w", round+1, err)
					continue
				}
				row.Samples = append(row.Samples, s)
			}
		}
		if p.Finished != nil {
			p.Finished(t)
		}
		tables = append(tables, t)
	}
	return tables
}

func (p Plan) rounds(w Workload) int {
	if w.Rounds > 0 {
		return min(w.Rounds, p.Rounds)
	}
	return p.Rounds
}

// pace guesses how long the rest takes: the planned times of the cells that are
// left, corrected by how wrong the plan was so far.
type pace struct {
	plan                 Plan
	cells, done          int
	planned, spent, left time.Duration
}

func (p Plan) newPace() *pace {
	pace := &pace{plan: p}
	for _, w := range p.Workloads {
		n := p.rounds(w) * len(newTable(w, p.Servers).Rows)
		pace.cells += n
		pace.left += time.Duration(n) * w.estimate(p.Warmup, p.Duration)
	}
	return pace
}

func (p *pace) next(w Workload, s Server, round int) {
	left := p.left
	if p.planned > 0 {
		left = time.Duration(float64(left) * float64(p.spent) / float64(p.planned))
	}
	p.done++
	if p.plan.Progress != nil {
		p.plan.Progress(Step{Cell: p.done, Cells: p.cells, Workload: w, Server: s, Round: round, Left: left})
	}
}

func (p *pace) skip(w Workload) { p.left -= w.estimate(p.plan.Warmup, p.plan.Duration) }

func (p *pace) took(w Workload, d time.Duration) {
	p.skip(w)
	p.spent += d
	p.planned += w.estimate(p.plan.Warmup, p.plan.Duration)
}
