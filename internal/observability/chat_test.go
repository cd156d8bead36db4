package observability

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// build builds a program of this repository.
func build(t *testing.T, directory, name string) string {
	t.Helper()
	path := filepath.Join(directory, name)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./"+filepath.ToSlash(filepath.Join(repository("examples"), name))).CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", name, err, out)
	}
	return path
}

// startChat starts the chat and returns its WebSocket URL and the address of
// its metrics.
func startChat(t *testing.T, programs string) (socket, admin string) {
	t.Helper()
	command := exec.Command(build(t, programs, "chat"), "-addr", "127.0.0.1:0", "-admin", "127.0.0.1:0")
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ready := make(chan [2]string, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			var entry struct{ URL, Admin string }
			if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.URL != "" {
				ready <- [2]string{entry.URL, entry.Admin}
			}
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // its shutdown has tests of its own
		<-drained
		_ = command.Wait()
	})
	select {
	case urls := <-ready:
		public, err := url.Parse(urls[0])
		if err != nil {
			t.Fatal(err)
		}
		metrics, err := url.Parse(urls[1])
		if err != nil {
			t.Fatal(err)
		}
		return "ws://" + public.Host + "/ws", metrics.Host
	case <-drained:
		t.Fatal("the chat does not start")
	case <-time.After(patience):
		t.Fatal("the chat is not ready")
	}
	return "", ""
}

// startLoad fills the chat with people until the test ends.
func startLoad(t *testing.T, programs, socket string) {
	t.Helper()
	var out strings.Builder
	command := exec.Command(build(t, programs, "loadgen"), "-url", socket, "-clients", "60", "-rooms", "3", "-rate", "1", "-stay", "5s", "-trouble", "4", "-duration", "5m")
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			lines := strings.Split(strings.TrimSpace(out.String()), "\n")
			t.Logf("the load said last: %s", lines[len(lines)-1])
		}
	})
}
