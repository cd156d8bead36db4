package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/examples/chat/store"
	"github.com/tandem-ws/tandem/wscore"
)

// childVariable makes the test program be the chat program.
const childVariable = "TANDEM_CHAT_TEST_CHILD"

func TestMain(m *testing.M) {
	if settings := os.Getenv(natsVariable); settings != "" {
		beNATS(settings)
	}
	if os.Getenv(childVariable) != "" {
		main()
	}
	os.Exit(m.Run())
}

// noLeaks fails the test if it leaves goroutines behind. It must be called
// before anything is started.
func noLeaks(t *testing.T) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
}

// program is the chat, running in this process or in one of its own.
type program struct {
	t     *testing.T
	url   string // of the page
	admin string // of the admin port
	nats  string // where further nodes find NATS
	log   *lineWriter
}

func (p *program) host() string {
	u, err := url.Parse(p.url)
	if err != nil {
		p.t.Fatal(err)
	}
	return u.Host
}

// lineWriter collects what a program logs, and looks for where it serves.
type lineWriter struct {
	mu    sync.Mutex
	text  strings.Builder
	ready chan [3]string
}

func newLineWriter() *lineWriter { return &lineWriter{ready: make(chan [3]string, 1)} }

func (w *lineWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(line)
	var entry struct{ URL, Admin, NATS string }
	if json.Unmarshal(line, &entry) == nil && entry.URL != "" {
		select {
		case w.ready <- [3]string{entry.URL, entry.Admin, entry.NATS}:
		default:
		}
	}
	return len(line), nil
}

func (w *lineWriter) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// awaitReady waits until the program serves, or has ended.
func (p *program) awaitReady(ended <-chan int) {
	p.t.Helper()
	select {
	case urls := <-p.log.ready:
		p.url, p.admin, p.nats = urls[0], urls[1], urls[2]
	case code := <-ended:
		p.t.Fatalf("the program ended with %d:\n%s", code, p.log)
	case <-time.After(patience):
		p.t.Fatalf("the program is not ready:\n%s", p.log)
	}
}

// baseArgs are the flags of a program of a test; what is given beside them takes their place.
func baseArgs(t *testing.T) []string {
	return []string{"-addr", "127.0.0.1:0", "-admin", "127.0.0.1:0", "-log-level", "debug", "-data", t.TempDir()}
}

// startProgram runs the program in this process until the test ends or calls
// stop, which returns the exit code.
func startProgram(t *testing.T, args ...string) (p *program, stop func() int) {
	t.Helper()
	p = &program{t: t, log: newLineWriter()}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan int, 1)
	args = append(baseArgs(t), args...) // now: its directory goes when the program has ended
	go func() { ended <- run(ctx, args, p.log) }()
	stop = sync.OnceValue(func() int {
		cancel()
		select {
		case code := <-ended:
			return code
		case <-time.After(10*time.Second + 2*httpGrace + patience):
			t.Fatalf("the program does not end:\n%s", p.log)
			return -1
		}
	})
	t.Cleanup(func() {
		if code := stop(); code != exitOK {
			t.Errorf("the program ended with %d:\n%s", code, p.log)
		}
		if log := p.log.String(); strings.Contains(log, `"level":"warn"`) || strings.Contains(log, `"level":"error"`) {
			t.Errorf("the program complains:\n%s", log)
		}
	})
	p.awaitReady(ended)
	return p, stop
}

// startChild runs the program in a process of its own. The channel gets its
// exit code, -1 if a signal ended it.
func startChild(t *testing.T, args ...string) (p *program, process *os.Process, ended <-chan int) {
	t.Helper()
	p = &program{t: t, log: newLineWriter()}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(executable, append(baseArgs(t), args...)...)
	command.Env = append(os.Environ(), childVariable+"=1")
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	codes, gone := make(chan int, 1), make(chan struct{})
	go func() {
		defer close(gone)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			_, _ = p.log.Write(append(lines.Bytes(), '\n')) // it never fails
		}
		_ = command.Wait() // the exit code says it
		codes <- command.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill() // it may be gone
		<-gone
	})
	p.awaitReady(codes)
	return p, command.Process, codes
}

// dial connects a client that answers close frames by itself.
func (p *program) dial() *client {
	p.t.Helper()
	return p.dialWith(wscore.Options{})
}

func (p *program) dialWith(options wscore.Options) *client {
	p.t.Helper()
	stream, err := net.DialTimeout("tcp", p.host(), patience)
	if err != nil {
		p.t.Fatal(err)
	}
	return newClient(p.t, stream, p.host(), options)
}

// get asks an HTTP server without keeping the connection.
func get(t *testing.T, address string) (*http.Response, string) {
	t.Helper()
	browser := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	response, err := browser.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close() // it was read to its end
	return response, string(body)
}

// pipeListener is a network inside the process, so that a test can run the
// chat with the time of package synctest.
type pipeListener struct {
	streams chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case stream := <-l.streams:
		return stream, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// bareChat is sessions and rooms without the rest of the program.
type bareChat struct {
	t        *testing.T
	rooms    *rooms
	listener *pipeListener
	wrap     func(actor.Receiver) actor.Receiver // set before the first dial
}

func startBareChat(t *testing.T, now func() time.Time) *bareChat {
	t.Helper()
	engine, err := actor.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	hub, err := actor.NewHub(engine, nil, actor.HubConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hub.Close)
	node := newNode("bare", engine, zap.NewNop(), now, hub, store.NewMemory(time.Now))
	c := &bareChat{t: t, rooms: newRooms(node), listener: &pipeListener{streams: make(chan net.Conn), closed: make(chan struct{})}}
	newSession := newSession(c.rooms)
	sockets, err := actor.NewServer(engine, func(h *actor.Handshake) (actor.Receiver, error) {
		receiver, err := newSession(h)
		if err == nil && c.wrap != nil {
			receiver = c.wrap(receiver)
		}
		return receiver, err
	}, actor.ServerConfig{ConnConfig: actor.ConnConfig{MaxMessageBytes: maxFrameBytes}})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: sockets, ReadHeaderTimeout: patience}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(c.listener) // ends when it is closed
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = server.Close() // the listener is ours
		<-served
		if err := sockets.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := c.rooms.wait(ctx); err != nil {
			t.Errorf("rooms are left: %v", err)
		}
		if n := sockets.BuffersInUse(); n != 0 {
			t.Errorf("%d buffers are in use at the end", n)
		}
	})
	return c
}

func (c *bareChat) dial() *client {
	c.t.Helper()
	here, there := net.Pipe()
	c.listener.streams <- there
	return newClient(c.t, here, "pipe", wscore.Options{})
}
