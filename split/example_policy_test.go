package split_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// Of prices that wait, only the newest of each kind is worth sending.
func ExampleWriter_SendKeyed() {
	config, err := split.Config{Mailbox: split.MailboxConfig{Policy: split.Conflate}}.WithDefaults()
	if err != nil {
		panic(err)
	}
	near, far := net.Pipe() // in place of a stream from an upgrade
	server, err := newEcho(near, &config)
	if err != nil {
		panic(err)
	}
	due := false
	for _, price := range []struct{ key, text string }{{"tea", "tea 4.10"}, {"salt", "salt 0.80"}, {"tea", "tea 4.20"}} {
		wake, err := server.writer.SendKeyed(price.key, config.Pool.Text(price.text))
		if err != nil {
			panic(err)
		}
		due = due || wake
	}
	if due {
		go server.flush()
	}

	client, err := wscore.NewConn(far, wscore.Client, wscore.Buffers{
		Read: make([]byte, 1024), Write: make([]byte, 1024), Message: make([]byte, 1024),
	}, wscore.Options{})
	if err != nil {
		panic(err)
	}
	for range 2 {
		price, err := client.Next()
		fmt.Printf("%s %v\n", price.Payload, err)
	}
	_ = far.Close()
	<-server.ended
	// Output:
	// tea 4.20 <nil>
	// salt 0.80 <nil>
}

// A sender that waits for room gives up when its context does, and the
// connection goes on.
func ExampleWriter_SendContext() {
	config, err := split.Config{Mailbox: split.MailboxConfig{MaxFrames: 1, Policy: split.Block}}.WithDefaults()
	if err != nil {
		panic(err)
	}
	_, writer, err := split.New(wscore.Server, &config, wscore.DeflateParams{})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	for range 2 { // nobody flushes here
		_, err := writer.SendContext(ctx, config.Pool.Text("hello"))
		fmt.Println(err, errors.Is(err, context.DeadlineExceeded))
	}
	writer.Shut()
	// Output:
	// <nil> false
	// websocket: message dropped: the wait for room was ended: context deadline exceeded true
}
