package main

import (
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// newSplit echoes with the two halves and no actors.
func newSplit(s settings) (http.Handler, func(), error) {
	config, err := split.Config{
		Limits:  wscore.Limits{MaxMessage: maxMessage},
		Deflate: s.compression(),
		Mailbox: split.MailboxConfig{MaxBytes: 4 * maxMessage, MaxFrames: 1 << 16},
	}.WithDefaults()
	if err != nil {
		return nil, nil, err
	}
	readiness := s.wake()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		stream, early, agreed, ok := accept(w, r, config.Deflate)
		if !ok {
			return
		}
		reader, writer, err := split.New(wscore.Server, &config, agreed)
		if err != nil {
			_ = stream.Close()
			return
		}
		e := &halves{reader: reader, writer: writer, polled: s.readiness != "park"}
		if e.transport, err = readiness.Attach(stream, early, e); err != nil {
			_ = stream.Close()
			return
		}
		writer.Bind(e.transport)
		e.transport.Start()
	}), func() {}, nil
}

// halves is the least that runs two halves: it echoes, and closes as the
// protocol asks.
type halves struct {
	reader    *split.Reader
	writer    *split.Writer
	transport split.Transport
	ending    bool // a close frame or a violation was received
	once      sync.Once
	wake      bool // a flush is due
	polled    bool
}

func (e *halves) Fill(source io.Reader) error {
	if !e.ending {
		return e.reader.Fill(source)
	}
	var scratch [4 << 10]byte
	n, err := source.Read(scratch[:])
	if n > 0 {
		return nil
	}
	return err
}

func (e *halves) Drain(err error) split.Verdict {
	if err != nil {
		_ = e.reader.End(err)
		e.writer.Shut()
		_ = e.transport.Close()
		return split.Stop
	}
	for !e.ending && e.handle() {
	}
	if e.wake {
		e.wake = false
		e.flush()
	}
	if e.ending {
		return split.Park
	}
	e.reader.Rest()
	if e.reader.Unfinished() {
		return split.ReadMore
	}
	return split.Park
}

// handle deals with the next event and reports whether there was one.
func (e *halves) handle() bool {
	event, err := e.reader.Next()
	e.wake = e.wake || event.Wake
	switch {
	case err != nil:
		e.close(err.(*wscore.ProtocolError).Code)
	case event.Kind == split.NeedMore:
		return false
	case event.Kind == split.Message:
		wake, _ := e.writer.Send(event.Buffer) // a full mailbox shows in the next flush
		e.wake = e.wake || wake
	case event.Kind == split.Close:
		e.close(event.Code)
	}
	return true
}

func (e *halves) close(code wscore.CloseCode) {
	e.ending = true
	e.reader.Discard()
	wake, _ := e.writer.Close(code, "", false)
	e.wake = e.wake || wake
	e.once.Do(func() { time.AfterFunc(time.Second, func() { _ = e.transport.Close() }) })
}

// flush writes what waits. A poll loop must not: the write may have to wait
// for the very loop that it runs on.
func (e *halves) flush() {
	if e.polled {
		go e.write()
		return
	}
	e.write()
}

func (e *halves) write() {
	closeSent, err := e.writer.Flush()
	switch {
	case err != nil:
		_ = e.transport.Close()
	case closeSent:
		_ = e.transport.CloseWrite() // the peer's end of the stream follows
	}
}
