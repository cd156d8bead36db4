package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/metrics"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// newCollector registers a collector on a registry that also checks that what
// is collected was described.
func newCollector(t testing.TB) (*metrics.Collector, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	c, err := metrics.New(metrics.Config{Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	return c, registry
}

// exposition scrapes and returns every sample as "name{labels}" and its value.
func exposition(t testing.TB, g prometheus.Gatherer) map[string]string {
	t.Helper()
	scrape := httptest.NewRecorder()
	promhttp.HandlerFor(g, promhttp.HandlerOpts{}).ServeHTTP(scrape, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if scrape.Code != http.StatusOK {
		t.Fatalf("scrape failed with %d: %s", scrape.Code, scrape.Body)
	}
	samples := make(map[string]string)
	for line := range strings.Lines(scrape.Body.String()) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		at := strings.LastIndexByte(line, ' ')
		samples[line[:at]] = strings.TrimSpace(line[at:])
	}
	return samples
}

// wantSamples compares the named samples; "" means that there must be none.
func wantSamples(t *testing.T, g prometheus.Gatherer, want map[string]string) {
	t.Helper()
	got := exposition(t, g)
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
}

func TestScriptedSequenceShowsInEveryMetric(t *testing.T) {
	c, registry := newCollector(t)

	for range 3 {
		c.ConnectionOpened("epoll")
	}
	c.ConnectionClosing()
	c.ConnectionClosing()
	c.ConnectionClosing()
	c.ConnectionClosed(actor.Closed{Code: wscore.CloseNormal, Initiator: actor.Remote, Cause: actor.CausePeer}, 2*time.Second)
	c.ConnectionClosed(actor.Closed{Code: 4321, Initiator: actor.Local, Cause: actor.CauseUser}, time.Minute)

	c.FrameRead(wscore.OpText, 100)
	c.FrameRead(wscore.OpText, 23)
	c.FrameRead(wscore.OpContinuation, 0)
	c.FrameWritten(wscore.OpBinary, 1<<20)
	c.FrameWritten(wscore.OpPong, 4)

	c.ServerStarted(100, split.Parked{})
	c.ServerStarted(50, split.NewReadiness())
	c.HandshakeDone(7 * time.Millisecond)
	c.MessageRead(100, 0)
	c.MessageRead(1000, 250)
	c.MessageWritten(65, 30)
	c.BatchWritten(3)
	c.MailboxWaited(2 * time.Millisecond)
	c.MailboxCrowded(1)
	c.MailboxCrowded(1)
	c.MailboxCrowded(-1)
	c.SessionHandled(10 * time.Microsecond)
	c.SessionHandled(11 * time.Second)
	c.SessionLate()
	c.Published(10, 8)
	c.SubscribersChanged(10)
	c.SubscribersChanged(-3)

	c.PingRoundTrip(12 * time.Millisecond)
	c.PingRoundTrip(700 * time.Millisecond)

	c.HandshakeRefused(wscore.ErrOrigin.Reason)
	c.HandshakeRefused(actor.ErrDraining.Reason)
	c.HandshakeRefused("something new")
	c.HandshakeRefused("")

	c.DialFailed("status")
	c.DialFailed("something new")

	c.BufferAcquired(256)
	c.BufferAcquired(256)
	c.BufferAcquired(4 << 10)
	c.BufferReleased(256)
	c.BufferAcquired(0)

	c.MailboxChanged(5, 500)
	c.MailboxChanged(-2, -200)
	c.FramesDropped(split.DropFull, 1)
	c.FramesDropped(split.DropClosed, 7)
	c.FramesDropped(split.DropLost, 3)

	c.Panicked("session")
	c.Panicked("something new")
	c.MessageRefused()

	c.RateExceeded("bytes")
	c.RateExceeded("something new")
	c.Draining(actor.DrainWaiting, 5)
	c.Draining(actor.DrainWaiting, 7)
	c.Draining(actor.DrainCut, 2)
	c.Draining(actor.DrainDone, 0)
	c.Draining(actor.DrainStages, 1)
	c.BrokerPublished(100)
	c.BrokerPublished(0)
	c.BrokerReceived(7)
	c.BrokerFailed("publish")
	c.BrokerFailed("something new")
	c.BrokerGap()
	c.ConnectionRecovered(true)
	c.ConnectionRecovered(true)
	c.ConnectionRecovered(false)
	c.BrokerLag(20 * time.Millisecond)
	c.BrokerConnected(false)
	c.BrokerConnected(true)

	wantSamples(t, registry, map[string]string{
		`tandem_connections{state="open"}`:                                             "0",
		`tandem_connections{state="closing"}`:                                          "1",
		`tandem_connections_limit`:                                                     "150",
		`tandem_handshake_duration_seconds_bucket{le="0.005"}`:                         "0",
		`tandem_handshake_duration_seconds_bucket{le="0.01"}`:                          "1",
		`tandem_message_bytes_bucket{direction="in",le="64"}`:                          "0",
		`tandem_message_bytes_bucket{direction="in",le="256"}`:                         "1",
		`tandem_message_bytes_sum{direction="in"}`:                                     "1100",
		`tandem_message_bytes_count{direction="out"}`:                                  "1",
		`tandem_compression_bytes_total{direction="in",form="plain"}`:                  "1000",
		`tandem_compression_bytes_total{direction="in",form="compressed"}`:             "250",
		`tandem_compression_bytes_total{direction="out",form="compressed"}`:            "30",
		`tandem_write_batch_frames_bucket{le="2"}`:                                     "0",
		`tandem_write_batch_frames_bucket{le="4"}`:                                     "1",
		`tandem_mailbox_wait_seconds_bucket{le="0.001"}`:                               "0",
		`tandem_mailbox_wait_seconds_bucket{le="0.003"}`:                               "1",
		`tandem_mailboxes_crowded`:                                                     "1",
		`tandem_session_handling_seconds_bucket{le="1e-05"}`:                           "1",
		`tandem_session_handling_seconds_bucket{le="10"}`:                              "1",
		`tandem_session_handling_seconds_bucket{le="+Inf"}`:                            "2",
		`tandem_sessions_late_total`:                                                   "1",
		`tandem_topic_publishes_total`:                                                 "1",
		`tandem_topic_deliveries_total{result="taken"}`:                                "8",
		`tandem_topic_deliveries_total{result="refused"}`:                              "2",
		`tandem_topic_fan_out_sum`:                                                     "10",
		`tandem_topic_subscribers`:                                                     "7",
		`tandem_connections_opened_total{readiness="epoll"}`:                           "3",
		`tandem_connections_closed_total{cause="peer",code="1000",initiator="remote"}`: "1",
		`tandem_connections_closed_total{cause="user",code="4xxx",initiator="local"}`:  "1",
		`tandem_connections_closed_total{cause="drain",code="1001",initiator="local"}`: "0",
		`tandem_connection_lifetime_seconds_bucket{le="1"}`:                            "0",
		`tandem_connection_lifetime_seconds_bucket{le="5"}`:                            "1",
		`tandem_connection_lifetime_seconds_bucket{le="60"}`:                           "2",
		`tandem_connection_lifetime_seconds_sum`:                                       "62",
		`tandem_frames_total{direction="in",opcode="text"}`:                            "2",
		`tandem_frame_payload_bytes_total{direction="in",opcode="text"}`:               "123",
		`tandem_frames_total{direction="in",opcode="continuation"}`:                    "1",
		`tandem_frames_total{direction="out",opcode="text"}`:                           "0",
		`tandem_frame_payload_bytes_total{direction="out",opcode="binary"}`:            "1.048576e+06",
		`tandem_frame_payload_bytes_total{direction="out",opcode="pong"}`:              "4",
		`tandem_ping_round_trip_seconds_bucket{le="0.01"}`:                             "0",
		`tandem_ping_round_trip_seconds_bucket{le="0.02"}`:                             "1",
		`tandem_ping_round_trip_seconds_bucket{le="+Inf"}`:                             "2",
		`tandem_ping_round_trip_seconds_sum`:                                           "0.712",
		`tandem_handshakes_refused_total{reason="origin"}`:                             "1",
		`tandem_handshakes_refused_total{reason="draining"}`:                           "1",
		`tandem_handshakes_refused_total{reason="other"}`:                              "2",
		`tandem_handshakes_refused_total{reason="key"}`:                                "0",
		`tandem_dials_failed_total{reason="status"}`:                                   "1",
		`tandem_dials_failed_total{reason="connect"}`:                                  "0",
		`tandem_dials_failed_total{reason="other"}`:                                    "1",
		`tandem_buffers_in_use{class_bytes="256"}`:                                     "1",
		`tandem_buffers_in_use{class_bytes="4096"}`:                                    "1",
		`tandem_buffers_in_use{class_bytes="larger"}`:                                  "1",
		`tandem_buffers_in_use{class_bytes="1024"}`:                                    "0",
		`tandem_mailbox_frames`:                                                        "3",
		`tandem_mailbox_bytes`:                                                         "300",
		`tandem_frames_dropped_total{reason="full"}`:                                   "1",
		`tandem_frames_dropped_total{reason="closed"}`:                                 "7",
		`tandem_frames_dropped_total{reason="lost"}`:                                   "3",
		`tandem_frames_dropped_total{reason="pong"}`:                                   "0",
		`tandem_panics_total{part="session"}`:                                          "1",
		`tandem_panics_total{part="other"}`:                                            "1",
		`tandem_messages_refused_total`:                                                "1",
		`tandem_rate_exceeded_total{limit="bytes"}`:                                    "1",
		`tandem_rate_exceeded_total{limit="messages"}`:                                 "0",
		`tandem_rate_exceeded_total{limit="other"}`:                                    "1",
		`tandem_draining_servers`:                                                      "1",
		`tandem_drain_connections_total{stage="waiting"}`:                              "12",
		`tandem_drain_connections_total{stage="closing"}`:                              "0",
		`tandem_drain_connections_total{stage="cut"}`:                                  "2",
		`tandem_drain_connections_total{stage="other"}`:                                "1",
		`tandem_broker_messages_total{direction="out"}`:                                "2",
		`tandem_broker_payload_bytes_total{direction="out"}`:                           "100",
		`tandem_broker_messages_total{direction="in"}`:                                 "1",
		`tandem_broker_payload_bytes_total{direction="in"}`:                            "7",
		`tandem_broker_failures_total{operation="publish"}`:                            "1",
		`tandem_broker_failures_total{operation="other"}`:                              "1",
		`tandem_broker_lag_seconds_bucket{le="0.01"}`:                                  "0",
		`tandem_broker_lag_seconds_bucket{le="0.025"}`:                                 "1",
		`tandem_broker_gaps_total`:                                                     "1",
		`tandem_recoveries_total{result="complete"}`:                                   "2",
		`tandem_recoveries_total{result="incomplete"}`:                                 "1",
		`tandem_broker_disconnects_total`:                                              "1",
	})
}

func TestFreshCollectorExposesEverythingAsZero(t *testing.T) {
	_, registry := newCollector(t)
	samples := exposition(t, registry)
	perFamily := make(map[string]int)
	for sample, value := range samples {
		if value != "0" && !strings.HasPrefix(sample, "tandem_build_info{") {
			t.Errorf("%s is %s before the first event", sample, value)
		}
		name, _, _ := strings.Cut(sample, "{")
		perFamily[name]++
	}
	for name, want := range map[string]int{
		"tandem_build_info":                         1,
		"tandem_connections":                        2,
		"tandem_connections_limit":                  1,
		"tandem_handshake_duration_seconds_bucket":  14,
		"tandem_broker_lag_seconds_bucket":          14,
		"tandem_message_bytes_bucket":               24,
		"tandem_compression_bytes_total":            4,
		"tandem_write_batch_frames_bucket":          8,
		"tandem_mailbox_wait_seconds_bucket":        14,
		"tandem_session_handling_seconds_bucket":    14,
		"tandem_topic_fan_out_bucket":               15,
		"tandem_topic_deliveries_total":             2,
		"tandem_connections_opened_total":           3,
		"tandem_connections_closed_total":           23,
		"tandem_connection_lifetime_seconds_bucket": 13,
		"tandem_frames_total":                       12,
		"tandem_frame_payload_bytes_total":          12,
		"tandem_ping_round_trip_seconds_bucket":     20,
		"tandem_dials_failed_total":                 10,
		"tandem_handshakes_refused_total":           28,
		"tandem_accept_failures_total":              1,
		"tandem_buffers_in_use":                     10,
		"tandem_mailbox_frames":                     1,
		"tandem_mailbox_bytes":                      1,
		"tandem_frames_dropped_total":               split.DropReasons,
		"tandem_panics_total":                       5,
		"tandem_messages_refused_total":             1,
		"tandem_messages_unhandled_total":           1,
		"tandem_rate_exceeded_total":                3,
		"tandem_draining_servers":                   1,
		"tandem_drain_connections_total":            actor.DrainStages + 1,
		"tandem_broker_messages_total":              2,
		"tandem_broker_payload_bytes_total":         2,
		"tandem_broker_failures_total":              4,
		"tandem_broker_gaps_total":                  1,
		"tandem_recoveries_total":                   2,
		"tandem_broker_disconnects_total":           1,
	} {
		if perFamily[name] != want {
			t.Errorf("%s has %d series, want %d", name, perFamily[name], want)
		}
	}
}

func TestNamesHelpAndUnitsPassTheLinter(t *testing.T) {
	_, registry := newCollector(t)
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestRoundTripIsAClassicAndANativeHistogram(t *testing.T) {
	c, registry := newCollector(t)
	c.PingRoundTrip(12 * time.Millisecond)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "tandem_ping_round_trip_seconds" {
			continue
		}
		h := family.GetMetric()[0].GetHistogram()
		if len(h.GetBucket()) == 0 {
			t.Error("no classic buckets")
		}
		if h.GetSchema() != 3 || len(h.GetPositiveSpan()) != 1 || len(h.GetPositiveDelta()) != 1 {
			t.Errorf("schema %d, spans %v, deltas %v: want schema 3 and one filled native bucket",
				h.GetSchema(), h.GetPositiveSpan(), h.GetPositiveDelta())
		}
		return
	}
	t.Fatal("no such histogram")
}

func TestRoundTripKeepsItsNativeResolutionOverItsWholeRange(t *testing.T) {
	c, registry := newCollector(t)
	for d := 500 * time.Microsecond; d < 30*time.Second; d += d / 20 {
		c.PingRoundTrip(d)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "tandem_ping_round_trip_seconds" {
			if schema := family.GetMetric()[0].GetHistogram().GetSchema(); schema != 3 {
				t.Errorf("schema is %d, want 3: the bucket bound is too small for the range", schema)
			}
		}
	}
}
