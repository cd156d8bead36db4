package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

func TestChatThatIsNotReadyGoesOnForItsDelay(t *testing.T) {
	p, process, ended := startChild(t, "-drain-delay", "30m", "-drain-timeout", "1h")
	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		if response, _ := get(t, p.admin+"readyz"); response.StatusCode == http.StatusServiceUnavailable {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still ready:\n%s", p.log)
		}
	}
	if response, _ := get(t, p.admin+"healthz"); response.StatusCode != http.StatusOK {
		t.Errorf("not alive while draining: %s", response.Status)
	}
	ann := p.dial()
	ann.join("lobby", "ann", "ann")
	if err := process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if code := awaitExit(t, ended); code != exitFailed {
		t.Errorf("exit code %d:\n%s", code, p.log)
	}
}

func TestDrainThatIsSpreadReachesEverybody(t *testing.T) {
	noLeaks(t)
	p, stop := startProgram(t, "-drain-delay", "50ms", "-drain-spread", "300ms")
	clients := make([]*client, 20)
	for i := range clients {
		clients[i] = p.dial()
	}
	began := time.Now()
	code := make(chan int, 1)
	go func() { code <- stop() }()
	for _, c := range clients {
		if got, reason := c.expectClose(); got != wscore.CloseServiceRestart || reason == "" {
			t.Errorf("closed with %v %q", got, reason)
		}
		c.expectEnd()
	}
	if got := <-code; got != exitOK {
		t.Errorf("exit code %d", got)
	}
	if took := time.Since(began); took < 50*time.Millisecond {
		t.Errorf("all of it took %v, which is less than its delay", took)
	}
	for _, stage := range []string{`"stage":"waiting"`, `"stage":"closing"`, `"stage":"emptying"`, `"stage":"done"`} {
		if !strings.Contains(p.log.String(), stage) {
			t.Errorf("the log has no %s:\n%s", stage, p.log)
		}
	}
}
