package split_test

import (
	"fmt"
	"io"
	"net"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// echo is a connection of two halves and no actors: a handler for its reader,
// and a goroutine for its writer whenever one is due.
type echo struct {
	reader    *split.Reader
	writer    *split.Writer
	transport split.Transport
	ended     chan error
}

// newEcho takes over a stream whose handshake is done.
func newEcho(stream net.Conn, config *split.Config) (*echo, error) {
	reader, writer, err := split.New(wscore.Server, config, wscore.DeflateParams{})
	if err != nil {
		return nil, err
	}
	e := &echo{reader: reader, writer: writer, ended: make(chan error, 1)}
	if e.transport, err = (split.Parked{}).Attach(stream, nil, e); err != nil {
		return nil, err
	}
	writer.Bind(e.transport)
	e.transport.Start()
	return e, nil
}

// Fill reads into the reader's own memory.
func (e *echo) Fill(source io.Reader) error { return e.reader.Fill(source) }

// Drain sends every message back as it came, in the very buffer.
func (e *echo) Drain(err error) split.Verdict {
	if err != nil {
		return e.end(e.reader.End(err))
	}
	for {
		event, err := e.reader.Next()
		if err != nil {
			return e.end(err)
		}
		wake := event.Wake // a pong is due
		switch event.Kind {
		case split.Message:
			if wake, err = e.writer.Send(event.Buffer); err != nil {
				return e.end(err)
			}
		case split.Close:
			wake, _ = e.writer.Close(event.Code, "", false)
			e.reader.Discard()
		case split.NeedMore:
			e.reader.Rest() // no memory while nothing comes
			if e.reader.Unfinished() {
				return split.ReadMore
			}
			return split.Park
		}
		if wake {
			go e.flush()
		}
	}
}

func (e *echo) flush() {
	if closeSent, err := e.writer.Flush(); closeSent || err != nil {
		_ = e.transport.Close() // a server may close first, once both close frames are through
	}
}

func (e *echo) end(err error) split.Verdict {
	e.reader.Discard()
	e.writer.Shut()
	_ = e.transport.Close()
	e.ended <- err
	return split.Stop
}

// Two halves echo over a stream that has shaken hands, with no actor system.
func ExampleNew() {
	config, err := split.Config{Mailbox: split.MailboxConfig{MaxFrames: 16}}.WithDefaults()
	if err != nil {
		panic(err)
	}
	near, far := net.Pipe() // in place of a stream from an upgrade
	server, err := newEcho(near, &config)
	if err != nil {
		panic(err)
	}

	client, err := wscore.NewConn(far, wscore.Client, wscore.Buffers{
		Read: make([]byte, 1024), Write: make([]byte, 1024), Message: make([]byte, 1024),
	}, wscore.Options{})
	if err != nil {
		panic(err)
	}
	for _, text := range []string{"hello", "halves"} {
		if err := client.Send(wscore.Text([]byte(text))); err != nil {
			panic(err)
		}
		reply, err := client.Next()
		fmt.Printf("%s %v\n", reply.Payload, err)
	}
	if err := client.Close(wscore.CloseNormal, ""); err != nil {
		panic(err)
	}
	reply, err := client.Next()
	fmt.Println(reply.Code, err)

	fmt.Println(<-server.ended)
	fmt.Println(config.Pool.InUse(), "buffers in use")
	// Output:
	// hello <nil>
	// halves <nil>
	// 1000 normal closure <nil>
	// <nil>
	// 0 buffers in use
}
