package main

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/tandem-ws/tandem/internal/conformance"
)

// Every engine passes every case strictly, compression included. The long
// groups run shortened unless TANDEM_CONFORMANCE is "full".
func TestServersConform(t *testing.T) {
	certificate, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []settings{
		{engine: "core"},
		{engine: "split", readiness: "poll", listener: "http"},
		{engine: "split", readiness: "park", listener: "http"},
		{engine: "split", readiness: "poll", listener: "own"},
		{engine: "split", readiness: "park", listener: "own"},
		{engine: "actor", readiness: "poll", listener: "http"},
		{engine: "actor", readiness: "park", listener: "http"},
		{engine: "actor", readiness: "poll", listener: "own"},
		{engine: "actor", readiness: "park", listener: "own"},
		{engine: "actor", readiness: "poll", listener: "own", tls: true},
	} {
		s.deflate = true
		name := strings.TrimRight(s.engine+"-"+s.readiness+"-"+s.listener, "-")
		if s.tls {
			name += "-tls"
		}
		t.Run(name, func(t *testing.T) {
			made, err := engines[s.engine](s)
			if err != nil {
				t.Fatal(err)
			}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			var config *tls.Config
			if s.tls {
				config = certificate
			}
			go func() { ended <- s.serve(made, listener, config) }()
			defer func() {
				made.stop()
				_ = listener.Close()
				<-ended
			}()
			target := conformance.ServerAt(name, listener.Addr().String())
			if s.tls {
				plain := target.Connect
				target.Connect = func(ctx context.Context, c conformance.Case) (net.Conn, error) {
					conn, err := plain(ctx, c)
					if err != nil {
						return nil, err
					}
					secured := tls.Client(conn, &tls.Config{InsecureSkipVerify: true}) // #nosec: its own certificate
					return secured, secured.HandshakeContext(ctx)
				}
			}
			report := conformance.Run(context.Background(), target, conformance.Options{Short: os.Getenv("TANDEM_CONFORMANCE") != "full"})
			t.Log("\n" + report.Summary())
			if err := report.Strict(); err != nil {
				t.Error(err)
			}
		})
	}
}
