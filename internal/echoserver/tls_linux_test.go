package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// idleTLS is how many connections the memory of one under TLS is measured with.
const idleTLS = 3000

// TestIdleMemoryUnderTLS shows what a silent connection of the whole kit costs
// under TLS, most of which belongs to crypto/tls. It promises nothing, and runs
// only with TANDEM_IDLE=1.
func TestIdleMemoryUnderTLS(t *testing.T) {
	if os.Getenv("TANDEM_IDLE") != "1" {
		t.Skip("set TANDEM_IDLE=1")
	}
	program := filepath.Join(t.TempDir(), "echoserver")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	addr, debug := freeAddr(t), freeAddr(t)
	server := exec.Command(program, "-tls", "-addr", addr, "-debug", debug)
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = server.Process.Kill(), server.Wait() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	before := residentAfterCollection(t, server.Process.Pid, debug)
	for range idleTLS {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true}) // #nosec: its own certificate
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		_, _ = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", addr)
		answer := make([]byte, 1024)
		if n, err := conn.Read(answer); err != nil || !bytes.HasPrefix(answer[:n], []byte("HTTP/1.1 101 ")) {
			t.Fatalf("%q, %v", answer[:n], err)
		}
	}
	after := residentAfterCollection(t, server.Process.Pid, debug)
	t.Logf("%.1f KiB resident a connection", float64(after-before)/idleTLS)
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// residentAfterCollection returns a server's resident memory in KiB.
func residentAfterCollection(t *testing.T, pid int, debug string) int {
	t.Helper()
	response, err := http.Get("http://" + debug + "/debug?gc=1")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(rollup), "\n") {
		if rest, ok := strings.CutPrefix(line, "Rss:"); ok {
			kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(rest, "kB")))
			if err != nil {
				t.Fatal(err)
			}
			return kib
		}
	}
	t.Fatal("no resident memory reported")
	return 0
}
