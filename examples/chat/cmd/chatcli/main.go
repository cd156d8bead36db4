// Command chatcli is the chat in a terminal: what is typed is said, a line at a
// time, and what others say is printed.
//
//	go run ./examples/chat/cmd/chatcli -nick ann
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/examples/chat/client"
)

// settleTime is how long the end of the input waits for what is not stored yet.
const settleTime = 10 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run talks until the input or the context ends, or the chat does not want the
// client, and returns the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, problems io.Writer) int {
	flags := flag.NewFlagSet("chatcli", flag.ContinueOnError)
	flags.SetOutput(problems)
	urls := flags.String("url", "ws://127.0.0.1:8080/ws", "`URLs` of the chat's nodes, separated by commas")
	room := flags.String("room", "lobby", "`room` to be in")
	nick := flags.String("nick", "", "`nickname` to go by")
	token := flags.String("token", os.Getenv("CHAT_TOKEN"), "`token` to show; default: $CHAT_TOKEN")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case *nick == "":
		fmt.Fprintln(problems, "chatcli: -nick is needed")
		return 2
	}
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Fprintln(problems, "chatcli:", err)
		return 1
	}
	settled := make(chan struct{}, 1)
	c, err := client.New(engine, client.Config{URLs: strings.Split(*urls, ","), Room: *room, Nick: *nick, Token: *token, Events: func(event any) {
		if line := lineOf(event, *nick); line != "" {
			fmt.Fprintln(out, line)
		}
		switch event.(type) {
		case client.Stored, client.Failed:
			select {
			case settled <- struct{}{}:
			default:
			}
		}
	}})
	if err != nil {
		fmt.Fprintln(problems, "chatcli:", err)
		return 2
	}
	defer c.Close()
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(in); scanner.Scan(); {
			select {
			case lines <- scanner.Text():
			case <-c.Done():
				return
			}
		}
	}()
	for {
		select {
		case line, more := <-lines:
			if !more {
				return settle(ctx, c, settled)
			}
			if strings.TrimSpace(line) == "" {
				continue
			}
			if _, err := c.Say(line); err != nil {
				fmt.Fprintln(problems, "chatcli:", err)
			}
		case <-c.Done():
			fmt.Fprintln(problems, "chatcli: the chat has ended the connection:", c.Err())
			return 1
		case <-ctx.Done():
			return 0
		}
	}
}

// settle waits until all that was said is stored.
func settle(ctx context.Context, c *client.Client, settled <-chan struct{}) int {
	limit := time.NewTimer(settleTime)
	defer limit.Stop()
	for c.Waiting() > 0 {
		select {
		case <-settled:
		case <-limit.C:
			return 1
		case <-c.Done():
			return 1
		case <-ctx.Done():
			return 0
		}
	}
	return 0
}

// lineOf says what happened, "" for what is not worth a line.
func lineOf(event any, me string) string {
	switch e := event.(type) {
	case client.Message:
		return fmt.Sprintf("%s  %s: %s", e.At.Local().Format("15:04"), e.Nick, printable(e.Text))
	case client.Whisper:
		return fmt.Sprintf("%s  %s (to you): %s", time.Now().Format("15:04"), e.Nick, printable(e.Text))
	case client.Joined:
		return fmt.Sprintf("-- in %s as %s, with %s", e.Room, e.Nick, strings.Join(e.Members, ", "))
	case client.Notice:
		if e.Nick != me {
			return fmt.Sprintf("-- %s: %s", e.Kind, e.Nick)
		}
	case client.Gap:
		return "-- messages are missing here"
	case client.Failed:
		return fmt.Sprintf("-- not sent (%s): %s", e.Code, printable(e.Text))
	case client.Refused:
		return "-- " + e.Text
	case client.State:
		switch {
		case !e.Connected:
			return "-- connection lost"
		case !e.Storing:
			return "-- the chat cannot store anything just now"
		}
	}
	return ""
}

// printable keeps what others say from steering the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return ' '
		}
		return r
	}, text)
}
