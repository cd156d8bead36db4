package actortest

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/tandem-ws/tandem/actor"
)

// TB is what this package uses of a test: *testing.T, *testing.B and the like.
// Fatalf must not return.
type TB interface {
	Helper()
	Cleanup(func())
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// shutdownTimeout is how long the end of a test waits for its sessions.
const shutdownTimeout = 10 * time.Second

// NewServer makes a server with an engine of its own, and hands it to
// [ShutdownAtEnd]. Without a logger in the config, warnings and errors are
// logged with the test, panics of sessions above all.
func NewServer(t TB, newSession actor.NewSession, config actor.ServerConfig) *actor.Server {
	t.Helper()
	engine, err := actor.NewEngine()
	if err != nil {
		t.Fatalf("actortest: %v", err)
	}
	if config.Logger == nil {
		encoder := zapcore.NewConsoleEncoder(zapcore.EncoderConfig{LevelKey: "level", MessageKey: "message", EncodeLevel: zapcore.CapitalLevelEncoder})
		config.Logger = zap.New(zapcore.NewCore(encoder, testLog{t}, zapcore.WarnLevel))
	}
	server, err := actor.NewServer(engine, newSession, config)
	if err != nil {
		t.Fatalf("actortest: %v", err)
	}
	ShutdownAtEnd(t, server)
	return server
}

// Stopper is what ShutdownAtEnd takes: an *actor.Server or an *actor.Dialer.
type Stopper interface {
	Shutdown(context.Context) error
	BuffersInUse() int
}

// ShutdownAtEnd shuts a server or a dialer down when the test ends. The test fails if a
// session does not return from Receive within ten seconds then, and if a
// message buffer is still out: one that a session took or retained and neither
// sent nor released.
func ShutdownAtEnd(t TB, s Stopper) {
	t.Helper()
	t.Cleanup(func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("actortest: shutdown: %v; a session may be stuck in Receive", err)
		} else if n := s.BuffersInUse(); n != 0 {
			t.Errorf("actortest: %d message buffers are out: taken or retained by a session, and neither sent nor released", n)
		}
	})
}

// testLog writes log entries to a test's log.
type testLog struct{ t TB }

// Write logs one entry.
func (l testLog) Write(p []byte) (int, error) {
	l.t.Logf("%s", strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

// Sync does nothing.
func (testLog) Sync() error { return nil }
