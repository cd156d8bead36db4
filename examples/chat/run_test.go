package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tandem-ws/tandem/examples/chat/web"
	"github.com/tandem-ws/tandem/wscore"
)

func TestWrongCommandLinesGetOneLineAndExitCode2(t *testing.T) {
	noLeaks(t)
	occupied, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = occupied.Close() }()
	for name, test := range map[string]struct {
		args []string
		says string
	}{
		"unknown flag":         {[]string{"-port", "80"}, "-port"},
		"flag without value":   {[]string{"-addr"}, "-addr"},
		"unknown level":        {[]string{"-log-level", "loud"}, "loud"},
		"level of panics":      {[]string{"-log-level", "fatal"}, "fatal"},
		"unexpected argument":  {[]string{"serve"}, `"serve"`},
		"address without port": {[]string{"-addr", "localhost"}, "missing port"},
		"empty address":        {[]string{"-addr", ""}, "-addr"},
		"port out of range":    {[]string{"-addr", "127.0.0.1:65536"}, "invalid port"},
		"line break in a flag": {[]string{"-a\nb"}, "-a b"},
		"negative delay":       {[]string{"-drain-delay", "-1s"}, "-drain-delay -1s"},
		"endless spread":       {[]string{"-drain-spread", "2h", "-drain-timeout", "1h"}, "-drain-spread 2h0m0s"},
		"too little time":      {[]string{"-drain-delay", "5s", "-drain-spread", "10s", "-drain-timeout", "19s"}, "20s"},
		"port in use":          {[]string{"-addr", occupied.Addr().String()}, "in use"},
		"admin port in use":    {[]string{"-addr", "127.0.0.1:0", "-admin", occupied.Addr().String()}, "-admin"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel() // ends it should it start after all
			var stderr strings.Builder
			if code := run(ctx, test.args, &stderr); code != exitUsage {
				t.Errorf("exit code %d", code)
			}
			line := stderr.String()
			if strings.Count(line, "\n") != 1 || !strings.HasPrefix(line, "chat: ") || !strings.Contains(line, test.says) {
				t.Errorf("it says %q, want one line with %q", line, test.says)
			}
		})
	}
}

func TestHelpListsTheFlags(t *testing.T) {
	var stderr strings.Builder
	if code := run(context.Background(), []string{"-h"}, &stderr); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	for _, flag := range []string{"-addr", "-admin", "-log-level", "-drain-delay", "-drain-spread", "-drain-timeout"} {
		if !strings.Contains(stderr.String(), "  "+flag+" ") {
			t.Errorf("%s is missing in:\n%s", flag, stderr.String())
		}
	}
}

func TestPageIsServedWithStrictHeaders(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	response, body := get(t, p.url)
	if response.StatusCode != http.StatusOK || !strings.Contains(body, "<!doctype html>") {
		t.Fatalf("%s: %q", response.Status, body)
	}
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
		"X-Content-Type-Options":  "nosniff",
		"Referrer-Policy":         "no-referrer",
		"Cache-Control":           "no-cache",
		"Content-Type":            "text/html; charset=utf-8",
	} {
		if got := response.Header.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	// The policy allows no inline code, so the page must not need any.
	if inline := regexp.MustCompile(`(?i)<script(?:>|[^>]*[^>]>\s*\S+.*</script>)|<style|\sstyle=|\son\w+=`).FindString(body); inline != "" {
		t.Errorf("the page has inline code: %q", inline)
	}
	for _, file := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(body, -1) {
		if response, _ := get(t, p.url+file[1]); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", file[1], response.Status)
		}
	}
	if response, _ := get(t, p.url+"web.go"); response.StatusCode != http.StatusNotFound || response.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("a file that does not exist: %s", response.Status)
	}
}

func TestPageIsSentOnceOnly(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	response, _ := get(t, p.url+"app.js")
	if got := response.Header.Get("Content-Type"); got != "text/javascript; charset=utf-8" {
		t.Errorf("a script is %q", got)
	}
	for method, test := range map[string]struct {
		etag string
		want int
	}{
		http.MethodGet:  {response.Header.Get("ETag"), http.StatusNotModified},
		http.MethodHead: {"", http.StatusOK},
		http.MethodPost: {"", http.StatusMethodNotAllowed},
	} {
		request, err := http.NewRequest(method, p.url+"app.js", nil)
		if err != nil {
			t.Fatal(err)
		}
		if test.etag != "" {
			request.Header.Set("If-None-Match", test.etag)
		}
		again, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = again.Body.Close() // nothing is read of it
		if again.StatusCode != test.want {
			t.Errorf("%s: %s", method, again.Status)
		}
	}
}

func TestPageNeedsAnIndexAndKnownTypes(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"no index":     {"a.js": {}},
		"unknown type": {"index.html": {}, "a.wasm": {}},
	} {
		if _, err := newPage(files); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := newPage(web.Files); err != nil {
		t.Error(err)
	}
}

// metric returns the sum of a metric's values over the lines whose labels
// contain all of the given ones.
func (p *program) metric(name string, labels ...string) float64 {
	p.t.Helper()
	response, body := get(p.t, p.admin+"metrics")
	if response.StatusCode != http.StatusOK {
		p.t.Fatalf("metrics: %s", response.Status)
	}
	sum := 0.0
lines:
	for line := range strings.Lines(body) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(rest, label) {
				continue lines
			}
		}
		value, err := strconv.ParseFloat(strings.Fields(rest)[len(strings.Fields(rest))-1], 64)
		if err != nil {
			p.t.Fatal(err)
		}
		sum += value
	}
	return sum
}

