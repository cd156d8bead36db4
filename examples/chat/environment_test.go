package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
)

func TestFlagsThatAreNotGivenComeFromTheEnvironment(t *testing.T) {
	t.Setenv("CHAT_ADDR", ":8000")
	t.Setenv("CHAT_ADMIN", ":8001")
	t.Setenv("CHAT_LOG_LEVEL", "warn")
	t.Setenv("CHAT_DRAIN_SPREAD", "4s")
	o, err := parseOptions([]string{"-admin", ":9001"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if o.addr != ":8000" || o.admin != ":9001" || o.logLevel != zapcore.WarnLevel || o.drain.spread != 4*time.Second {
		t.Errorf("the options are %+v", o)
	}
}

func TestWrongVariablesAreNamed(t *testing.T) {
	for name, test := range map[string]struct{ variable, value, says string }{
		"no duration":  {"CHAT_DRAIN_DELAY", "soon", `"soon" for CHAT_DRAIN_DELAY`},
		"empty":        {"CHAT_DRAIN_DELAY", "", `"" for CHAT_DRAIN_DELAY`},
		"no level":     {"CHAT_LOG_LEVEL", "loud", `"loud" for CHAT_LOG_LEVEL`},
		"out of range": {"CHAT_LOG_LEVEL", "fatal", "fatal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(test.variable, test.value)
			if _, err := parseOptions(nil, io.Discard); err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("it says %v, want %q", err, test.says)
			}
		})
	}
}
