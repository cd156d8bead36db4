package metrics_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/metrics"
)

type session struct{}

func (session) Receive(*actor.Context) {}

// A server with its metrics beside it. A request that is no handshake is
// refused, and the next scrape shows it.
func Example() {
	registry := prometheus.NewRegistry()
	collector, err := metrics.New(metrics.Config{Registerer: registry})
	if err != nil {
		fmt.Println(err)
		return
	}
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return session{}, nil }
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{ConnConfig: actor.ConnConfig{Observer: collector}})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/ws", server)
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/ws", nil))

	scrape := httptest.NewRecorder()
	mux.ServeHTTP(scrape, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for line := range strings.Lines(scrape.Body.String()) {
		if strings.HasPrefix(line, `tandem_handshakes_refused_total{reason="upgrade"}`) {
			fmt.Print(line)
		}
	}
	// Output: tandem_handshakes_refused_total{reason="upgrade"} 1
}
