package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"
)

const (
	// messageLimit is the largest message the echo server accepts. The clients
	// are told it, send one byte more and expect close code 1009.
	messageLimit = 1 << 21
	// clientTimeout bounds one run of a client script. Each check inside has a
	// shorter bound of its own, so that a hang is reported by its name.
	clientTimeout = 2 * time.Minute
)

// checks names what every client script must report, so that a script that
// stops early or loses a check fails.
var checks = []string{
	"text", "binary",
	"payload-0", "payload-125", "payload-126", "payload-65535", "payload-65536", "payload-1048576",
	"fragmented", "ping", "close", "server-close", "too-large", "concurrent",
}

func TestNodeClientAgreesWithServer(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node")
	}
	if _, err := os.Stat(filepath.Join("node", "node_modules", "ws")); err != nil {
		missing(t, `the npm package ws (run "npm ci" in internal/interop/node)`)
	}
	runClient(t, node, filepath.Join("node", "echo.mjs"))
}

func TestPythonClientAgreesWithServer(t *testing.T) {
	runClient(t, findPython(t), filepath.Join("python", "echo.py"))
}

// findPython returns a Python that has the websockets module. The system's own
// comes first: a version manager's python3 on PATH does not see its packages.
func findPython(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"/usr/bin/python3", "python3", "python"} {
		path, err := exec.LookPath(name)
		if err == nil && exec.Command(path, "-c", "import websockets").Run() == nil {
			return path
		}
	}
	missing(t, "python3 with the module websockets")
	return ""
}

// missing skips a test whose program is absent. Under TANDEM_CI it fails
// instead, because a run that promises the foreign clients must have them.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("TANDEM_CI") == "1" {
		t.Fatalf("%s is missing", what)
	}
	t.Skipf("%s is missing", what)
}

// result is one line of a client script's standard output.
type result struct {
	Check string `json:"check"`
	OK    bool   `json:"ok"`
	Error string `json:"error"`
}

// runClient starts an echo server, runs script against it and reports each of
// the script's checks as a subtest.
func runClient(t *testing.T, program, script string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTimeout)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, script, startEcho(t), strconv.Itoa(messageLimit))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = time.Second
	runErr := cmd.Run()

	results := parse(t, &stdout)
	for _, name := range checks {
		t.Run(name, func(t *testing.T) {
			switch r, reported := results[name]; {
			case !reported:
				t.Fatal("not reported by the client")
			case !r.OK:
				t.Fatal(r.Error)
			}
		})
	}
	if runErr != nil {
		t.Errorf("%s: %v\n%s", script, errors.Join(runErr, ctx.Err()), stderr.Bytes())
	}
}

// parse reads the script's lines and refuses anything that is not a known
// check reported once.
func parse(t *testing.T, output *bytes.Buffer) map[string]result {
	t.Helper()
	results := make(map[string]result)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		var r result
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Errorf("not a result: %q: %v", lines.Text(), err)
			continue
		}
		if _, twice := results[r.Check]; twice || !slices.Contains(checks, r.Check) {
			t.Errorf("unexpected result: %q", lines.Text())
		}
		results[r.Check] = r
	}
	if err := lines.Err(); err != nil {
		t.Error(err)
	}
	return results
}
