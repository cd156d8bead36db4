package compare

import (
	"fmt"
	"time"
)

// Kind is what the load does.
type Kind int

// Kinds of workloads.
const (
	Echo Kind = iota
	Deflate
	Broadcast
	Idle
	Storm
	Slow
)

// Workload is one row of the comparison.
type Workload struct {
	Name   string
	Kind   Kind
	Size   int // bytes of a message
	Conns  int
	Window int // in flight on each connection, or messages of a burst
	Slow   int // connections, out of Conns, that never read
	Rounds int // at most so many, 0: as many as asked for
}

// Unit is what a workload's cost is counted in.
func (w Workload) Unit() string {
	switch w.Kind {
	case Broadcast:
		return "CPU µs a delivery"
	case Idle:
		return "RSS KiB a connection"
	case Storm:
		return "CPU µs a handshake"
	}
	return "CPU µs a message"
}

// Excludes says why a server cannot run a workload, or nothing.
func (w Workload) Excludes(s Server) string {
	switch {
	case w.Kind == Broadcast && !s.Broadcasts:
		return "does not broadcast"
	case w.Kind == Deflate && !s.Deflates:
		return "does not compress"
	case (w.Conns > 1000 || w.Kind == Storm || w.Kind == Idle) && !s.Crowds:
		return "reserves 16 MiB a connection"
	}
	return ""
}

// quiet is how long idle connections are left alone before memory is read;
// fewer than a thousand get less.
const (
	quiet      = 2 * time.Second
	quietOfFew = 200 * time.Millisecond
)

// estimate is how long a cell probably takes.
func (w Workload) estimate(warmup, duration time.Duration) time.Duration {
	opening := 200*time.Millisecond + time.Duration(w.Conns)*150*time.Microsecond
	switch w.Kind {
	case Idle:
		return 2*opening + quiet
	case Storm:
		return 2 * opening
	}
	return opening + warmup + duration
}

const (
	kib = 1 << 10
	mib = 1 << 20
)

// Workloads are all rows of the comparison.
func Workloads() []Workload {
	return []Workload{
		echo(32, 100, 1),
		echo(128, 1, 1),
		echo(128, 100, 1),
		echo(128, 100, 16),
		echo(128, 1000, 1),
		echo(128, 1000, 16),
		echo(kib, 100, 1),
		echo(kib, 100, 16),
		echo(16*kib, 100, 1),
		echo(128*kib, 100, 1),
		echo(mib, 10, 1),
		{Name: "deflate 1 KiB JSON, 100 conns, 1 in flight", Kind: Deflate, Size: kib, Conns: 100, Window: 1},
		broadcast(1000, 1),
		broadcast(1000, 16),
		broadcast(10_000, 1),
		broadcast(10_000, 16),
		{Name: "slow readers, 1 KiB, 190 conns echo, 10 never read", Kind: Slow, Size: kib, Conns: 200, Window: 1, Slow: 10},
		{Name: "connection storm, 2,000 handshakes", Kind: Storm, Conns: 2000},
		{Name: "idle, 15,000 conns after one echo each", Kind: Idle, Size: 128, Conns: 15_000, Rounds: 3},
	}
}

func echo(size, conns, window int) Workload {
	return Workload{
		Name: fmt.Sprintf("echo %s, %s, %d in flight", bytesText(size), connsText(conns), window),
		Kind: Echo, Size: size, Conns: conns, Window: window,
	}
}

func broadcast(conns, burst int) Workload {
	name := fmt.Sprintf("broadcast 128 B to %s, one at a time", thousands(conns))
	if burst > 1 {
		name = fmt.Sprintf("broadcast 128 B to %s, bursts of %d", thousands(conns), burst)
	}
	return Workload{Name: name, Kind: Broadcast, Size: 128, Conns: conns, Window: burst}
}

// Quick are rows that only show that everything works.
func Quick() []Workload {
	deflate := Workload{Name: "deflate 1 KiB JSON, 10 conns, 1 in flight", Kind: Deflate, Size: kib, Conns: 10, Window: 1}
	slow := Workload{Name: "slow readers, 1 KiB, 19 conns echo, 1 never reads", Kind: Slow, Size: kib, Conns: 20, Window: 1, Slow: 1}
	storm := Workload{Name: "connection storm, 100 handshakes", Kind: Storm, Conns: 100}
	idle := Workload{Name: "idle, 200 conns after one echo each", Kind: Idle, Size: 128, Conns: 200, Rounds: 1}
	return []Workload{echo(128, 10, 1), echo(128, 10, 16), echo(128*kib, 4, 1), deflate, broadcast(50, 1), broadcast(50, 16), slow, storm, idle}
}

func bytesText(n int) string {
	switch {
	case n >= mib:
		return fmt.Sprintf("%d MiB", n/mib)
	case n >= kib:
		return fmt.Sprintf("%d KiB", n/kib)
	}
	return fmt.Sprintf("%d B", n)
}

func connsText(n int) string {
	if n == 1 {
		return "1 conn"
	}
	return thousands(n) + " conns"
}

func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
