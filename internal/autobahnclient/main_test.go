package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/internal/conformance"
	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// The synchronous connection in the client's role passes every case.
func TestClientConforms(t *testing.T) {
	target := conformance.ClientsOf("wscore client", func(ctx context.Context, addr string, _ conformance.Case) {
		stream, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		defer func() { _ = stream.Close() }()
		stop := context.AfterFunc(ctx, func() { _ = stream.Close() })
		defer stop()
		c := client{host: addr, deflate: true}
		conn, err := c.connect(stream, "/")
		if err != nil {
			return
		}
		_ = echo(conn) // judged on the wire
		// Closing with unread bytes would reset the stream under our close frame.
		_ = stream.(*net.TCPConn).CloseWrite()
		_ = stream.SetReadDeadline(time.Now().Add(time.Second))
		for scratch := make([]byte, 4096); ; {
			if _, err := stream.Read(scratch); err != nil {
				return
			}
		}
	})
	report := conformance.Run(context.Background(), target, conformance.Options{Short: os.Getenv("TANDEM_CONFORMANCE") != "full"})
	t.Log("\n" + report.Summary())
	if err := report.Strict(); err != nil {
		t.Error(err)
	}
}

// A scripted fuzzing server counts two cases and wants a report.
func TestClientAsksForCasesAndReports(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	visited := make(chan string, 4)
	go func() {
		for {
			stream, err := listener.Accept()
			if err != nil {
				return
			}
			peer, request, err := rawpeer.AcceptServer(stream, rawpeer.AcceptOptions{})
			if err != nil {
				visited <- err.Error()
				continue
			}
			switch {
			case strings.HasPrefix(request.Target, "/getCaseCount"):
				err = peer.Text("2")
			case strings.HasPrefix(request.Target, "/runCase"):
				if err = peer.Text("hello"); err == nil {
					err = peer.ExpectText("hello")
				}
			}
			if err == nil {
				err = peer.Close(1000, "")
			}
			if err != nil {
				visited <- err.Error()
			} else {
				visited <- request.Target
			}
			_ = peer.Shut()
		}
	}()
	var stdout, stderr bytes.Buffer
	if code := run([]string{"-url", "ws://" + listener.Addr().String(), "-agent", "a b"}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr.String())
	}
	for _, want := range []string{"/getCaseCount", "/runCase?case=1&agent=a+b", "/runCase?case=2&agent=a+b", "/updateReports?agent=a+b"} {
		if got := <-visited; got != want {
			t.Errorf("visited %s, want %s", got, want)
		}
	}
}

func TestWrongFlagsExitWithTwo(t *testing.T) {
	for _, args := range [][]string{{"-nope"}, {"-url", "http://127.0.0.1:1"}, {"extra"}} {
		var stdout, stderr bytes.Buffer
		if code := run(args, &stdout, &stderr); code != 2 || stderr.Len() == 0 {
			t.Errorf("%v: exit code %d, %q", args, code, stderr.String())
		}
	}
}
