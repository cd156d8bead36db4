// Command echoserver answers every message with itself over one of the kit's
// layers. It is the program that conformance suites and measurements speak to.
package main

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/tandem-ws/tandem/internal/debugpage"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// maxMessage is larger than the largest message of the published conformance
// suite.
const maxMessage = 16<<20 + 64<<10

// settings are the flags.
type settings struct {
	addr, engine, readiness, listener, debug string
	broadcast, deflate, tls                  bool
}

// service is an engine: its handshakes come through net/http, or through the
// kit's own listener if it has one.
type service struct {
	handler http.Handler
	serve   func(net.Listener, *tls.Config) error // nil for none; the config is nil without TLS
	stop    func()
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	s, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "echoserver:", err)
		return 2
	}
	service, err := engines[s.engine](s)
	if err != nil {
		fmt.Fprintln(stderr, "echoserver:", err)
		return 2
	}
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		fmt.Fprintln(stderr, "echoserver:", err)
		return 2
	}
	if s.debug != "" {
		debugListener, err := net.Listen("tcp", s.debug)
		if err != nil {
			fmt.Fprintln(stderr, "echoserver:", err)
			return 2
		}
		go func() { _ = newHTTPServer(debugpage.Handler()).Serve(debugListener) }()
	}
	var config *tls.Config
	if s.tls {
		if config, err = selfSigned(); err != nil {
			fmt.Fprintln(stderr, "echoserver:", err)
			return 2
		}
	}
	go func() { _ = s.serve(service, listener, config) }()
	fmt.Fprintln(stdout, "ready")
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	<-interrupted
	_ = listener.Close()
	service.stop()
	return 0
}

// serve serves the listener as -listener says.
func (s settings) serve(service service, listener net.Listener, config *tls.Config) error {
	if s.listener == "own" && service.serve != nil {
		return service.serve(listener, config)
	}
	server := newHTTPServer(service.handler)
	if config == nil {
		return server.Serve(listener)
	}
	server.TLSConfig = config
	return server.ServeTLS(listener, "", "")
}

func newHTTPServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
}

func parse(args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet("echoserver", flag.ContinueOnError)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:9001", "address to listen on")
	flags.StringVar(&s.engine, "engine", "actor", "layer that echoes: core, split or actor")
	flags.StringVar(&s.readiness, "readiness", "poll", "what wakes split and actor: poll (epoll, Linux) or park")
	flags.StringVar(&s.listener, "listener", "own", "who performs the handshakes of split and actor: own or http (net/http)")
	flags.StringVar(&s.debug, "debug", "", "address of GET /debug and /debug/pprof, none if empty")
	flags.BoolVar(&s.broadcast, "broadcast", false, "send every message to every connection (engine actor)")
	flags.BoolVar(&s.deflate, "deflate", false, "agree to permessage-deflate, with context takeover where offered")
	flags.BoolVar(&s.tls, "tls", false, "serve TLS, with a certificate of its own making")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case engines[s.engine] == nil:
		return s, fmt.Errorf("-engine is %q, allowed is core, split or actor", s.engine)
	case s.readiness != "park" && s.readiness != "poll":
		return s, fmt.Errorf("-readiness is %q, allowed is poll or park", s.readiness)
	case s.listener != "own" && s.listener != "http":
		return s, fmt.Errorf("-listener is %q, allowed is own or http", s.listener)
	case s.broadcast && s.engine != "actor":
		return s, errors.New("-broadcast needs -engine actor")
	}
	return s, nil
}

// compression is what -deflate asks for: everything, as a conformance suite
// wants to see it.
func (s settings) compression() *wscore.DeflateConfig {
	if !s.deflate {
		return nil
	}
	return &wscore.DeflateConfig{SendTakeover: true, ReceiveTakeover: true, Threshold: 1, MaxRatio: 1 << 20}
}

// wake is the readiness that -readiness names.
func (s settings) wake() split.Readiness {
	if s.readiness == "park" {
		return split.NewParked()
	}
	return split.NewReadiness()
}

// engines make the service of each layer.
var engines = map[string]func(settings) (service, error){
	"core":  newCore,
	"split": newSplit,
	"actor": newActor,
}
