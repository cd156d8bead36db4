package actor_test

import (
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// Peers that never read are offered far more than their mailboxes hold, under
// each policy, beside healthy connections. The server's memory must stay under
// the bound that its configuration gives, every message must be accounted for,
// and with TANDEM_STALLED=full the healthy ones must hardly notice.

const (
	stalledPeers = 10
	// latencyAttempts is how often the healthy connections may try: another
	// program on the machine spoils a 99th percentile easily.
	latencyAttempts = 3
	// healthyPace is the time between messages on a healthy connection where
	// their times do not matter.
	healthyPace = 5 * time.Millisecond
)

// stalledSize is how much is offered to each peer, and how fast.
type stalledSize struct {
	full   bool
	bytes  int
	slices int
	slice  time.Duration
}

func stalledSizeNow() stalledSize {
	if os.Getenv("TANDEM_STALLED") == "full" {
		return stalledSize{full: true, bytes: 100 << 20, slices: 16, slice: time.Second / 2}
	}
	return stalledSize{bytes: 4 << 20, slices: 1, slice: time.Second / 4}
}

// messages is how many are offered to each peer in all.
func (s stalledSize) messages() int { return s.bytes / s.slices / stalledMessage * s.slices }

const (
	// batchBytes is what package split writes at once: small messages are
	// copied together up to that.
	batchBytes = 256 << 10
	// readWindow is what a connection may have read and not decoded.
	readWindow = 64 << 10
	// processMemory is what a Go program with a server has anyway: runtime,
	// stacks, net/http, what a garbage collector lets lie until it runs.
	processMemory = 8 << 20
)

// stalledBound computes how much memory so many connections can take from
// what the server was configured with. Socket buffers are the kernel's.
func stalledBound(conns int) int64 {
	const (
		message = stalledMessage + split.Headroom
		each    = stalledMailbox + message + // one is let in beside what is being written
			batchBytes + readWindow + stalledInbound +
			message // that the sender has in hand, or waits with
	)
	return int64(conns)*each + processMemory
}

func TestStalledPeersCostWhatIsConfiguredAndHoldUpNobody(t *testing.T) {
	size := stalledSizeNow()
	for _, policy := range []split.Policy{split.CloseSlow, split.DropNewest, split.DropOldest, split.Block, split.Conflate} {
		t.Run(policy.String(), func(t *testing.T) {
			if !size.full {
				t.Parallel()
			}
			for attempt := 1; ; attempt++ {
				alone, beside := stalledAttempt(t, policy, size)
				if !size.full {
					return
				}
				t.Logf("healthy p99 %v alone, %v beside stalled peers: %.2f times", alone, beside, float64(beside)/float64(alone))
				if beside <= 2*alone {
					return
				}
				if attempt == latencyAttempts {
					t.Fatalf("p99 more than doubled in each of %d attempts", attempt)
				}
			}
		})
	}
}

// stalledAttempt is one server with its peers. It checks everything but the
// latencies of the healthy ones: of these it returns the median over the
// slices, also for a server without stalled peers, whose slices take turns
// with those of the other, so that a busy machine slows both.
func stalledAttempt(t *testing.T, policy split.Policy, size stalledSize) (alone, beside time.Duration) {
	plan := stalledPlan{Policy: policy, Peers: stalledPeers, Slice: size.messages() / size.slices, During: size.slice, CloseTimeout: 10 * time.Second}
	if policy == split.CloseSlow {
		// For those who never read: until the others have, after the last slice.
		plan.CloseTimeout = 2*time.Duration(size.slices)*size.slice + 2*time.Second
	}
	server := startStalledServer(t, plan)
	healthy := dialHealthy(t, server.address)
	pace := healthyPace
	quiet := func() {}
	var times, quietTimes []time.Duration
	if size.full {
		calm := startStalledServer(t, stalledPlan{Policy: policy})
		calmPeers := dialHealthy(t, calm.address)
		// Half of what they can do.
		pace = 2 * size.slice * healthyCount / time.Duration(len(calmPeers.run(t, size.slice, 0)))
		quiet = func() { quietTimes = append(quietTimes, p99(calmPeers.run(t, size.slice, pace))) }
	}
	healthy.run(t, size.slice, pace) // as warm as the other

	before, known := server.resident()
	var peers []*rawpeer.Peer
	for i := range stalledPeers {
		peers = append(peers, dialStalled(t, server.address, i))
	}
	stop := server.watchResident()
	var offered stalledReport
	for range size.slices {
		quiet()
		var echoing sync.WaitGroup
		echoing.Go(func() { times = append(times, p99(healthy.run(t, size.slice, pace))) })
		offered = server.ask(t, "offer")
		echoing.Wait()
	}
	grown := stop() - before

	bound := stalledBound(stalledPeers + healthyCount)
	t.Logf("%d x %.1f MiB offered: heap at most %.1f MiB, resident grew by at most %.1f MiB, bound is %.1f MiB",
		stalledPeers, mib(int64(size.messages()*stalledMessage)), mib(int64(offered.PeakHeap)), mib(grown), mib(bound))
	if int64(offered.PeakHeap) > bound {
		t.Errorf("heap in use grew to %d bytes, the bound is %d", offered.PeakHeap, bound)
	}
	if known && !raceDetector && grown > bound {
		t.Errorf("resident memory grew by %d bytes, the bound is %d", grown, bound)
	}
	checkOffered(t, policy, size, offered)

	read := readAll(t, server, policy, peers)
	healthy.shut()
	last := server.ask(t, "end")
	checkAccounts(t, policy, last)
	checkRead(t, policy, size, last, read)
	if size.full {
		alone, beside = median(quietTimes), median(times)
		t.Logf("healthy connections: a message every %v on each of %d", pace, healthyCount)
	}
	return alone, beside
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// checkOffered checks what the senders were told.
func checkOffered(t *testing.T, policy split.Policy, size stalledSize, r stalledReport) {
	t.Helper()
	open := stalledPeers
	for i, f := range r.Fates {
		if f.Offered != int64(size.messages()) || f.Offered != f.Accepted+f.RefusedFull+f.RefusedSlow+f.RefusedClosed || f.Other != 0 {
			t.Errorf("peer %d: sends do not add up: %+v", i, f)
		}
		full, slow := f.RefusedFull > 0, f.RefusedSlow > 0
		switch policy {
		case split.CloseSlow:
			if f.RefusedSlow != 1 || full || f.RefusedClosed == 0 {
				t.Errorf("peer %d: one send is to be refused as a slow consumer's, all after it as closed: %+v", i, f)
			}
			open = r.Open // some may have ended by now
		case split.DropNewest, split.Block:
			if !full || slow || f.RefusedClosed > 0 || f.DroppedLater > 0 {
				t.Errorf("peer %d: only new messages are to be refused: %+v", i, f)
			}
			if policy == split.Block && f.SoonestRefusal < stalledBlock {
				t.Errorf("peer %d: a sender was refused after %v, before BlockTimeout", i, f.SoonestRefusal)
			}
		case split.DropOldest:
			if full || slow || f.RefusedClosed > 0 || f.DroppedLater == 0 {
				t.Errorf("peer %d: only old messages are to be dropped: %+v", i, f)
			}
		case split.Conflate:
			if full || slow || f.RefusedClosed > 0 {
				t.Errorf("peer %d: all keys fit, so nothing is to be refused: %+v", i, f)
			}
		}
	}
	if r.Open != open {
		t.Errorf("%d stalled connections are open, want %d", r.Open, open)
	}
	if policy == split.Conflate && r.Dropped[split.DropConflated] == 0 {
		t.Error("nothing was conflated")
	}
}

// readings are what the peers read once they woke up.
type readings struct {
	sequences [stalledPeers][]uint64
	codes     [stalledPeers]uint16
	awake     int // peers from there on never read
}

// readAll wakes the peers, half of them where the policy closes: the others
// are to end without.
func readAll(t *testing.T, server *stalledProcess, policy split.Policy, peers []*rawpeer.Peer) *readings {
	t.Helper()
	r := &readings{awake: len(peers)}
	if policy == split.CloseSlow {
		r.awake = len(peers) / 2
	} else {
		server.ask(t, "close")
	}
	var reading sync.WaitGroup
	for i, peer := range peers[:r.awake] {
		reading.Go(func() {
			var err error
			if r.sequences[i], r.codes[i], err = readOn(peer); err != nil {
				t.Errorf("peer %d: %v", i, err)
			}
		})
	}
	reading.Wait()
	return r
}

// checkAccounts checks that each message has exactly one end, and that senders
// and observer agree on it.
func checkAccounts(t *testing.T, policy split.Policy, r stalledReport) {
	t.Helper()
	var sum fates
	for i, f := range r.Fates {
		if policy != split.Conflate && f.Accepted != f.Sent+f.DroppedLater+f.Lost {
			t.Errorf("peer %d: the accepted messages do not add up: %+v", i, f)
		}
		sum.Accepted += f.Accepted
		sum.RefusedFull += f.RefusedFull + f.RefusedSlow + f.DroppedLater
		sum.RefusedClosed += f.RefusedClosed
		sum.Lost += f.Lost
		sum.Sent += f.Sent
	}
	if policy == split.Conflate { // which tells nobody of the end of a message
		sum.Sent = sum.Accepted - r.Dropped[split.DropConflated]
	}
	if r.Written != sum.Sent+r.Echoes {
		t.Errorf("%d messages were written, want %d and %d echoes", r.Written, sum.Sent, r.Echoes)
	}
	full, closed, lost := r.Dropped[split.DropFull], r.Dropped[split.DropClosed], r.Dropped[split.DropLost]
	if full != sum.RefusedFull || closed != sum.RefusedClosed || lost != sum.Lost {
		t.Errorf("%d counted as dropped for want of room, %d as refused by a closing connection and %d as lost with it, senders know of %d, %d and %d",
			full, closed, lost, sum.RefusedFull, sum.RefusedClosed, sum.Lost)
	}
	if r.DrainFail != "" || r.InUse != 0 || r.LeftOpen != 0 || len(r.Causes) != stalledPeers {
		t.Errorf("after shutdown: error %q, %d buffers in use, %d connections, %d stalled ones ended", r.DrainFail, r.InUse, r.LeftOpen, len(r.Causes))
	}
}

// checkRead checks what arrived against what was sent, and how the connections
// ended.
func checkRead(t *testing.T, policy split.Policy, size stalledSize, r stalledReport, read *readings) {
	t.Helper()
	last := uint64(size.messages() - 1)
	for i, cause := range r.Causes {
		want := actor.CauseUser
		if policy == split.CloseSlow {
			want = actor.CauseSlowConsumer
		}
		if cause != want {
			t.Errorf("peer %d: ended with cause %v, want %v", i, cause, want)
		}
	}
	for i, code := range r.Codes {
		if i >= read.awake && code != wscore.CloseAbnormal {
			t.Errorf("peer %d: it read nothing, so not a close frame either, but the server says %d", i, code)
		}
	}
	for i, sequence := range read.sequences[:read.awake] {
		code := wscore.CloseNormal
		if policy == split.CloseSlow {
			code = wscore.CloseTryAgainLater
		}
		if read.codes[i] != uint16(code) || i < len(r.Codes) && r.Codes[i] != code {
			t.Errorf("peer %d: read close code %d, the server says %d, want %d", i, read.codes[i], r.Codes[i], code)
		}
		if policy == split.Conflate {
			for key := range uint64(stalledKeys) {
				if !slices.Contains(sequence, last-key) {
					t.Errorf("peer %d: the newest message of a key is missing: %d of %v", i, last-key, sequence)
				}
			}
			continue
		}
		if int64(len(sequence)) != r.Fates[i].Sent {
			t.Errorf("peer %d: %d messages arrived, %d were sent", i, len(sequence), r.Fates[i].Sent)
		}
		if !slices.IsSorted(sequence) || len(slices.Compact(slices.Clone(sequence))) != len(sequence) {
			t.Errorf("peer %d: messages arrived out of order or twice: %v", i, sequence)
		}
		if policy == split.DropOldest && (len(sequence) == 0 || sequence[len(sequence)-1] != last) {
			t.Errorf("peer %d: the newest message did not arrive", i)
		}
		if policy != split.DropOldest && (len(sequence) == 0 || sequence[0] != 0) {
			t.Errorf("peer %d: the oldest message did not arrive", i)
		}
	}
}
