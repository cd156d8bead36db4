package actor_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/metrics"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// The server of the tests with stalled peers is a process of its own, so that
// its memory is not its clients': the test binary again, with this variable
// set to a stalledPlan. It never comes to TestMain.
const stalledServerVariable = "TANDEM_STALLED_SERVER"

func init() {
	if plan := os.Getenv(stalledServerVariable); plan != "" {
		if err := runStalledServer(plan); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// stalledPlan is what the server is told at its start.
type stalledPlan struct {
	Policy       split.Policy
	Peers        int           // that stall
	Slice        int           // messages offered to each stalled peer at a time
	During       time.Duration // which takes so long
	CloseTimeout time.Duration
}

// What the server is configured with, from which the bound on its memory is
// computed.
const (
	stalledMessage       = 16 << 10 // payload bytes of what is offered: one buffer class
	stalledMailbox       = 256 << 10
	stalledInbound       = 64 << 10
	stalledBlock         = time.Millisecond
	stalledKeys          = 6        // under Conflate; twice as many messages fit: some may be on their way
	stalledSocket        = 64 << 10 // the kernel's share of what is on its way
	stalledSampleEvery   = 10 * time.Millisecond
	stalledSequenceBytes = 8
)

// fates counts what became of the messages offered to one peer.
type fates struct {
	Offered int64
	// What Send said.
	Accepted, RefusedFull, RefusedSlow, RefusedClosed, Other int64
	// What SendNotify told of the accepted ones.
	Sent, DroppedLater, Lost int64
	// SoonestRefusal is the shortest time after which a send was refused for
	// want of room.
	SoonestRefusal time.Duration
}

// stalledReport is what the server says when it is asked.
type stalledReport struct {
	Address   string
	Fates     []fates
	Open      int           // stalled peers' connections that are open
	Causes    []actor.Cause // of the others, in their order
	Codes     []actor.CloseCode
	Written   int64 // data frames
	Dropped   [split.DropReasons]int64
	Echoes    int64 // messages that healthy sessions sent
	PeakHeap  uint64
	InUse     int // buffers
	LeftOpen  int
	DrainFail string
}

// tally is an observer that counts, and costs next to nothing.
type tally struct {
	actor.NopObserver
	written atomic.Int64
	dropped [split.DropReasons]atomic.Int64
}

func (o *tally) FrameWritten(opcode wscore.Opcode, _ int) {
	if opcode == wscore.OpBinary || opcode == wscore.OpText {
		o.written.Add(1)
	}
}
func (o *tally) FramesDropped(reason split.DropReason, n int) { o.dropped[reason].Add(int64(n)) }

type stalledServer struct {
	*actor.Server
	plan   stalledPlan
	seen   tally
	echoes atomic.Int64
	peak   atomic.Uint64

	stalled []*actor.Conn
	fates   []fates
	ends    []ends
	opened  sync.WaitGroup // stalled peers
}

// runStalledServer obeys the lines on standard input and answers each with a
// report, until the last.
func runStalledServer(encoded string) error {
	s := &stalledServer{}
	if err := json.Unmarshal([]byte(encoded), &s.plan); err != nil {
		return err
	}
	s.stalled, s.fates = make([]*actor.Conn, s.plan.Peers), make([]fates, s.plan.Peers)
	s.ends = make([]ends, s.plan.Peers)
	s.opened.Add(s.plan.Peers)
	engine, err := actor.NewEngine()
	if err != nil {
		return err
	}
	config := actor.ServerConfig{
		ConnConfig: actor.ConnConfig{
			InboundBytes: stalledInbound,
			Mailbox:      split.MailboxConfig{MaxBytes: stalledMailbox, Policy: s.plan.Policy, BlockTimeout: stalledBlock},
			// Only the policy may end a connection here.
			WriteTimeout: time.Hour, PingInterval: time.Hour, CloseTimeout: s.plan.CloseTimeout,
			Observer: &s.seen,
		},
	}
	if os.Getenv("TANDEM_READINESS") == "parked" {
		config.Readiness = split.NewParked()
	}
	if s.Server, err = actor.NewServer(engine, s.session, config); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := &http.Server{Handler: s.Server, ReadHeaderTimeout: time.Minute, ConnContext: func(ctx context.Context, c net.Conn) context.Context {
		_ = c.(*net.TCPConn).SetWriteBuffer(stalledSocket) // a larger one shows as more messages sent
		return ctx
	}}
	go func() { _ = web.Serve(listener) }()
	go s.sample()

	lines, answers := bufio.NewScanner(os.Stdin), json.NewEncoder(os.Stdout)
	if err := answers.Encode(stalledReport{Address: listener.Addr().String()}); err != nil {
		return err
	}
	for lines.Scan() {
		switch lines.Text() {
		case "offer":
			s.offer()
		case "close":
			for _, c := range s.stalled {
				_ = c.Close(wscore.CloseNormal, "") // closing already is as good
			}
		case "end":
			return answers.Encode(s.end())
		}
		if err := answers.Encode(s.report()); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (s *stalledServer) session(h *actor.Handshake) (actor.Receiver, error) {
	number, err := strconv.Atoi(h.Request().URL.Query().Get("stalled"))
	stalled := err == nil && number < s.plan.Peers
	return &receive{f: func(session *receive, c *actor.Context) {
		switch m := c.Message().(type) {
		case actor.Opened:
			if stalled {
				s.stalled[number] = m.Conn
				s.opened.Done()
			}
		case *actor.Message:
			s.echoes.Add(1)
			_ = session.conn.Send(m.Take())
		}
	}}, nil
}

// sample notes the most heap in use: live or not, but not given back.
func (s *stalledServer) sample() {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	for range time.Tick(stalledSampleEvery) {
		metrics.Read(heap)
		if now := heap[0].Value.Uint64() + heap[1].Value.Uint64(); now > s.peak.Load() {
			s.peak.Store(now)
		}
	}
}

// offer offers the next slice to all stalled peers at once and waits until all
// is offered.
func (s *stalledServer) offer() {
	s.opened.Wait()
	var all sync.WaitGroup
	for i, c := range s.stalled {
		all.Go(func() { s.offerTo(c, &s.fates[i], s.ends[i].settled) })
	}
	all.Wait()
}

func (s *stalledServer) offerTo(c *actor.Conn, f *fates, settled func(error)) {
	payload := make([]byte, stalledMessage)
	began := time.Now()
	every := s.plan.During / time.Duration(s.plan.Slice)
	for n := range s.plan.Slice {
		if ahead := time.Until(began.Add(time.Duration(n) * every)); ahead > time.Millisecond {
			time.Sleep(ahead) // the pace, not a wait for anything
		}
		number := f.Offered
		binary.BigEndian.PutUint64(payload, uint64(number))
		f.Offered++
		tried := time.Now()
		var err error
		if s.plan.Policy == split.Conflate {
			err = c.SendKeyed(fmt.Sprint(number%stalledKeys), s.Binary(payload))
		} else {
			err = c.SendNotify(s.Binary(payload), settled)
		}
		switch {
		case err == nil:
			f.Accepted++
		case errors.Is(err, split.ErrDropped):
			f.RefusedFull++
			if took := time.Since(tried); f.SoonestRefusal == 0 || took < f.SoonestRefusal {
				f.SoonestRefusal = took
			}
		case errors.Is(err, split.ErrSlowConsumer):
			f.RefusedSlow++
		case errors.Is(err, split.ErrClosed):
			f.RefusedClosed++
		default:
			f.Other++
		}
	}
}

// ends counts what SendNotify tells, from several goroutines.
type ends struct{ sent, dropped, lost atomic.Int64 }

func (e *ends) settled(err error) {
	switch {
	case err == nil:
		e.sent.Add(1)
	case errors.Is(err, split.ErrDropped):
		e.dropped.Add(1)
	default:
		e.lost.Add(1)
	}
}

func (s *stalledServer) report() stalledReport {
	r := stalledReport{Written: s.seen.written.Load(), Echoes: s.echoes.Load(), PeakHeap: s.peak.Load(), InUse: s.BuffersInUse(), LeftOpen: s.Len()}
	for i := range r.Dropped {
		r.Dropped[i] = s.seen.dropped[i].Load()
	}
	for i := range s.fates {
		f := s.fates[i]
		f.Sent, f.DroppedLater, f.Lost = s.ends[i].sent.Load(), s.ends[i].dropped.Load(), s.ends[i].lost.Load()
		r.Fates = append(r.Fates, f)
	}
	for _, c := range s.stalled {
		if c == nil {
			continue
		}
		closed, ended := c.Cause()
		if !ended {
			r.Open++
			continue
		}
		r.Causes, r.Codes = append(r.Causes, closed.Cause), append(r.Codes, closed.Code)
	}
	return r
}

// end shuts the server down and reports the rest.
func (s *stalledServer) end() stalledReport {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	err := s.Shutdown(ctx)
	r := s.report()
	if err != nil {
		r.DrainFail = err.Error()
	}
	return r
}
