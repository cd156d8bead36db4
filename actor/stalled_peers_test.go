package actor_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// stalledProcess is the server's process and how to talk to it.
type stalledProcess struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	answers *json.Decoder
	address string
	stderr  bytes.Buffer
}

func startStalledServer(t *testing.T, plan stalledPlan) *stalledProcess {
	t.Helper()
	encoded, err := json.Marshal(plan)
	must(t, err)
	program, err := os.Executable()
	must(t, err)
	p := &stalledProcess{command: exec.Command(program)}
	p.command.Env = append(os.Environ(), stalledServerVariable+"="+string(encoded))
	p.command.Stderr = &p.stderr
	p.stdin, err = p.command.StdinPipe()
	must(t, err)
	stdout, err := p.command.StdoutPipe()
	must(t, err)
	p.answers = json.NewDecoder(stdout)
	must(t, p.command.Start())
	t.Cleanup(func() {
		_ = p.stdin.Close() // ends it, unless it has ended
		limit := time.AfterFunc(10*time.Second, func() { _ = p.command.Process.Kill() })
		defer limit.Stop()
		if err := p.command.Wait(); err != nil {
			t.Errorf("server: %v\n%s", err, &p.stderr)
		}
	})
	p.address = p.answer(t).Address
	return p
}

func (p *stalledProcess) answer(t *testing.T) (r stalledReport) {
	t.Helper()
	if err := p.answers.Decode(&r); err != nil {
		t.Fatalf("server's answer: %v\n%s", err, &p.stderr)
	}
	return r
}

func (p *stalledProcess) ask(t *testing.T, what string) stalledReport {
	t.Helper()
	_, err := fmt.Fprintln(p.stdin, what)
	must(t, err)
	return p.answer(t)
}

// resident returns the process's resident memory; ok is false where the system
// does not tell.
func (p *stalledProcess) resident() (bytesInUse int64, ok bool) {
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.command.Process.Pid))
	fields := bytes.Fields(statm)
	if err != nil || len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	return pages * int64(os.Getpagesize()), err == nil
}

// watchResident notes the most resident memory until told to stop.
func (p *stalledProcess) watchResident() (stop func() (peak int64)) {
	quit, result := make(chan struct{}), make(chan int64)
	go func() {
		var peak int64
		ticker := time.NewTicker(stalledSampleEvery)
		defer ticker.Stop()
		for {
			if now, ok := p.resident(); ok {
				peak = max(peak, now)
			}
			select {
			case <-ticker.C:
			case <-quit:
				result <- peak
				return
			}
		}
	}()
	return func() int64 { close(quit); return <-result }
}

// dialStalled opens a connection that reads nothing until it is told to. Its
// receive buffer is small, so that what it does not read is the server's.
func dialStalled(t *testing.T, address string, number int) *rawpeer.Peer {
	t.Helper()
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(smallReceiveBuffer)
	}}
	conn, err := dialer.Dial("tcp", address)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	peer, _, err := rawpeer.OpenClient(conn, address, fmt.Sprintf("/?stalled=%d", number), http.Header{})
	must(t, err)
	return peer
}

// readOn reads a stalled peer's connection up to the close frame and returns
// the sequence numbers that came before.
func readOn(peer *rawpeer.Peer) (sequence []uint64, code uint16, err error) {
	for {
		event, err := peer.ReadEvent()
		switch {
		case err != nil:
			return sequence, 0, err
		case event.Opcode == rawpeer.OpClose:
			_ = peer.Close(1000, "")
			return sequence, event.Code, nil
		case event.Opcode == rawpeer.OpBinary && len(event.Payload) == stalledMessage:
			sequence = append(sequence, binary.BigEndian.Uint64(event.Payload))
		case event.Opcode != rawpeer.OpPing:
			return sequence, 0, fmt.Errorf("got %v", event)
		}
	}
}

// healthyPeers are connections that echo one message at a time.
type healthyPeers struct {
	conns  []net.Conn
	reader []*bufio.Reader
}

const (
	healthyCount   = 8
	healthyPayload = 64
)

func dialHealthy(t *testing.T, address string) *healthyPeers {
	t.Helper()
	h := &healthyPeers{}
	for range healthyCount {
		conn := dialTCP(t, address)
		_, _, err := rawpeer.OpenClient(conn, address, "/", http.Header{})
		must(t, err)
		h.conns, h.reader = append(h.conns, conn), append(h.reader, bufio.NewReader(conn))
	}
	return h
}

// run lets all echo for that long, each a message every interval (0: at once),
// and returns how long the replies took from when their message was due.
func (h *healthyPeers) run(t *testing.T, during, every time.Duration) []time.Duration {
	t.Helper()
	var mu sync.Mutex
	var all []time.Duration
	var running sync.WaitGroup
	began := time.Now()
	for i := range h.conns {
		running.Go(func() {
			took, err := h.echo(i, began, during, every)
			if err != nil {
				t.Errorf("healthy connection: %v", err)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	running.Wait()
	return all
}

func (h *healthyPeers) echo(i int, began time.Time, during, every time.Duration) (took []time.Duration, err error) {
	payload, reply := bytes.Repeat([]byte{byte('a' + i)}, healthyPayload), make([]byte, 2+healthyPayload)
	frame := rawpeer.AppendFrame(nil, rawpeer.Frame{Fin: true, Opcode: rawpeer.OpBinary, Masked: true, Payload: payload})
	_ = h.conns[i].SetDeadline(began.Add(during + 30*time.Second))
	due := began.Add(every * time.Duration(i) / time.Duration(len(h.conns)))
	for time.Since(began) < during {
		if every == 0 {
			due = time.Now()
		} else {
			time.Sleep(time.Until(due)) // the pace, not a wait for anything
		}
		if _, err := h.conns[i].Write(frame); err != nil {
			return took, err
		}
		for {
			if _, err := io.ReadFull(h.reader[i], reply[:2]); err != nil {
				return took, err
			}
			rest := reply[2 : 2+int(reply[1])]
			if _, err := io.ReadFull(h.reader[i], rest); err != nil {
				return took, err
			}
			if reply[0]&0x0F == rawpeer.OpPing {
				continue
			}
			if !bytes.Equal(rest, payload) {
				return took, fmt.Errorf("reply %x", reply)
			}
			break
		}
		took = append(took, time.Since(due))
		due = due.Add(every)
	}
	return took, nil
}

func (h *healthyPeers) shut() {
	for _, conn := range h.conns {
		_ = conn.Close()
	}
}

// p99 sorts the times and returns the one that 99 of 100 do not exceed.
func p99(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)*99/100]
}