func TestMetricsTellOfPingsAndCloses(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	opened := time.Now()
	ann := p.dial()
	for pinged := false; !pinged; {
		m, err := ann.next()
		if err != nil {
			t.Fatal(err)
		}
		pinged = m.IsPing()
	}
	ann.join("lobby", "ann", "ann") // the answer shows that the pong was read
	if n := p.metric("tandem_ping_round_trip_seconds_count"); n < 1 {
		t.Errorf("%v round trips were measured", n)
	}
	if took := time.Since(opened); took > 2*time.Second {
		t.Errorf("the first round trip took %v", took)
	}
	bob := p.dial()
	bob.join("lobby", "bob", "ann", "bob")
	ann.expectNotice("join", "bob", "ann", "bob")
	bob.leave(wscore.CloseGoingAway)
	ann.expectNotice("leave", "bob", "ann") // which the closing precedes
	if n := p.metric("tandem_connections_closed_total", `code="1001"`, `initiator="remote"`); n != 1 {
		t.Errorf("%v connections were closed by their peer with 1001", n)
	}
}

func TestAdminPort(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	for path, want := range map[string]string{"healthz": "alive\n", "readyz": "ready\n"} {
		if response, body := get(t, p.admin+path); response.StatusCode != http.StatusOK || body != want {
			t.Errorf("%s: %s, %q", path, response.Status, body)
		}
	}
	for _, path := range []string{"debug/pprof/", "debug/pprof/goroutine?debug=1", "debug/pprof/cmdline"} {
		if response, _ := get(t, p.admin+path); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
	request, err := http.NewRequest(http.MethodGet, p.admin+"metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // the type is what counts
	if got := response.Header.Get("Content-Type"); !strings.HasPrefix(got, "application/openmetrics-text") {
		t.Errorf("metrics are %q", got)
	}
	for _, path := range []string{"metrics", "healthz", "readyz", "debug/pprof/"} {
		if response, _ := get(t, p.url+path); response.StatusCode != http.StatusNotFound {
			t.Errorf("the public address has %s: %s", path, response.Status)
		}
	}
}

func TestDrainClosesEverybodyWith1012(t *testing.T) {
	noLeaks(t)
	p, stop := startProgram(t)
	ann, bob := p.dial(), p.dialWith(wscore.Options{ManualClose: true})
	ann.join("lobby", "ann", "ann")
	bob.join("lobby", "bob", "ann", "bob")
	ann.expectNotice("join", "bob", "ann", "bob")

	code := make(chan int, 1)
	go func() { code <- stop() }()
	if got, reason := bob.expectClose(); got != wscore.CloseServiceRestart || reason == "" {
		t.Errorf("closed with %v %q", got, reason)
	}
	// Until bob answers, the program is draining.
	if response, _ := get(t, p.admin+"readyz"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("ready while draining: %s", response.Status)
	}
	if response, _ := get(t, p.admin+"healthz"); response.StatusCode != http.StatusOK {
		t.Errorf("not alive while draining: %s", response.Status)
	}
	if got, _ := ann.expectClose(); got != wscore.CloseServiceRestart {
		t.Errorf("closed with %v", got)
	}
	ann.expectEnd()
	if err := bob.ws.Close(wscore.CloseGoingAway, ""); err != nil {
		t.Fatal(err)
	}
	if got := <-code; got != exitOK {
		t.Errorf("exit code %d", got)
	}
	if stream, err := net.Dial("tcp", p.host()); err == nil {
		_ = stream.Close() // it should not be there
		t.Error("still listening")
	}
}

func TestSignals(t *testing.T) {
	for _, signal := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			p, process, ended := startChild(t)
			ann := p.dial()
			ann.join("lobby", "ann", "ann")
			if err := process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if code, _ := ann.expectClose(); code != wscore.CloseServiceRestart {
				t.Errorf("closed with %v", code)
			}
			ann.expectEnd()
			if code := awaitExit(t, ended); code != exitOK {
				t.Errorf("exit code %d:\n%s", code, p.log)
			}
		})
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	p, process, ended := startChild(t)
	stubborn := p.dialWith(wscore.Options{ManualClose: true})
	stubborn.join("lobby", "ann", "ann")
	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	stubborn.expectClose() // and no answer, so that the program has to wait
	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := awaitExit(t, ended); code != exitFailed {
		t.Errorf("exit code %d:\n%s", code, p.log)
	}
}

func awaitExit(t *testing.T, ended <-chan int) int {
	t.Helper()
	select {
	case code := <-ended:
		return code
	case <-time.After(patience):
		t.Fatal("the program does not end")
		return -1
	}
}

func TestURLToOpen(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:8080": "http://127.0.0.1:8080/",
		"0.0.0.0:8080":   "http://localhost:8080/",
		"[::]:8080":      "http://localhost:8080/",
		"[::1]:8080":     "http://[::1]:8080/",
	} {
		resolved, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := urlOf(resolved); got != want {
			t.Errorf("%s: %s", addr, got)
		}
	}
}
