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
		e := &halves{reader: reader, writer: writer}
		e.transport, _ = split.Parked{}.Attach(stream, early, e) // parking never fails
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
	wake := false
	for !e.ending {
		event, err := e.reader.Next()
		wake = wake || event.Wake
		switch {
		case err != nil:
			e.close(err.(*wscore.ProtocolError).Code)
			return split.Park
		case event.Kind == split.NeedMore:
			if wake {
				e.flush()
			}
			e.reader.Rest()
			if e.reader.Unfinished() {
				return split.ReadMore
			}
			return split.Park
		case event.Kind == split.Message:
			started, _ := e.writer.Send(event.Buffer) // a full mailbox shows in the next flush
			wake = wake || started
		case event.Kind == split.Close:
			e.close(event.Code)
		}
	}
	return split.Park
}

func (e *halves) close(code wscore.CloseCode) {
	e.ending = true
	e.reader.Discard()
	e.writer.Close(code, "", false)
	e.flush()
	_ = e.transport.CloseWrite()
	e.once.Do(func() { time.AfterFunc(time.Second, func() { _ = e.transport.Close() }) })
}

func (e *halves) flush() {
	if _, err := e.writer.Flush(); err != nil {
		_ = e.transport.Close()
	}
}
