package actor_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
)

// Connections that come and go for every reason leave nothing behind: no
// buffer, no goroutine, no process. TANDEM_CYCLES sets how many there are.
func TestConnectionsThatComeAndGoLeaveNothingBehind(t *testing.T) {
	cycles := 3000
	if text := os.Getenv("TANDEM_CYCLES"); text != "" {
		var err error
		cycles, err = strconv.Atoi(text)
		must(t, err)
	}
	for _, readiness := range []split.Readiness{split.NewReadiness(), split.NewParked()} {
		t.Run(readiness.String(), func(t *testing.T) { runCycles(t, readiness, cycles/2) })
	}
}

// census counts connections from every side, and keeps their ids.
type census struct {
	actor.NopObserver
	opened, closed    atomic.Int64 // as observed
	began, told, over atomic.Int64 // sessions that got Opened, Closed, Stopped
	stopped           atomic.Int64 // sessions whose own PID was stopped
	causes            [actor.Causes]atomic.Int64

	mu    sync.Mutex
	ids   []string
	waits []context.Context
}

func (c *census) ConnectionOpened(string) { c.opened.Add(1) }
func (c *census) ConnectionClosed(closed actor.Closed, _ time.Duration) {
	c.closed.Add(1)
	c.causes[closed.Cause].Add(1)
}

// mortal is a session that ends as its peer asks for.
type mortal struct {
	census *census
	conn   *actor.Conn
	ended  int
}

func (s *mortal) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
		_, _ = m.Conn.PID(), m.Conn.ReaderPID() // are registered when somebody asks
		s.census.began.Add(1)
		s.census.mu.Lock()
		s.census.ids = append(s.census.ids, m.Conn.ID())
		s.census.mu.Unlock()
	case actor.Closed:
		s.census.told.Add(1)
		s.ended++
	case actor.Stopped:
		s.census.over.Add(1)
		if s.ended == 0 {
			s.census.stopped.Add(1)
		}
	case *actor.Message:
		switch m.Text() {
		case "close":
			_ = s.conn.Close(4000, "as asked")
		case "panic":
			panic("as asked")
		case "stop":
			s.await(c.Engine().Stop(s.conn.SessionPID()))
		case "poison":
			s.await(c.Engine().Poison(s.conn.SessionPID()))
		case "poison the writer":
			c.Engine().Poison(s.conn.PID())
		case "send to the writer":
			c.Send(s.conn.PID(), actor.CloseConn{Code: 4001})
		default:
			_ = s.conn.Send(m.Take())
		}
	}
}

func (s *mortal) await(wait context.Context) {
	s.census.mu.Lock()
	defer s.census.mu.Unlock()
	s.census.waits = append(s.census.waits, wait)
}

func runCycles(t *testing.T, readiness split.Readiness, cycles int) {
	before := runtime.NumGoroutine()
	engine, err := actor.NewEngine()
	must(t, err)
	counted := &census{}
	server, err := actor.NewServer(engine, func(*actor.Handshake) (actor.Receiver, error) {
		return &mortal{census: counted}, nil
	}, actor.ServerConfig{ConnConfig: actor.ConnConfig{Readiness: readiness, Observer: counted, CloseTimeout: 2 * time.Second}})
	must(t, err)
	web := &http.Server{Handler: server, ReadHeaderTimeout: 5 * time.Second}
	var running sync.WaitGroup
	var addresses []string
	for i, host := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"} { // each has its own ports
		listener, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Logf("no listener on %s: %v", host, err)
			continue
		}
		addresses = append(addresses, listener.Addr().String())
		if i%2 == 0 {
			running.Go(func() { _ = web.Serve(listener) })
		} else {
			running.Go(func() { _ = server.Serve(listener) }) // without net/http
		}
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	order := rand.New(rand.NewPCG(seed, 0)).Perm(cycles)
	var next, failed atomic.Int64
	var clients sync.WaitGroup
	for range 32 {
		clients.Go(func() {
			for i := next.Add(1) - 1; i < int64(cycles); i = next.Add(1) - 1 {
				at := order[i]
				if err := cycle(addresses[at%len(addresses)], ways[at/len(addresses)%len(ways)]); err != nil && failed.Add(1) < 10 {
					t.Errorf("cycle %d: %v", i, err)
				}
			}
		})
	}
	clients.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	must(t, server.Shutdown(ctx))
	_ = web.Close()
	running.Wait()

	opened := counted.opened.Load()
	if opened < int64(cycles)/2 {
		t.Errorf("only %d of %d cycles opened a connection", opened, cycles)
	}
	if closed, began, over := counted.closed.Load(), counted.began.Load(), counted.over.Load(); closed != opened || began != opened || over != opened {
		t.Errorf("%d connections opened and %d closed, %d sessions began and %d ended", opened, closed, began, over)
	}
	if told, stopped := counted.told.Load(), counted.stopped.Load(); told+stopped != opened {
		t.Errorf("%d sessions were told of the end and %d stopped, of %d", told, stopped, opened)
	}
	for _, cause := range []actor.Cause{actor.CausePeer, actor.CauseProtocol, actor.CauseLimit, actor.CausePanic, actor.CauseUser} {
		if counted.causes[cause].Load() == 0 {
			t.Errorf("no connection ended by %v", cause)
		}
	}
	for i, wait := range counted.waits {
		if wait.Err() == nil {
			t.Fatalf("the wait for stop request %d did not end", i)
		}
	}
	for _, id := range counted.ids {
		for _, part := range []string{"reader", "writer", "session"} {
			if engine.Registry.GetPID("websocket/"+part, id) != nil {
				t.Fatalf("the %s of %s is still registered", part, id)
			}
		}
	}
	if n := server.BuffersInUse(); n != 0 {
		t.Errorf("%d buffers in use", n)
	}
	for limit := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatalf("%d goroutines, %d at the start", runtime.NumGoroutine(), before)
		}
	}
	t.Logf("%d connections: %d peer, %d protocol, %d limit, %d panic, %d user", opened, counted.causes[actor.CausePeer].Load(), counted.causes[actor.CauseProtocol].Load(),
		counted.causes[actor.CauseLimit].Load(), counted.causes[actor.CausePanic].Load(), counted.causes[actor.CauseUser].Load())
}

