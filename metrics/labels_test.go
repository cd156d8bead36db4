package metrics_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

func TestCloseCodesHaveBoundedLabels(t *testing.T) {
	for _, test := range []struct {
		code  wscore.CloseCode
		label string
	}{
		{0, "other"}, {999, "other"}, {1000, "1000"}, {1003, "1003"},
		{1004, "other"}, // reserved, without a meaning
		{1005, "1005"}, {1006, "1006"}, {1015, "1015"}, {1016, "other"}, {2999, "other"},
		{3000, "3xxx"}, {3999, "3xxx"}, {4000, "4xxx"}, {4999, "4xxx"}, {5000, "other"}, {65535, "other"},
	} {
		c, registry := newCollector(t)
		c.ConnectionClosed(actor.Closed{Code: test.code, Initiator: actor.Remote, Cause: actor.CauseLimit}, 0)
		wantSamples(t, registry, map[string]string{
			fmt.Sprintf(`tandem_connections_closed_total{cause="limit",code=%q,initiator="remote"}`, test.label): "1",
		})
	}
}

func TestSeriesStayBoundedWhateverIsReported(t *testing.T) {
	c, registry := newCollector(t)
	for i := range 1 << 16 {
		c.ConnectionClosed(actor.Closed{Code: wscore.CloseCode(i), Initiator: actor.Initiator(i >> 3), Cause: actor.Cause(i)}, 0)
		c.FrameRead(wscore.Opcode(i), i)
		c.FrameWritten(wscore.Opcode(i), -i)
		c.FramesDropped(split.DropReason(i), 1-i)
		c.FramesDropped(split.DropReason(i), 1)
		c.BufferAcquired(i - 1<<15)
	}
	for i := range 1000 {
		c.HandshakeRefused(fmt.Sprint("reason", i))
		c.DialFailed(fmt.Sprint("reason", i))
		c.Panicked(fmt.Sprint("part", i))
		c.RateExceeded(fmt.Sprint("limit", i))
		c.Draining(actor.DrainStage(i), -i)
		c.BrokerFailed(fmt.Sprint("operation", i))
		c.BrokerPublished(i - 500)
	}
	c.BufferAcquired(math.MaxInt)
	c.BufferAcquired(math.MinInt)
	for name, most := range map[string]int{
		"tandem_connections_closed_total":  18 * 2 * actor.Causes,
		"tandem_frames_total":              2 * 7,
		"tandem_frame_payload_bytes_total": 2 * 7,
		"tandem_frames_dropped_total":      split.DropReasons + 1,
		"tandem_buffers_in_use":            10,
		"tandem_dials_failed_total":        10,
		"tandem_handshakes_refused_total":  28,
		"tandem_panics_total":              5,
		"tandem_rate_exceeded_total":       3,
		"tandem_drain_connections_total":   actor.DrainStages + 1,
		"tandem_broker_failures_total":     4,
		"tandem_broker_messages_total":     2,
	} {
		n, err := testutil.GatherAndCount(registry, name)
		if err != nil {
			t.Fatal(err)
		}
		if n > most {
			t.Errorf("%s has %d series, want at most %d", name, n, most)
		}
	}
	wantSamples(t, registry, map[string]string{
		`tandem_handshakes_refused_total{reason="other"}`: "1000",
		`tandem_panics_total{part="other"}`:               "1000",
	})
}

func TestRareValuesAppearWhenTheyHappen(t *testing.T) {
	c, registry := newCollector(t)
	wantSamples(t, registry, map[string]string{
		`tandem_frames_total{direction="in",opcode="reserved"}`: "",
		`tandem_frames_dropped_total{reason="other"}`:           "",
	})
	c.FrameRead(0x3, 10)
	c.FrameRead(0xF, 5)
	c.FramesDropped(split.DropReasons, 2)
	wantSamples(t, registry, map[string]string{
		`tandem_frames_total{direction="in",opcode="reserved"}`:              "2",
		`tandem_frame_payload_bytes_total{direction="in",opcode="reserved"}`: "15",
		`tandem_frames_dropped_total{reason="other"}`:                        "2",
	})
}

func TestEveryServerRefusalHasItsOwnReason(t *testing.T) {
	c, registry := newCollector(t)
	refusals := []*wscore.HandshakeError{
		wscore.ErrMethod, wscore.ErrHTTPVersion, wscore.ErrNoHost, wscore.ErrNotWebSocket, wscore.ErrConnectionField,
		wscore.ErrWebSocketVersion, wscore.ErrWebSocketKey, wscore.ErrOrigin, wscore.ErrHeadSyntax, wscore.ErrHeadTooLarge,
		wscore.ErrTooManyHeaderFields, wscore.ErrHandshakeEnded, wscore.ErrTargetForm, wscore.ErrHeaderField,
		wscore.ErrSubprotocol, actor.ErrDraining, actor.ErrTooManyConnections, actor.ErrSessionPanic,
		wscore.ErrHandshakeTimeout, actor.ErrTooManyFromAddress,
	}
	want := map[string]string{`tandem_handshakes_refused_total{reason="other"}`: "0"}
	for _, refusal := range refusals {
		c.HandshakeRefused(refusal.Reason)
		want[fmt.Sprintf(`tandem_handshakes_refused_total{reason=%q}`, refusal.Reason)] = "1"
	}
	if len(want) != len(refusals)+1 {
		t.Error("two refusals share a reason")
	}
	wantSamples(t, registry, want)
}

// The classes are the pool's own: this fails when the pool gets one that the
// collector does not know.
func TestBufferClassesAreThoseOfThePool(t *testing.T) {
	c, registry := newCollector(t)
	pool := split.NewPool(c)
	want := make(map[string]string)
	var buffers []*split.Buffer
	for size := 1; size <= 16<<20; size *= 2 {
		b := pool.Get(size)
		buffers = append(buffers, b)
		name := fmt.Sprintf(`tandem_buffers_in_use{class_bytes="%d"}`, payloadCapacity(b))
		var before int
		_, _ = fmt.Sscan(want[name], &before)
		want[name] = fmt.Sprint(before + 1)
	}
	buffers = append(buffers, pool.Get(16<<20+1))
	want[`tandem_buffers_in_use{class_bytes="larger"}`] = "1"
	if len(want) != 10 {
		t.Errorf("the pool has %d classes, want 10", len(want))
	}
	wantSamples(t, registry, want)

	for _, b := range buffers {
		b.Release()
	}
	for name := range want {
		want[name] = "0"
	}
	wantSamples(t, registry, want)
}

// payloadCapacity is the class of a pooled buffer: its memory without the room
// for a header.
func payloadCapacity(b *split.Buffer) int { return b.Cap() - split.Headroom }
