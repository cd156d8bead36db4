package split

import (
	"encoding/binary"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/wscore"
)

// pinger is a connection whose pongs the test makes.
type pinger struct {
	*writerTest
	reader *Reader
}

func newPinger(t *testing.T) *pinger {
	t.Helper()
	config, l := newConfig(t, Config{})
	r, w, err := New(wscore.Server, config, wscore.DeflateParams{})
	must(t, err)
	p := &pinger{writerTest: &writerTest{Writer: w, t: t, pool: config.Pool, wire: &wire{}, ledger: l}, reader: r}
	w.Bind(p.wire)
	return p
}

// pong lets the peer answer the ping with that sequence number and returns the
// round trip that the reader tells.
func (p *pinger) pong(sequence uint64) time.Duration {
	p.t.Helper()
	return p.answer(binary.BigEndian.AppendUint64(nil, sequence))
}

func (p *pinger) answer(payload []byte) time.Duration {
	p.t.Helper()
	must(p.t, p.reader.Fill(strings.NewReader(clientFrames(pongFrame(string(payload))))))
	event, err := p.reader.Next()
	must(p.t, err)
	equal(p.t, "kind of event", event.Kind, Pong)
	equal(p.t, "payload of the pong", string(event.Payload), string(payload))
	p.reader.Rest()
	return event.RoundTrip
}

// slow makes each write take that long.
func (p *pinger) slow(d time.Duration) {
	p.wire.onWrite = func(net.Buffers) error { time.Sleep(d); return nil }
}

func TestRoundTripBeginsWithTheCompletedWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPinger(t)
		p.slow(3 * time.Second)
		equal(t, "wake", p.Ping(), true)
		time.Sleep(time.Second) // the wait in the mailbox does not count either
		p.flush()
		p.sent(serverFrames(pingFrame("\x00\x00\x00\x00\x00\x00\x00\x01")))
		time.Sleep(250 * time.Millisecond)
		equal(t, "round trip", p.pong(1), 250*time.Millisecond)
	})
}

func TestRoundTripIsToldOncePerPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPinger(t)
		p.Ping()
		p.flush()
		time.Sleep(time.Second)
		equal(t, "first pong", p.pong(1), time.Second)
		equal(t, "second pong", p.pong(1), 0)
		p.Ping()
		p.flush()
		time.Sleep(2 * time.Second)
		equal(t, "pong of the second ping", p.pong(2), 2*time.Second)
	})
}

// On a fast path the clock may not have moved; the answer is one all the same.
func TestRoundTripIsNeverZero(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPinger(t)
		p.Ping()
		p.flush()
		equal(t, "round trip", p.pong(1), 1)
	})
}

func TestPongsThatAnswerNothingHaveNoRoundTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPinger(t)
		equal(t, "pong before any ping", p.pong(0), 0)
		p.Ping()
		equal(t, "pong before its ping has left", p.pong(1), 0)
		p.flush()
		p.Ping()
		p.flush()
		time.Sleep(time.Second)
		equal(t, "pong of an older ping", p.pong(1), 0)
		equal(t, "pong of a later ping", p.pong(3), 0)
		equal(t, "pong of another length", p.answer([]byte("\x00\x00\x00\x02")), 0)
		equal(t, "empty pong", p.answer(nil), 0)
		equal(t, "pong of the ping", p.pong(2), time.Second)
	})
}

func TestReplacedPingCountsFromItsSuccessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPinger(t)
		p.Ping()
		p.Ping()
		p.flush()
		equal(t, "frames written", len(p.ledger.written), 1)
		time.Sleep(time.Second)
		equal(t, "pong of the replaced ping", p.pong(1), 0)
		equal(t, "pong", p.pong(2), time.Second)
	})
}

func TestPingThatTheStateNoLongerLetsOutStartsNoClock(t *testing.T) {
	p := newPinger(t)
	p.Ping()
	_, err := p.Lifecycle().Apply(wscore.Lost)
	must(t, err)
	p.flush()
	_, ok := p.ping.roundTrip()
	equal(t, "the clock runs", ok, false)
}

// The pong can be decoded before the flush has noted that its write is done.
func TestPongThatOvertakesTheNoteCountsFromTheWritesBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPinger(t)
		var roundTrip time.Duration
		p.wire.onWrite = func(net.Buffers) error {
			time.Sleep(time.Second)
			roundTrip = p.pong(1)
			return nil
		}
		p.Ping()
		p.flush()
		equal(t, "round trip", roundTrip, time.Second)
		equal(t, "second pong", p.pong(1), 0)
	})
}

// The note that an older ping was written may come after a newer one was asked
// for.
func TestOlderPingsWriteDoesNotCountForTheNewer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPinger(t)
		p.Ping()
		p.ping.sent.Store(now()) // the late note
		time.Sleep(time.Minute)
		var roundTrip time.Duration
		p.wire.onWrite = func(net.Buffers) error {
			time.Sleep(time.Second)
			roundTrip = p.pong(1)
			return nil
		}
		p.flush()
		equal(t, "round trip", roundTrip, time.Second)
	})
}

func TestPingsCarryTheirNumber(t *testing.T) {
	p := newPinger(t)
	for i := range uint64(3) {
		p.Ping()
		p.flush()
		want := rawpeer.Frame{Fin: true, Opcode: rawpeer.OpPing, Payload: binary.BigEndian.AppendUint64(nil, i+1)}
		equal(t, "ping", p.wire.writes[i], serverFrames(want))
	}
}