// way is how a client ends its connection.
type way struct {
	half   bool   // it leaves in the middle of the handshake
	say    []byte // what it says behind the handshake
	early  bool   // with the handshake, not after its answer
	answer bool   // it waits for the server's close frame and answers it
	finish bool   // it ends its direction only
	abort  bool   // it resets the stream at once
	code   uint16 // of the close frame that is due; 0 for any or none
}

var ways = func() []way {
	encoder := rawpeer.New(nil, rawpeer.Client)
	frame := func(opcode byte, payload string) []byte {
		return rawpeer.AppendFrame(nil, encoder.NewFrame(true, opcode, []byte(payload)))
	}
	text := func(s string) []byte { return frame(rawpeer.OpText, s) }
	closing := frame(rawpeer.OpClose, "\x03\xe8")
	unmasked := rawpeer.AppendFrame(nil, rawpeer.Frame{Fin: true, Opcode: rawpeer.OpText, Payload: []byte("bare")})
	huge := rawpeer.AppendHeaderLying(nil, encoder.NewFrame(true, rawpeer.OpBinary, nil), rawpeer.Lie{Declare: true, Length: 1 << 40})
	return []way{
		{say: closing, code: 1000},
		{say: append(text("hello"), closing...), code: 1000},
		{say: append(text("hello"), closing...), early: true, code: 1000},
		{say: closing, abort: true},
		{abort: true},
		{say: text("hello"), abort: true},
		{say: text("hello")[:5], abort: true},
		{half: true},
		{finish: true},
		{say: text("hello")[:5], finish: true},
		{say: unmasked, code: 1002},
		{say: unmasked, abort: true},
		{say: huge, code: 1009},
		{say: text("close"), answer: true, code: 4000},
		{say: text("close"), early: true, abort: true},
		{say: text("close"), finish: true},
		{say: text("panic"), answer: true, code: 1011},
		{say: text("panic"), abort: true},
		{say: text("stop"), answer: true, code: 1001},
		{say: text("stop"), abort: true},
		{say: text("poison"), answer: true, code: 1001},
		{say: append(text("poison"), closing...)},
		{say: text("poison the writer"), answer: true, code: 1001},
		{say: text("poison the writer"), abort: true},
		{say: text("send to the writer"), answer: true, code: 4001},
	}
}()

var (
	cycleHead   = rawpeer.RequestHead("127.0.0.1", "/", "dGhlIHNhbXBsZSBub25jZQ==", nil)
	cycleClose  = rawpeer.AppendFrame(nil, rawpeer.New(nil, rawpeer.Client).NewFrame(true, rawpeer.OpClose, []byte("\x03\xe8")))
	errNoAnswer = errors.New("the handshake was not accepted")
	errNoClose  = errors.New("the due close frame did not come")
)

// cycle opens a connection and ends it. Resets are no errors: whoever ends a
// stream without reading it causes one.
func cycle(address string, w way) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil { // leaves no port behind
		return err
	}
	head := cycleHead
	if w.half {
		_, err := conn.Write(head[:len(head)/2])
		return err
	}
	if w.early {
		head = append(bytes.Clone(head), w.say...)
		w.say = nil
	}
	if _, err := conn.Write(head); err != nil {
		return err
	}
	var memory [1024]byte
	got := 0
	for !bytes.Contains(memory[:got], []byte("\r\n\r\n")) {
		n, err := conn.Read(memory[got:])
		if got += n; err != nil || got == len(memory) {
			return errors.Join(errNoAnswer, err)
		}
	}
	if !bytes.HasPrefix(memory[:got], []byte("HTTP/1.1 101 ")) {
		return errNoAnswer
	}
	if _, err := conn.Write(w.say); err != nil && !gone(err) {
		return err
	}
	if w.abort {
		return nil
	}
	if w.finish {
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil && !gone(err) {
			return err
		}
	}
	return w.hear(conn, memory[:], got)
}

// hear reads to the end of the stream and looks for the close frame that is
// due among what came.
func (w way) hear(conn net.Conn, memory []byte, got int) error {
	due := []byte{0x88, 0, byte(w.code >> 8), byte(w.code)}
	heard := false
	for {
		frames := memory[:got]
		for at := range max(0, got-len(due)+1) {
			if frames[at] == due[0] && frames[at+2] == due[2] && frames[at+3] == due[3] {
				if !heard && w.answer {
					if _, err := conn.Write(cycleClose); err != nil && !gone(err) {
						return err
					}
				}
				heard = true
			}
		}
		if got == len(memory) {
			got = copy(memory, memory[got-len(due):got])
		}
		n, err := conn.Read(memory[got:])
		got += n
		if err != nil && n == 0 {
			if err != io.EOF && !gone(err) {
				return err
			}
			if w.code != 0 && !heard {
				return errors.Join(errNoClose, err)
			}
			return nil
		}
	}
}

func gone(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ENOTCONN)
}
