package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"go.uber.org/zap/zapcore"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // it stopped without being asked to, or was asked twice
	exitUsage  = 2 // it could not start as it was told to
)

// options are what the command line says.
type options struct {
	addr     string
	admin    string
	logLevel zapcore.Level
}

// run is the program without its process: it serves until the context ends,
// and returns the exit code.
func run(ctx context.Context, args []string, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return complain(stderr, err)
	}
	public, err := listen("-addr", o.addr)
	if err != nil {
		return complain(stderr, err)
	}
	admin, err := listen("-admin", o.admin)
	if err != nil {
		_ = public.Close()
		return complain(stderr, err)
	}
	logger := newLogger(stderr, o.logLevel)
	logActors(logger)
	defer func() { _ = logger.Sync() }() // a terminal cannot be synced
	return serve(ctx, public, admin, logger)
}

// complain says in one line why the program cannot start.
func complain(stderr io.Writer, err error) int {
	line := strings.NewReplacer("\n", " ", "\r", " ").Replace(err.Error())
	fmt.Fprintln(stderr, "chat: "+line)
	return exitUsage
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("chat", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // complain says it
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`address` of the page and the WebSocket")
	flags.StringVar(&o.admin, "admin", "127.0.0.1:8081", "`address` of metrics, health and profiles; not for the public")
	flags.TextVar(&o.logLevel, "log-level", zapcore.InfoLevel, "least `level` to log: debug, info, warn or error")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stderr, "usage: chat [flags]")
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w (-h lists the flags)", err)
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q (-h lists the flags)", flags.Arg(0))
	case o.logLevel < zapcore.DebugLevel || o.logLevel > zapcore.ErrorLevel:
		return o, fmt.Errorf("-log-level %s is not one of debug, info, warn and error", o.logLevel)
	}
	return o, nil
}

func listen(name, addr string) (net.Listener, error) {
	if addr == "" { // which would be all interfaces and any port
		return nil, fmt.Errorf("%s is empty; it needs a host and a port", name)
	}
	listener, err := net.Listen("tcp", addr)
	if err == nil {
		return listener, nil
	}
	// The system's own words are enough; what surrounds them repeats the address.
	reason := err
	var system *os.SyscallError
	var address *net.AddrError
	switch {
	case errors.As(err, &system):
		reason = system.Err
	case errors.As(err, &address):
		reason = errors.New(address.Err)
	}
	return nil, fmt.Errorf("cannot listen on %q (%s): %w", addr, name, reason)
}
