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
	for _, name := range []string{"core", "split", "actor"} {
		t.Run(name, func(t *testing.T) {
			handler, stop, err := engines[name](settings{deflate: true})
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
