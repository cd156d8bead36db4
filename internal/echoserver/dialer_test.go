package main

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/internal/conformance"
	"github.com/tandem-ws/tandem/split"
)

// A dialer's connections pass every case for clients strictly, whatever wakes
// them. The long groups run shortened unless TANDEM_CONFORMANCE is "full".
func TestDialersConform(t *testing.T) {
	server, err := selfSigned()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		settings
		secure bool
	}{
		{settings{readiness: "poll", deflate: true}, false},
		{settings{readiness: "park", deflate: true}, false},
		{settings{readiness: "poll", deflate: true}, true},
	} {
		name, scheme := "dialer-"+test.readiness, "ws://"
		if test.secure {
			name, scheme = "dialer-tls", "wss://"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine, err := actor.NewEngine()
			if err != nil {
				t.Fatal(err)
			}
			target := conformance.ClientsOf(name, func(ctx context.Context, addr string, _ conformance.Case) {
				echoOnce(ctx, t, engine, actor.DialerConfig{
					ConnConfig:  actor.ConnConfig{Readiness: test.wake(), MaxMessageBytes: maxMessage, Deflate: test.compression(), Mailbox: test.mailbox()},
					Dial:        split.DialConfig{URL: scheme + addr, TLS: &tls.Config{InsecureSkipVerify: true}},
					MaxAttempts: 1,
				})
			})
			if test.secure {
				target = behindTLS(target, server)
			}
			report := conformance.Run(context.Background(), target, conformance.Options{Short: os.Getenv("TANDEM_CONFORMANCE") != "full"})
			t.Log("\n" + report.Summary())
			if err := report.Strict(); err != nil {
				t.Error(err)
			}
		})
	}
}

// echoOnce echoes over one connection until it ends, or the context does.
func echoOnce(ctx context.Context, t *testing.T, engine *actor.Engine, config actor.DialerConfig) {
	dialer, err := actor.NewDialer(engine, func(*actor.Established) (actor.Receiver, error) { return &session{}, nil }, config)
	if err != nil {
		t.Error(err)
		return
	}
	select {
	case <-dialer.Done():
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := dialer.Shutdown(end); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	if n := dialer.BuffersInUse(); n != 0 {
		t.Errorf("%d buffers in use", n)
	}
}

// behindTLS is the same target over TLS.
func behindTLS(target conformance.Target, config *tls.Config) conformance.Target {
	connect := target.Connect
	target.Connect = func(ctx context.Context, c conformance.Case) (net.Conn, error) {
		conn, err := connect(ctx, c)
		if err != nil {
			return nil, err
		}
		secure := tls.Server(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		return secure, nil
	}
	return target
}
