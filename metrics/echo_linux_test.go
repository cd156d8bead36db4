package metrics_test

import (
	"syscall"
	"testing"
	"time"
)

// mostOfAnEcho is the part of an echo's processor time that observing it may
// take, with one message in flight on each connection.
const mostOfAnEcho = 0.03

// processorTime is what this process has used.
func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// echoing returns what an echo takes a server without an observer, in
// nanoseconds.
func echoing(t testing.TB, suffix string) float64 {
	t.Helper()
	addr := echoServer(t, nil) + suffix
	runClient(t, addr) // fills pools
	before := processorTime(t)
	runClient(t, addr)
	return float64(processorTime(t)-before) / (echoConns * echoesAsked)
}

func TestObservingAnEchoCostsLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector costs more than either")
	}
	part := 0.0
	for range 3 { // a machine that is busy with something else
		echo, observed := echoing(t, ""), observing(t, "")
		part = observed / echo
		t.Logf("an echo takes %.0f ns of processor time, observing it %.0f ns: %.1f %%", echo, observed, 100*part)
		if part <= mostOfAnEcho {
			return
		}
	}
	t.Errorf("observing takes %.1f %% of an echo, at most %.0f %% are allowed", 100*part, 100*mostOfAnEcho)
}

// BenchmarkEcho states both numbers, and also where 16 messages are in flight
// and share their system calls.
func BenchmarkEcho(b *testing.B) {
	for name, suffix := range map[string]string{"1 in flight": "", "16 in flight": "/16"} {
		b.Run(name, func(b *testing.B) {
			echo, observed := 0.0, 0.0
			for b.Loop() {
				echo, observed = echoing(b, suffix), observing(b, suffix)
			}
			b.ReportMetric(echo, "cpu-ns/echo")
			b.ReportMetric(observed, "observer-ns/echo")
			b.ReportMetric(100*observed/echo, "observer-%")
			b.ReportMetric(0, "ns/op")
		})
	}
}
