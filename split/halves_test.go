package split

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

func TestConfigDefaults(t *testing.T) {
	config, err := Config{}.WithDefaults()
	must(t, err)
	equal(t, "WriteTimeout", config.WriteTimeout, 10*time.Second)
	equal(t, "MaxMessage", config.Limits.MaxMessage, 1<<20)
	equal(t, "Mailbox", config.Mailbox, MailboxConfig{MaxFrames: 256, MaxBytes: 1 << 20, Policy: CloseSlow, BlockTimeout: time.Second})
	equal(t, "ManualPong", config.ManualPong, false)
	equal(t, "compression", config.Deflate == nil, true)
	equal(t, "a pool of its own", config.Pool != nil, true)
	equal[Observer](t, "Observer", config.Observer, NopObserver{})
	again, err := config.WithDefaults()
	must(t, err)
	equal(t, "defaults of the defaults", again, config)
}

func TestConfigOutOfRangeIsRefusedByName(t *testing.T) {
	for field, config := range map[string]Config{
		"WriteTimeout":      {WriteTimeout: time.Millisecond - 1},
		"MaxMessage":        {Limits: wscore.Limits{MaxMessage: -1}},
		"Mailbox.MaxFrames": {Mailbox: MailboxConfig{MaxFrames: -1}},
		"Deflate.Level":     {Deflate: &wscore.DeflateConfig{Level: 10}},
	} {
		_, err := config.WithDefaults()
		var wrong *wscore.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("got %v, want an error about %s", err, field)
		}
	}
	_, err := Config{WriteTimeout: time.Hour + 1}.WithDefaults()
	equal(t, "an endless timeout is refused", err != nil, true)
	_, _, err = New(wscore.Server, &Config{Limits: wscore.Limits{MaxMessage: -1}}, wscore.DeflateParams{})
	equal(t, "New refuses what has no defaults", err != nil, true)
}

func TestConfigKeepsTheCallersDeflateConfigAsItIs(t *testing.T) {
	mine := wscore.DeflateConfig{}
	config, err := Config{Deflate: &mine}.WithDefaults()
	must(t, err)
	equal(t, "level with defaults", config.Deflate.Level, 1)
	equal(t, "the caller's", mine, wscore.DeflateConfig{})
}

func TestHalvesShareOneState(t *testing.T) {
	r := newReader(t, wscore.Server, Config{})
	equal(t, "the lifecycle", r.Lifecycle(), r.writer.Lifecycle())
	equal[error](t, "run", r.run(play(clientFrames(closeOf(1000, "")))), ErrWouldBlock)
	equal(t, "state seen by the writer", r.writer.Lifecycle().State(), wscore.CloseReceived)
}

func TestDropReasonNames(t *testing.T) {
	for reason, name := range map[DropReason]string{DropFull: "full", DropClosed: "closed", DropPong: "pong", DropConflated: "conflated", DropLost: "lost"} {
		equal(t, "name", reason.String(), name)
	}
	equal(t, "number of reasons", DropReasons, 5)
}

func TestErrorsSayWhatHappened(t *testing.T) {
	equal(t, "a send error", ErrDropped.Error(), "websocket: message dropped: mailbox is full")
	failure := &TransportError{Operation: "write", Err: io.ErrClosedPipe}
	equal(t, "a transport error", failure.Error(), "websocket: write: io: read/write on closed pipe")
	equal(t, "a transport error's cause", errors.Is(failure, io.ErrClosedPipe), true)
}
