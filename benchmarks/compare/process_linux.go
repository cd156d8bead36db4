package compare

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 10 * time.Second
	stopTimeout  = 2 * time.Second
	debugTimeout = 30 * time.Second
)

// Build compiles the servers of this module and of Tandem into a folder. It
// works from anywhere inside the repository.
func Build(ctx context.Context, into string) error {
	benchmarks, err := moduleDir(ctx)
	if err != nil {
		return err
	}
	for program, at := range map[string][2]string{
		echoServer: {filepath.Dir(benchmarks), "./internal/echoserver"},
		peerServer: {benchmarks, "./cmd/peerserver"},
	} {
		c := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(into, program), at[1])
		c.Dir = at[0]
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", program, err, out)
		}
	}
	return nil
}

// moduleDir is the folder of the benchmarks module.
func moduleDir(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	dir := filepath.Dir(strings.TrimSpace(string(out)))
	if _, err := os.Stat(filepath.Join(dir, "cmd", peerServer)); err == nil {
		return dir, nil
	}
	dir = filepath.Join(dir, "benchmarks")
	if _, err := os.Stat(filepath.Join(dir, "cmd", peerServer)); err != nil {
		return "", errors.New("run this inside Tandem's repository")
	}
	return dir, nil
}

// process is a server that runs.
type process struct {
	addr, debug string
	command     *exec.Cmd
	stderr      *bytes.Buffer
	ended       chan error
}

func start(ctx context.Context, programs string, s Server, deflate, broadcast bool) (*process, error) {
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	debug, err := freeAddr()
	if err != nil {
		return nil, err
	}
	args := append([]string{"-addr", addr, "-debug", debug}, s.args...)
	if deflate {
		args = append(args, "-deflate")
	}
	if broadcast {
		args = append(args, "-broadcast")
	}
	p := &process{addr: addr, debug: debug, stderr: &bytes.Buffer{}, ended: make(chan error, 1)}
	p.command = exec.CommandContext(ctx, filepath.Join(programs, s.program), args...)
	p.command.Stderr = &head{to: p.stderr}
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewReader(stdout)
		line, _ := lines.ReadString('\n')
		ready <- line
		_, _ = io.Copy(io.Discard, lines)
		p.ended <- p.command.Wait()
	}()
	select {
	case line := <-ready:
		if strings.TrimSpace(line) == "ready" {
			return p, nil
		}
		err = fmt.Errorf("said %q", line)
	case <-time.After(startTimeout):
		err = fmt.Errorf("not ready after %v", startTimeout)
	}
	p.stop()
	return nil, fmt.Errorf("starting %s: %w\n%s", s.Name, err, p.stderr)
}

// stop ends the process, kindly at first.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
		return
	case <-time.After(stopTimeout):
	}
	_ = p.command.Process.Kill()
	<-p.ended
}

// dead explains why a process ended by itself, if it did.
func (p *process) dead() error {
	select {
	case err := <-p.ended:
		p.ended <- err
		return fmt.Errorf("the server ended: %w\n%s", err, p.stderr)
	default:
		return nil
	}
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// debugReport is the part of GET /debug that is used.
type debugReport struct {
	Goroutines            int
	Mallocs               uint64
	HeapInuse, StackInuse uint64
	NumGC                 uint32
}

func (p *process) report(gc bool) (debugReport, error) {
	var r debugReport
	url := "http://" + p.debug + "/debug"
	if gc {
		url += "?gc=1"
	}
	client := http.Client{Timeout: debugTimeout, Transport: &http.Transport{}}
	answer, err := client.Get(url)
	if err != nil {
		return r, err
	}
	defer client.CloseIdleConnections()
	defer func() { _ = answer.Body.Close() }()
	return r, json.NewDecoder(answer.Body).Decode(&r)
}

// head keeps the first 4 KiB that a server complains.
type head struct{ to *bytes.Buffer }

// Write keeps what there is room for and never fails.
func (t *head) Write(p []byte) (int, error) {
	if room := 4<<10 - t.to.Len(); room > 0 {
		t.to.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
