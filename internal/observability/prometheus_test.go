package observability

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// How often the server scrapes, and the window of rates: short, so that what is
// provoked shows soon.
const (
	scrapeInterval = "200ms"
	rateWindow     = "2s"
)

// patience bounds every wait.
const patience = 30 * time.Second

// need returns where a program is, or skips: it is not a failure on a machine
// that has no Prometheus, except where the whole of CI runs.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if os.Getenv("TANDEM_CI") != "" {
		t.Fatalf("%s is not installed", program)
	}
	t.Skipf("%s is not installed", program)
	return ""
}

// repository is where this one's files are.
func repository(elements ...string) string {
	return filepath.Join(append([]string{"..", ".."}, elements...)...)
}

// promtool runs it and returns what it says.
func promtool(t *testing.T, stdin io.Reader, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), need(t, "promtool"), args...)
	command.Stdin = stdin
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// target is what the server scrapes.
type target struct{ job, pod, addr string }

// promServer is a running server.
type promServer struct {
	t    *testing.T
	url  string
	dead chan error // gets why it ended
}

// startPrometheus starts a server on a free loopback port with its data in a
// temporary directory.
func startPrometheus(t *testing.T, targets ...target) *promServer {
	t.Helper()
	program := need(t, "prometheus")
	directory := t.TempDir()
	rules, err := filepath.Abs(repository("deploy", "prometheus"))
	if err != nil {
		t.Fatal(err)
	}
	var config strings.Builder
	fmt.Fprintf(&config, "global:\n  scrape_interval: %s\n  scrape_timeout: %s\n  evaluation_interval: 1s\n", scrapeInterval, scrapeInterval)
	fmt.Fprintf(&config, "rule_files:\n  - %s\n  - %s\nscrape_configs:\n", filepath.Join(rules, "recording.yaml"), filepath.Join(rules, "alerts.yaml"))
	for i, one := range targets {
		fmt.Fprintf(&config, "  - job_name: job-%d\n    static_configs:\n      - targets: [%q]\n        labels: {namespace: test, job: %s, pod: %s}\n", i, one.addr, one.job, one.pod)
	}
	path := filepath.Join(directory, "prometheus.yml")
	if err := os.WriteFile(path, []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, nil, "check", "config", path)

	addr := freeAddress(t)
	var log bytes.Buffer
	command := exec.Command(program, "--config.file="+path, "--storage.tsdb.path="+filepath.Join(directory, "data"),
		"--web.listen-address="+addr, "--log.level=warn")
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &promServer{t: t, url: "http://" + addr, dead: make(chan error, 1)}
	go func() { p.dead <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may have ended
		<-p.dead
		if t.Failed() {
			t.Logf("prometheus says:\n%s", log.Bytes())
		}
	})
	p.until("prometheus is ready", func() bool {
		response, err := http.Get(p.url + "/-/ready")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return p
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

// until asks again until the answer is yes.
func (p *promServer) until(what string, yes func() bool) {
	p.t.Helper()
	if !p.within(patience, yes) {
		p.t.Fatalf("waited in vain: %s", what)
	}
}

// within asks again until the answer is yes, or the time is up.
func (p *promServer) within(limit time.Duration, yes func() bool) bool {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), limit)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes() {
			return true
		}
		select {
		case err := <-p.dead:
			p.dead <- err
			p.t.Fatalf("prometheus has ended: %v", err)
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
}

// sample is a series and its values.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
	Values [][2]any          `json:"values,omitempty"`
}

// ask asks the HTTP interface and fails the test at an error or a warning.
func (p *promServer) ask(path string, query url.Values, result any) {
	p.t.Helper()
	response, err := http.Get(p.url + "/api/v1/" + path + "?" + query.Encode())
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Status   string
		Error    string
		Warnings []string
		Data     json.RawMessage
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		p.t.Fatal(err)
	}
	if answer.Status != "success" || len(answer.Warnings) > 0 {
		p.t.Fatalf("%s %s: %s %v", path, query, answer.Error, answer.Warnings)
	}
	if err := json.Unmarshal(answer.Data, result); err != nil {
		p.t.Fatal(err)
	}
}

// query runs a query now.
func (p *promServer) query(expr string) []sample {
	p.t.Helper()
	var result struct{ Result []sample }
	p.ask("query", url.Values{"query": {expr}}, &result)
	return result.Result
}

// sum adds up what the queries return; ok is false if that is nothing but NaN.
func (p *promServer) sum(exprs []string) (total float64, ok bool) {
	p.t.Helper()
	for _, expr := range exprs {
		for _, s := range p.query(expr) {
			text, _ := s.Value[1].(string)
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				p.t.Fatalf("%s returned %q", expr, text)
			}
			if !math.IsNaN(value) {
				total, ok = total+value, true
			}
		}
	}
	return total, ok
}
