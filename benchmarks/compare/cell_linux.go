package compare

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tandem-ws/tandem/benchmarks/load"
)

const (
	// slowBytes is what each connection that never reads sends.
	slowBytes = 16 << 20
	// cellTimeout bounds everything that happens in one cell.
	cellTimeout = 2 * time.Minute
	// spareFiles is what a process needs besides connections.
	spareFiles = 200
)

// cell is one server under one workload for a while.
type cell struct {
	programs         string
	server           Server
	workload         Workload
	warmup, duration time.Duration
}

func (c cell) run(ctx context.Context) (Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, cellTimeout)
	defer cancel()
	w := c.workload
	p, err := start(ctx, c.programs, c.server, w.Kind == Deflate, w.Kind == Broadcast)
	if err != nil {
		return Sample{}, err
	}
	defer p.stop()
	target := load.Target{Addr: p.addr, Raw: c.server.Limit, Deflate: w.Kind == Deflate}
	if w.Kind == Idle {
		s, err := idle(ctx, p, target, w.Conns, w.Size, true)
		return s, withDeath(p, err)
	}
	m := &meter{process: p}
	r, err := c.load(ctx, target, load.Hooks{Begin: m.begin, End: m.end})
	if err != nil {
		return Sample{}, withDeath(p, err)
	}
	return m.sample(r)
}

// withDeath says so when the server is gone.
func withDeath(p *process, err error) error {
	if err == nil {
		return nil
	}
	time.Sleep(50 * time.Millisecond) // its exit may take a moment to show
	if dead := p.dead(); dead != nil {
		return fmt.Errorf("%w; %w", err, dead)
	}
	return err
}

func (c cell) load(ctx context.Context, target load.Target, hooks load.Hooks) (load.Result, error) {
	w := c.workload
	if w.Kind == Storm {
		return load.Storm{Target: target, Conns: w.Conns, Hooks: hooks}.Run(ctx)
	}
	tape, err := load.Plain(w.Size, w.Window)
	if w.Kind == Deflate {
		tape, err = load.Packed(w.Size, w.Window)
	}
	if err != nil {
		return load.Result{}, err
	}
	if w.Kind == Broadcast {
		return load.Broadcast{Target: target, Tape: tape, Conns: w.Conns, Burst: w.Window,
			Warmup: c.warmup, Duration: c.duration, Hooks: hooks}.Run(ctx)
	}
	return load.Echo{Target: target, Tape: tape, Conns: w.Conns, Window: w.Window, Warmup: c.warmup, Duration: c.duration,
		Slow: w.Slow, SlowBytes: slowBytes, Hooks: hooks}.Run(ctx)
}

// meter reads a server's counters at both ends of the measured part. Asking for
// the number of allocations costs some itself, so it is done outside of the
// processor time, and twice to know how many.
type meter struct {
	process            *process
	cpu                time.Duration
	mallocs, ownAllocs uint64
	resident           int64
}

func (m *meter) begin() error {
	first, err := m.process.report(false)
	if err != nil {
		return err
	}
	second, err := m.process.report(false)
	if err != nil {
		return err
	}
	m.mallocs, m.ownAllocs = second.Mallocs, second.Mallocs-first.Mallocs
	m.cpu, err = cpuTime(m.process.command.Process.Pid)
	return err
}

func (m *meter) end() error {
	pid := m.process.command.Process.Pid
	now, err := cpuTime(pid)
	if err != nil {
		return err
	}
	m.cpu = now - m.cpu
	report, err := m.process.report(false)
	if err != nil {
		return err
	}
	m.mallocs = report.Mallocs - m.mallocs
	m.resident, err = residentBytes(pid)
	return err
}

// errNothing says that the measured part was too short for this machine.
var errNothing = errors.New("no message was answered while it was measured")

func (m *meter) sample(r load.Result) (Sample, error) {
	if r.Messages == 0 || r.Latency.Count() == 0 {
		return Sample{}, errNothing
	}
	n := float64(r.Messages)
	return Sample{
		Cost: float64(m.cpu.Nanoseconds()) / 1e3 / n,
		Rate: n / r.Elapsed.Seconds(),
		P50:  r.Latency.Quantile(0.5), P99: r.Latency.Quantile(0.99), P999: r.Latency.Quantile(0.999),
		Allocs:     max(float64(m.mallocs)-float64(m.ownAllocs), 0) / n,
		RSS:        float64(m.resident) / mib,
		SlowClosed: r.SlowClosed,
	}, nil
}

// idle measures memory a connection: resident before anything connects, and
// while all connections are open and silent.
func idle(ctx context.Context, p *process, target load.Target, conns, size int, echo bool) (Sample, error) {
	pid := p.command.Process.Pid
	if _, err := p.report(true); err != nil { // the debug port's own memory must not count
		return Sample{}, err
	}
	base, err := p.report(true)
	if err != nil {
		return Sample{}, err
	}
	before, err := residentBytes(pid)
	if err != nil {
		return Sample{}, err
	}
	pause := quiet
	if conns < 1000 {
		pause = quietOfFew
	}
	var s Sample
	err = load.Hold(ctx, target, conns, size, echo, func() error {
		time.Sleep(pause)
		asIs, err := residentBytes(pid)
		if err != nil {
			return err
		}
		report, err := p.report(true)
		if err != nil {
			return err
		}
		after, err := residentBytes(pid)
		if err != nil {
			return err
		}
		each := func(bytes int64) float64 { return float64(bytes) / kib / float64(conns) }
		s.Cost, s.RSS = each(after-before), each(asIs-before)
		s.Heap = each(int64(report.HeapInuse+report.StackInuse) - int64(base.HeapInuse+base.StackInuse))
		return nil
	})
	return s, err
}
