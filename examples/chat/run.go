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
	"time"

	"go.uber.org/zap"
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

	data       string
	natsURL    string
	natsListen string
	natsToken  string
	replicas   int
	sync       bool

	tokenKey string
	mint     string
	origins  string
	auth     *auth // of tokenKey

	drain drainOptions
}

// run is the program without its process: it serves until the context ends,
// and returns the exit code.
func run(ctx context.Context, args []string, stderr io.Writer) int {
	return runWith(ctx, args, os.Stdout, stderr)
}

func runWith(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return complain(stderr, err)
	}
	if o.mint != "" {
		fmt.Fprintln(stdout, o.auth.sign(o.mint, time.Now().Add(tokenLife)))
		return exitOK
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
	if isPublic(public.Addr()) && (o.auth == nil || o.origins == "") {
		logger.Warn("the chat is open to the public: consider -token-key and -origins",
			zap.Bool("tokens", o.auth != nil), zap.Bool("origins", o.origins != ""))
	}
	if nats, err := net.ResolveTCPAddr("tcp", o.natsListen); o.natsListen != "" && err == nil && isPublic(nats) && o.natsToken == "" {
		logger.Warn("the NATS server is open to the public: set -nats-token")
	}
	return serve(ctx, o, public, admin, logger)
}

// tokenLife is how long a token is good that the program itself makes.
const tokenLife = 30 * 24 * time.Hour

// isPublic reports whether others than this machine can reach an address.
func isPublic(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && !tcp.IP.IsLoopback()
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
	flags.StringVar(&o.data, "data", "chat-data", "`directory` of the history, for the NATS server in this program")
	flags.StringVar(&o.natsURL, "nats", "", "`URLs` of NATS servers with JetStream to use instead, separated by commas")
	flags.StringVar(&o.natsListen, "nats-listen", "", "`address` at which the NATS server in this program takes further chat programs, by their -nats")
	flags.StringVar(&o.natsToken, "nats-token", "", "`secret` that NATS wants")
	flags.IntVar(&o.replicas, "replicas", 1, "on how many servers of a NATS cluster the history is stored: `1, 3 or 5`")
	flags.BoolVar(&o.sync, "sync", false, "write each message through to the disk: survives a power loss, costs a disk flush for each")
	flags.StringVar(&o.tokenKey, "token-key", "", "`file` with the key of the tokens that clients must show")
	flags.StringVar(&o.mint, "mint", "", "make a token for this `nickname` with the key, print it and end")
	flags.StringVar(&o.origins, "origins", "", "`origins` of pages that may connect beside this one's own, separated by commas")
	flags.TextVar(&o.logLevel, "log-level", zapcore.InfoLevel, "least `level` to log: debug, info, warn or error")
	o.drain.register(flags)
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stderr, "usage: chat [flags]\nA flag that is not given is taken from the environment: -log-level from CHAT_LOG_LEVEL.")
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, fmt.Errorf("%w (-h lists the flags)", err)
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q (-h lists the flags)", flags.Arg(0))
	}
	if err := fromEnvironment(flags, os.LookupEnv); err != nil {
		return o, err
	}
	switch {
	case o.logLevel < zapcore.DebugLevel || o.logLevel > zapcore.ErrorLevel:
		return o, fmt.Errorf("-log-level %s is not one of debug, info, warn and error", o.logLevel)
	case o.natsURL != "" && (o.natsListen != "" || o.sync):
		return o, errors.New("-nats is for other servers; -nats-listen and -sync are for the one in this program")
	case o.natsURL == "" && o.data == "":
		return o, errors.New("-data is empty; it needs a directory")
	case o.replicas != 1 && o.replicas != 3 && o.replicas != 5:
		return o, fmt.Errorf("-replicas %d is not one of 1, 3 and 5", o.replicas)
	case o.mint != "" && (o.tokenKey == "" || !validNick(o.mint)):
		return o, errors.New("-mint needs -token-key and a nickname that the chat would take")
	}
	if o.tokenKey != "" {
		if o.auth, err = readAuth(o.tokenKey); err != nil {
			return o, fmt.Errorf("-token-key: %w", err)
		}
	}
	return o, o.drain.check()
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
