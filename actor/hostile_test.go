package actor_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/conformance"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// bystander keeps an honest connection echoing until the test's end, whatever
// others do to the server. It comes after serve, whose end proves that nothing
// is left over.
func bystander(t *testing.T, h *harness) {
	t.Helper()
	peer := h.dial(t)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		pause := time.NewTicker(5 * time.Millisecond)
		defer pause.Stop()
		for i := 0; ; i++ {
			text := fmt.Sprint("still well ", i)
			if err := peer.Text(text); err != nil {
				t.Errorf("bystander: %v", err)
				return
			}
			if err := peer.ExpectText(text); err != nil {
				t.Errorf("bystander: %v", err)
				return
			}
			select {
			case <-stop:
				if err := peer.Close(1000, ""); err != nil {
					t.Errorf("bystander: %v", err)
				}
				return
			case <-pause.C:
			}
		}
	}()
	t.Cleanup(func() {
		close(stop)
		<-stopped
	})
}

// needLargeMessages are the hostile cases that want a message echoed which is
// over the default limit.
var needLargeMessages = map[string]bool{"H.length.at-limit": true, "H.deflate.large": true}

// The suite runs against a larger message limit elsewhere; here every limit
// has its default.
func TestHostileInputAgainstTheDefaultLimits(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{Deflate: &wscore.DeflateConfig{}}})
	bystander(t, h)
	var ids []string
	for _, c := range conformance.Cases(conformance.RoleServer) {
		if c.Group() == "H" && !needLargeMessages[c.ID] && (!testing.Short() || !c.Slow) {
			ids = append(ids, c.ID)
		}
	}
	if len(ids) < 100 {
		t.Fatalf("only %d hostile cases", len(ids))
	}
	report := conformance.Run(context.Background(), conformance.ServerAt("default limits", h.addr), conformance.Options{Groups: ids, Short: true})
	for _, result := range report.Results {
		if result.Verdict > conformance.Informational {
			t.Errorf("%s (%s): %s, %s", result.ID, result.Title, result.Verdict, result.Detail)
		}
	}
}

// Pongs that nobody takes must neither pile up nor hold the connection.
func TestPeerThatPingsAndNeverReadsIsClosed(t *testing.T) {
	h := serve(t, sessions(func(s *receive, c *actor.Context) {
		if m, ok := c.Message().(*actor.Message); ok && m.Text() == "fill the stream" {
			for s.conn.SendBinary(make([]byte, 64<<10)) == nil {
			}
			return
		}
		echo(s, c)
	}), actor.ServerConfig{ConnConfig: actor.ConnConfig{WriteTimeout: 500 * time.Millisecond, Mailbox: split.MailboxConfig{Policy: split.DropNewest}}})
	bystander(t, h)
	peer := h.dial(t)
	// Pongs alone fill a stream slowly, since the newest replace the others.
	fill := peer.NewFrame(true, rawpeer.OpText, []byte("fill the stream"))
	var pings []byte
	for range 500 {
		pings = rawpeer.AppendFrame(pings, peer.NewFrame(true, rawpeer.OpPing, make([]byte, rawpeer.MaxControlPayload)))
	}
	pings = rawpeer.AppendFrame(pings, fill)
	for limit := time.Now().Add(10 * time.Second); peer.WriteRaw(pings) == nil; {
		if time.Now().After(limit) {
			t.Fatal("the connection is still open")
		}
	}
	closed := h.observer.waitClosed(t, 1)[0]
	if closed.Cause != actor.CauseSlowConsumer || closed.Code != wscore.CloseAbnormal {
		t.Errorf("closed with %+v", closed)
	}
	h.observer.wait(t, "replaced pongs", func(r *recorder) bool { return r.dropped[split.DropPong] > 0 })
}

// A peer that does not read gets what its mailbox's policy leaves of what is
// sent to it, in order, and costs nobody else anything.
func TestPeerThatDoesNotReadIsServedByItsPolicy(t *testing.T) {
	const size = 16 << 10
	for _, policy := range []split.Policy{split.CloseSlow, split.DropNewest, split.DropOldest} {
		t.Run(policy.String(), func(t *testing.T) {
			conns := make(chan *actor.Conn, 2)
			h := serve(t, sessions(func(s *receive, c *actor.Context) {
				if m, ok := c.Message().(actor.Opened); ok {
					conns <- m.Conn
				}
				echo(s, c)
			}), actor.ServerConfig{ConnConfig: actor.ConnConfig{Mailbox: split.MailboxConfig{Policy: policy, MaxFrames: 8}, CloseTimeout: 500 * time.Millisecond}})
			peer := h.dial(t)
			conn := <-conns
			bystander(t, h)
			sent := make([]uint32, 0, 4096) // what the mailbox took
			payload := make([]byte, size)
			var refused error
			for number, dropped := uint32(0), 0; dropped < 20 && refused == nil; number++ {
				if number > 100_000 {
					t.Fatal("the mailbox took everything")
				}
				binary.BigEndian.PutUint32(payload, number)
				switch err := conn.SendBinary(payload); err {
				case nil:
					sent = append(sent, number)
				case split.ErrDropped:
				default:
					refused = err
				}
				h.observer.mu.Lock()
				dropped = h.observer.dropped[split.DropFull]
				h.observer.mu.Unlock()
			}
			if policy == split.CloseSlow {
				closed := h.observer.waitClosed(t, 1)[0]
				if refused != split.ErrSlowConsumer || closed.Cause != actor.CauseSlowConsumer {
					t.Errorf("refused with %v, closed with %+v", refused, closed)
				}
				return
			}
			if refused != nil {
				t.Fatal(refused)
			}
			must(t, conn.Close(4000, "enough"))
			got := readNumbers(t, peer)
			last, gaps := -1, 0
			for _, number := range got {
				if int(number) <= last {
					t.Fatalf("message %d follows %d", number, last)
				}
				gaps += int(number) - last - 1
				last = int(number)
			}
			want := sent[len(sent)-1]
			if last != int(want) {
				t.Errorf("the last message is %d, the last one taken was %d", last, want)
			}
			if policy == split.DropNewest && len(got) != len(sent) {
				t.Errorf("%d messages arrived of %d taken", len(got), len(sent))
			}
			if policy == split.DropOldest && gaps == 0 {
				t.Error("no older message was dropped")
			}
		})
	}
}

