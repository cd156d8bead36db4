package actor_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/split"
)

// Whatever stands in a dialer's way over real sockets has a name for metrics,
// and an error with a type.
func TestDialerNamesWhatStoodInItsWay(t *testing.T) {
	web := httptest.NewUnstartedServer(http.NotFoundHandler())
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	web.StartTLS()
	defer web.Close()
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	defer refusing.Close()
	elsewhere := httptest.NewServer(http.RedirectHandler("/again", http.StatusFound))
	defer elsewhere.Close()
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	through := func(proxy string) func(*url.URL) (*url.URL, error) {
		return func(*url.URL) (*url.URL, error) { return url.Parse(proxy) }
	}
	plain := func(server *httptest.Server) string { return "ws" + server.URL[len("http"):] }

	var transport *split.TransportError
	var proxy *split.ProxyError
	var refusal *split.RefusalError
	for _, test := range []struct {
		name   string
		dial   split.DialConfig
		header http.Header // added by Prepare
		reason string
		as     any
	}{
		{name: "a certificate of nobody we know", dial: split.DialConfig{URL: plain(web)}, reason: "tls", as: &transport},
		{name: "a proxy that wants a password", dial: split.DialConfig{URL: "ws://server.example/", Proxy: through(refusing.URL)}, reason: "proxy", as: &proxy},
		{name: "a redirect to itself", dial: split.DialConfig{URL: plain(elsewhere)}, reason: "status", as: &refusal},
		{name: "a server that never answers", dial: split.DialConfig{URL: plain(silent)}, reason: "handshake", as: &transport},
		{name: "a header field that is none", dial: split.DialConfig{URL: plain(web)}, header: http.Header{"X": {"a\r\nb"}}, reason: "request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dialer, observer := keep(t, hearing(make(chan string, 10)), actor.DialerConfig{
				ConnConfig: actor.ConnConfig{HandshakeTimeout: time.Second},
				Dial:       test.dial,
				Retry:      func(actor.Attempt) actor.Decision { return actor.Decision{} },
				Prepare: func(_ context.Context, next *actor.NextDial) error {
					next.Dial.Header = test.header
					return nil
				},
			})
			select {
			case <-dialer.Done():
			case <-time.After(10 * time.Second):
				t.Fatal("still at it")
			}
			observer.wait(t, "the failure", func(r *recorder) bool { return len(r.dialFailures) == 1 && r.dialFailures[0] == test.reason })
			if test.as != nil && !errors.As(dialer.Err(), test.as) {
				t.Errorf("ended with %T %v", dialer.Err(), dialer.Err())
			}
		})
	}
}
