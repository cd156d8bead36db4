// Package debugpage shows what a server under test uses: memory, goroutines and
// profiles. The echo server and its peers in the benchmarks answer alike, so
// that what is measured of them compares.
package debugpage

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"runtime"
	"runtime/debug"
)

// Handler answers GET /debug with memory statistics and the goroutine count as
// JSON; with ?gc=1 garbage is collected and given back first. The profiles of
// net/http/pprof are under /debug/pprof/.
func Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("gc") == "1" {
			runtime.GC()
			runtime.GC()
			debug.FreeOSMemory()
		}
		var report struct {
			Goroutines int
			runtime.MemStats
		}
		report.Goroutines = runtime.NumGoroutine()
		runtime.ReadMemStats(&report.MemStats)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(report) // a client that left needs no answer
	})
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