// readNumbers returns the numbers of all messages up to the close frame.
func readNumbers(t *testing.T, peer *rawpeer.Peer) (numbers []uint32) {
	t.Helper()
	for {
		event, err := peer.ReadEvent()
		must(t, err)
		switch event.Opcode {
		case rawpeer.OpBinary:
			numbers = append(numbers, binary.BigEndian.Uint32(event.Payload))
		case rawpeer.OpClose:
			if event.Code != 4000 {
				t.Errorf("closed with %d", event.Code)
			}
			must(t, peer.Close(4000, ""), peer.ExpectEOF())
			return numbers
		}
	}
}

// The time for a head is the HTTP server's to bound; what it cuts off must
// leave no trace here.
func TestHandshakeWithoutEndIsCutByTheHTTPServer(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{})
	bystander(t, h)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	web := &http.Server{Handler: h.Server, ReadHeaderTimeout: 200 * time.Millisecond}
	var serving sync.WaitGroup
	serving.Go(func() { _ = web.Serve(listener) })
	defer func() {
		_ = web.Close()
		serving.Wait()
	}()
	conn := dialTCP(t, listener.Addr().String())
	head := rawpeer.RequestHead(h.addr, "/", rawpeer.NewHandshakeKey(), nil)
	began, written := time.Now(), 0
	beat := time.NewTicker(10 * time.Millisecond) // so that the whole head would take seconds
	defer beat.Stop()
	for written < len(head) {
		<-beat.C
		if _, err := conn.Write(head[written : written+1]); err != nil {
			break
		}
		written++
	}
	if written == len(head) || time.Since(began) > 5*time.Second {
		t.Errorf("%d of %d octets of the head were taken in %v", written, len(head), time.Since(began))
	}
	if n := h.Len(); n != 1 {
		t.Errorf("%d connections, want only the bystander's", n)
	}
}

func TestTenThousandHeadersAreRefused(t *testing.T) {
	h := serve(t, sessions(echo), actor.ServerConfig{})
	bystander(t, h)
	head := string(rawpeer.RequestHead(h.addr, "/", rawpeer.NewHandshakeKey(), nil))
	var fields strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&fields, "X-%d: 1\r\n", i)
	}
	conn := dialTCP(t, h.addr)
	_, err := conn.Write([]byte(strings.TrimSuffix(head, "\r\n") + fields.String() + "\r\n"))
	must(t, err, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	must(t, err)
	_ = response.Body.Close()
	if want := wscore.ErrTooManyHeaderFields.Status; response.StatusCode != want {
		t.Errorf("status %d, want %d", response.StatusCode, want)
	}
	h.observer.wait(t, "the refusal", func(r *recorder) bool {
		return len(r.refused) == 1 && r.refused[0] == wscore.ErrTooManyHeaderFields.Reason
	})
}

// A peer that sends as fast as it can is read at its rate, through a socket:
// none of its messages is lost, and they do not come sooner than allowed.
func TestHostileFloodIsReadAtItsRate(t *testing.T) {
	const perSecond, burst, count = 400, 40, 440
	h := serve(t, sessions(echo), actor.ServerConfig{ConnConfig: actor.ConnConfig{InboundRate: actor.RateConfig{Messages: perSecond, MessageBurst: burst}}})
	flood, calm := h.dial(t), h.dial(t)
	began := time.Now()
	written := make(chan error, 1)
	go func() {
		hello := flood.NewFrame(true, rawpeer.OpText, []byte("hello"))
		written <- flood.WriteFrames(slices.Repeat([]rawpeer.Frame{hello}, count)...)
	}()
	must(t, calm.Text("calm"), calm.ExpectText("calm"))
	for range count {
		must(t, flood.ExpectText("hello"))
	}
	// One message more than the burst, and a clock that is a tick old.
	if took, least := time.Since(began), (count-burst-1)*time.Second/perSecond-100*time.Millisecond; took < least {
		t.Errorf("%d messages took %v, want %v or more", count, took, least)
	}
	must(t, <-written, flood.Close(1000, ""), flood.ExpectClose(1000))
	h.observer.mu.Lock()
	defer h.observer.mu.Unlock()
	if len(h.observer.exceeded) == 0 || h.observer.exceeded[0] != "messages" {
		t.Errorf("went over %q", h.observer.exceeded)
	}
}
