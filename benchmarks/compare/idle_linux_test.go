package compare

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/benchmarks/load"
)

// idleConns is how many connections the memory of one is measured with.
const idleConns = 15_000

// TestIdleMemory holds many silent connections, each with its session and its
// membership of a topic, and fails if one takes more resident memory than
// promised. It takes a minute and 15,000 open files: only with TANDEM_IDLE=1.
func TestIdleMemory(t *testing.T) {
	if os.Getenv("TANDEM_IDLE") != "1" {
		t.Skip("set TANDEM_IDLE=1")
	}
	if files, err := openFiles(); err != nil || files < idleConns+spareFiles {
		t.Fatalf("%d open files are allowed (%v), %d are needed", files, err, idleConns+spareFiles)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	programs := t.TempDir()
	if err := Build(ctx, programs); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		limit float64 // KiB a connection, 0: shown only
	}{
		{"actor-poll", 2},
		{"actor-park", 5},
		{"split-poll", 0},
		{"gws", 0},
		{"nbio", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			servers, err := Pick(c.name)
			if err != nil {
				t.Fatal(err)
			}
			p, err := start(ctx, programs, servers[0], false, servers[0].Broadcasts)
			if err != nil {
				t.Fatal(err)
			}
			defer p.stop()
			s, err := idle(ctx, p, load.Target{Addr: p.addr}, idleConns, load.MinSize, false)
			if err != nil {
				t.Fatal(withDeath(p, err))
			}
			t.Logf("%.2f KiB resident a connection, %.2f before garbage is given back, %.2f of heap and stack", s.Cost, s.RSS, s.Heap)
			if c.limit > 0 && s.Cost > c.limit {
				t.Errorf("%.2f KiB a connection, promised are %.2f", s.Cost, c.limit)
			}
		})
	}
}
