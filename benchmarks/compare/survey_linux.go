package compare

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// compared are the modules whose versions a report names.
var compared = []string{
	"github.com/lxzan/gws", "github.com/lesismal/nbio", "github.com/coder/websocket", "github.com/gorilla/websocket",
	"github.com/gobwas/ws", "github.com/klauspost/compress",
}

// Survey collects what a report says about machine, versions and plan.
func Survey(p Plan) (Facts, error) {
	info, err := buildinfo.ReadFile(filepath.Join(p.Programs, peerServer))
	if err != nil {
		return Facts{}, err
	}
	f := Facts{Date: time.Now(), Machine: machine(), Rounds: p.Rounds, Warmup: p.Warmup, Duration: p.Duration}
	for _, name := range compared {
		for _, dep := range info.Deps {
			if dep.Path == name {
				f.Versions = append(f.Versions, name+" "+dep.Version)
			}
		}
	}
	f.Versions = append(f.Versions, "Tandem of this folder", info.GoVersion)
	return f, nil
}

func machine() string {
	model := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo") // without it the model stays unknown
	for line := range strings.SplitSeq(string(text), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%s, %d processors, Linux %s, %s", model, runtime.NumCPU(), strings.TrimSpace(string(release)), runtime.GOARCH)
}
