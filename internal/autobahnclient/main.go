// Command autobahnclient is the client side of the published conformance
// suite: it asks a fuzzing server for its cases, echoes in each, and has the
// report written.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

const (
	// maxMessage is larger than the largest message of the suite.
	maxMessage = 16<<20 + 64<<10
	// caseTimeout bounds one case; the longest take the suite a minute.
	caseTimeout = 3 * time.Minute
	dialTimeout = 10 * time.Second
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("autobahnclient", flag.ContinueOnError)
	flags.SetOutput(stderr)
	server := flags.String("url", "ws://127.0.0.1:9001", "address of the fuzzing server")
	agent := flags.String("agent", "tandem", "name in the report")
	deflate := flags.Bool("deflate", true, "offer permessage-deflate")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	address, err := url.Parse(*server)
	if err != nil || address.Scheme != "ws" || address.Port() == "" || flags.NArg() > 0 {
		fmt.Fprintf(stderr, "autobahnclient: -url is %q, allowed is ws://host:port\n", *server)
		return 2
	}
	c := client{host: address.Host, agent: url.QueryEscape(*agent), deflate: *deflate}
	if err := c.runAll(stdout); err != nil {
		fmt.Fprintln(stderr, "autobahnclient:", err)
		return 1
	}
	return 0
}

// client runs the cases of one fuzzing server.
type client struct {
	host, agent string
	deflate     bool
}

func (c client) runAll(progress io.Writer) error {
	count, err := c.caseCount()
	if err != nil {
		return err
	}
	for number := 1; number <= count; number++ {
		fmt.Fprintf(progress, "\rcase %d of %d", number, count)
		// How a case ends is the server's to judge.
		_ = c.visit(fmt.Sprintf("/runCase?case=%d&agent=%s", number, c.agent), echo)
	}
	fmt.Fprintln(progress)
	return c.visit("/updateReports?agent="+c.agent, func(conn *wscore.Conn) error {
		_, err := conn.Next()
		return ended(err)
	})
}

func (c client) caseCount() (count int, err error) {
	err = c.visit("/getCaseCount", func(conn *wscore.Conn) error {
		message, err := conn.Next()
		if err != nil {
			return err
		}
		count, err = strconv.Atoi(string(message.Payload))
		return err
	})
	return count, err
}

// visit opens a connection, uses it and closes it.
func (c client) visit(path string, use func(*wscore.Conn) error) error {
	stream, err := net.DialTimeout("tcp", c.host, dialTimeout)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	if err := stream.SetDeadline(time.Now().Add(caseTimeout)); err != nil {
		return err
	}
	conn, err := c.connect(stream, path)
	if err != nil {
		return err
	}
	return use(conn)
}

// connect shakes hands over an open stream.
func (c client) connect(stream net.Conn, path string) (*wscore.Conn, error) {
	options := wscore.ConnectOptions{Host: c.host, Path: path, Options: wscore.Options{Limits: wscore.Limits{MaxMessage: maxMessage}}}
	if c.deflate {
		options.Deflate = &wscore.DeflateConfig{SendTakeover: true, ReceiveTakeover: true, Threshold: 1, MaxRatio: 1 << 20}
	}
	conn, _, err := wscore.Connect(stream, wscore.Buffers{
		Read: make([]byte, 64<<10), Write: make([]byte, 64<<10), Message: make([]byte, maxMessage),
	}, options)
	return conn, err
}

// echo sends every message back until the connection is over.
func echo(conn *wscore.Conn) error {
	for {
		message, err := conn.Next()
		if err != nil {
			return ended(err)
		}
		if message.IsData() {
			if err := conn.Send(message); err != nil {
				return err
			}
		}
	}
}

// ended turns the orderly end of a connection into no error.
func ended(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}
