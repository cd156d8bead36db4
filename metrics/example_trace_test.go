package metrics_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/rawpeer"
	"github.com/tandem-ws/tandem/metrics"
)

// span is what a tracing library takes: with OpenTelemetry it would be
// tracer.Start with trace.WithTimestamp, SetAttributes, SetStatus and End.
type span struct {
	name       string
	start, end time.Time
	attributes map[string]any
	err        error
}

// traced is the collector, and also makes a span of each connection. Whatever
// it does not define itself goes to the collector.
type traced struct {
	*metrics.Collector
	spans chan span
}

// ConnectionEnded makes the span at the connection's end, when all is known of
// it. Its id is also in the log, so that one leads to the other.
func (t traced) ConnectionEnded(conn *actor.Conn, closed actor.Closed, lifetime time.Duration) {
	stats, end := conn.Stats(), time.Now()
	t.spans <- span{
		name: "websocket", start: end.Add(-lifetime), end: end, err: closed.Err,
		attributes: map[string]any{
			"websocket.connection": conn.ID(), "client.address": conn.RemoteAddr().String(),
			"websocket.close_code": int(closed.Code), "websocket.cause": closed.Cause.String(),
			"websocket.frames_in": stats.In.Frames, "websocket.bytes_in": stats.In.Bytes,
		},
	}
}

// Spans of connections beside their metrics, without a tracing library in the
// kit.
func Example_tracing() {
	collector, err := metrics.New(metrics.Config{Registerer: prometheus.NewRegistry()})
	if err != nil {
		fmt.Println(err)
		return
	}
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	observer := traced{Collector: collector, spans: make(chan span, 100)}
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return &echo{}, nil }
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{ConnConfig: actor.ConnConfig{Observer: observer}})
	if err != nil {
		fmt.Println(err)
		return
	}
	listener := httptest.NewServer(server)
	defer listener.Close()

	client, _, err := rawpeer.DialClient(strings.TrimPrefix(listener.URL, "http://"), "/", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := client.Text("hello"); err != nil {
		fmt.Println(err)
	}
	if err := client.Close(1000, ""); err != nil {
		fmt.Println(err)
	}
	s := <-observer.spans
	_ = client.Shut()
	fmt.Println(s.name, s.attributes["websocket.close_code"], s.attributes["websocket.cause"], s.attributes["websocket.frames_in"], "frames", s.attributes["websocket.bytes_in"], "bytes", s.err)
	_ = server.Shutdown(context.Background())
	// Output: websocket 1000 peer 2 frames 7 bytes <nil>
}
