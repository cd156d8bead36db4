package main

import (
	"context"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/internal/conformance"
)

// Every engine passes every case strictly, compression included. The long
// groups run shortened unless TANDEM_CONFORMANCE is "full".
func TestServersConform(t *testing.T) {
	for _, s := range []settings{
		{engine: "core"},
		{engine: "split", readiness: "poll"},
		{engine: "split", readiness: "park"},
		{engine: "actor", readiness: "poll"},
		{engine: "actor", readiness: "park"},
	} {
		s.deflate = true
		name := strings.TrimSuffix(s.engine+"-"+s.readiness, "-")
		t.Run(name, func(t *testing.T) {
			handler, stop, err := engines[s.engine](s)
			if err != nil {
				t.Fatal(err)
			}
			web := httptest.NewServer(handler)
			defer web.Close()
			defer stop()
			target := conformance.ServerAt(name, strings.TrimPrefix(web.URL, "http://"))
			report := conformance.Run(context.Background(), target, conformance.Options{Short: os.Getenv("TANDEM_CONFORMANCE") != "full"})
			t.Log("\n" + report.Summary())
			if err := report.Strict(); err != nil {
				t.Error(err)
			}
		})
	}
}
