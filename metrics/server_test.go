package metrics_test

import (
	"context"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/split"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(askingClient); addr != "" {
		os.Exit(askEchoes(addr))
	}
	goleak.VerifyTestMain(m)
}

// echo sends every message back.
type echo struct{ conn *actor.Conn }

func (s *echo) Receive(c *actor.Context) {
	switch m := c.Message().(type) {
	case actor.Opened:
		s.conn = m.Conn
	case *actor.Message:
		_ = s.conn.Send(m.Take())
	}
}

func TestRealServerIsCountedAndItsGaugesReturnToZero(t *testing.T) {
	c, registry := newCollector(t)
	engine, err := actor.NewEngine()
	if err != nil {
		t.Fatal(err)
	}
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return &echo{}, nil }
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{ConnConfig: actor.ConnConfig{Observer: c}})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server)
	defer listener.Close()

	peers := make([]*rawpeer.Peer, 2)
	for i := range peers {
		peers[i], _, err = rawpeer.DialClient(strings.TrimPrefix(listener.URL, "http://"), "/", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = peers[i].Shut() }()
		if err := peers[i].Text("hello"); err != nil {
			t.Fatal(err)
		}
		if err := peers[i].ExpectText("hello"); err != nil {
			t.Fatal(err)
		}
	}
	wantSamples(t, registry, map[string]string{
		`tandem_connections{state="open"}`:                                                   "2",
		`tandem_message_bytes_sum{direction="in"}`:                                           "10",
		`tandem_connections_opened_total{readiness="` + split.NewReadiness().String() + `"}`: "2",
		`tandem_frames_total{direction="in",opcode="text"}`:                                  "2",
		`tandem_frame_payload_bytes_total{direction="in",opcode="text"}`:                     "10",
		`tandem_connections_closed_total{cause="peer",code="1000",initiator="remote"}`:       "0",
	})

	if err := peers[0].Close(1000, ""); err != nil {
		t.Fatal(err)
	}
	if err := peers[0].ExpectClose(1000); err != nil {
		t.Fatal(err)
	}
	_ = peers[0].Shut()

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- server.Shutdown(ctx) }()
	if err := peers[1].ExpectClose(1001); err != nil {
		t.Fatal(err)
	}
	if err := peers[1].Close(1001, ""); err != nil {
		t.Fatal(err)
	}
	_ = peers[1].Shut()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	returns := map[string]bool{
		"tandem_connections": true, "tandem_buffers_in_use": true, "tandem_mailbox_frames": true, "tandem_mailbox_bytes": true,
		"tandem_mailboxes_crowded": true, "tandem_topic_subscribers": true,
	}
	after := exposition(t, registry)
	for sample, value := range after {
		name, _, _ := strings.Cut(sample, "{")
		if returns[name] && value != "0" {
			t.Errorf("%s is %s after the shutdown", sample, value)
		}
	}
	wantSamples(t, registry, map[string]string{
		`tandem_connections_closed_total{cause="peer",code="1000",initiator="remote"}`: "1",
		`tandem_connections_closed_total{cause="drain",code="1001",initiator="local"}`: "1",
		`tandem_connection_lifetime_seconds_count`:                                     "2",
		`tandem_handshake_duration_seconds_count`:                                      "2",
		`tandem_message_bytes_count{direction="out"}`:                                  "2",
		`tandem_mailbox_wait_seconds_count`:                                            "2", // the first of each connection
		`tandem_session_handling_seconds_count`:                                        "2",
		`tandem_write_batch_frames_count`:                                              after["tandem_write_batch_frames_bucket{le=\"1\"}"],
		`tandem_frames_total{direction="in",opcode="close"}`:                           "2",
		`tandem_frames_total{direction="out",opcode="close"}`:                          "2",
		`tandem_frames_total{direction="out",opcode="text"}`:                           "2",
		`tandem_frame_payload_bytes_total{direction="out",opcode="text"}`:              "10",
	})
}
