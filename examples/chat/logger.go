package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"
	"golang.org/x/term"
)

// Of each kind of event the first so many in a second are logged, and then one
// in as many: a thousand clients that come back at once do not fill the disk.
const (
	logFirst      = 100
	logThereafter = 100
)

// newLogger logs lines for people to a terminal, and JSON to anything else.
func newLogger(out io.Writer, level zapcore.Level) *zap.Logger {
	config := zap.NewProductionEncoderConfig()
	config.EncodeTime = zapcore.ISO8601TimeEncoder
	encoder := zapcore.NewJSONEncoder(config)
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		config.EncodeTime = zapcore.TimeEncoderOfLayout("15:04:05.000")
		config.EncodeLevel = zapcore.CapitalLevelEncoder
		config.EncodeDuration = zapcore.StringDurationEncoder
		encoder = zapcore.NewConsoleEncoder(config)
	}
	core := zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(out)), level)
	return zap.New(zapcore.NewSamplerWithOptions(core, time.Second, logFirst, logThereafter))
}

// logActors makes what Hollywood says, such as that an actor crashed, go the
// same way: it uses the default logger of log/slog, of which a program has one.
func logActors(logger *zap.Logger) {
	slog.SetDefault(slog.New(zapslog.NewHandler(logger.Core(), zapslog.WithName("actors"))))
}
