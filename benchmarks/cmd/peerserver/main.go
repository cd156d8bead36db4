// Command peerserver answers every message with itself over another WebSocket
// library, or over none: it is what Tandem's echo server is compared with.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-ws/tandem/internal/debugpage"
)

// maxMessage bounds what a peer accepts; the largest message that is sent is
// 1 MiB.
const maxMessage = 4 << 20

// queue is how many broadcast messages may wait for a connection, where the
// library has no queue of its own.
const queue = 256

// settings are the flags.
type settings struct {
	addr, kind, debug  string
	broadcast, deflate bool
}

// kinds serve until the process ends. Each is what the library's documentation
// shows, with what it offers for speed.
var kinds = map[string]func(settings) error{
	"gws":         serveGWS,
	"nbio":        serveNBIO,
	"coder":       serveCoder,
	"gorilla":     serveGorilla,
	"gobwas":      serveGobwas,
	"bytes-net":   serveBytesNet,
	"bytes-epoll": serveBytesEpoll,
}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	s, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	failed := make(chan error, 2)
	if err == nil && s.debug != "" {
		var listener net.Listener
		if listener, err = net.Listen("tcp", s.debug); err == nil {
			go func() { failed <- newHTTPServer(debugpage.Handler()).Serve(listener) }()
		}
	}
	if err != nil {
		fmt.Fprintln(stderr, "peerserver:", err)
		return 2
	}
	go func() { failed <- kinds[s.kind](s) }()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	if err := answers(s.addr); err != nil {
		select {
		case err = <-failed:
		default:
		}
		fmt.Fprintln(stderr, "peerserver:", err)
		return 2
	}
	fmt.Fprintln(stdout, "ready")
	select {
	case err := <-failed:
		fmt.Fprintln(stderr, "peerserver:", err)
		return 1
	case <-interrupted:
		return 0
	}
}

func parse(args []string) (settings, error) {
	var s settings
	names := make([]string, 0, len(kinds))
	for name := range kinds {
		names = append(names, name)
	}
	slices.Sort(names)
	flags := flag.NewFlagSet("peerserver", flag.ContinueOnError)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:9001", "address to listen on")
	flags.StringVar(&s.kind, "kind", "gws", "what echoes: "+strings.Join(names, ", "))
	flags.StringVar(&s.debug, "debug", "", "address of GET /debug and /debug/pprof, none if empty")
	flags.BoolVar(&s.broadcast, "broadcast", false, "send every message to every connection")
	flags.BoolVar(&s.deflate, "deflate", false, "agree to permessage-deflate without context takeover")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	switch {
	case flags.NArg() > 0:
		return s, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case kinds[s.kind] == nil:
		return s, fmt.Errorf("-kind is %q, allowed is one of %s", s.kind, strings.Join(names, ", "))
	case strings.HasPrefix(s.kind, "bytes-") && (s.broadcast || s.deflate):
		return s, errors.New("a byte echo neither broadcasts nor compresses")
	}
	return s, nil
}

// answers waits until the server accepts connections, for libraries that
// listen themselves and say nothing about it.
func answers(addr string) error {
	var err error
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var c net.Conn
		if c, err = net.DialTimeout("tcp", addr, time.Second); err == nil {
			return c.Close()
		}
	}
	return err
}

func newHTTPServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
}

// serveHTTP serves a handler the way net/http's documentation shows.
func serveHTTP(addr string, handler http.HandlerFunc) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return newHTTPServer(handler).Serve(listener)
}
