package main

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// newSplit echoes with the two halves and no actors.
func newSplit(s settings) (service, error) {
	config, err := split.Config{
		Limits:  wscore.Limits{MaxMessage: maxMessage},
		Deflate: s.compression(),
	}.WithDefaults()
	if err != nil {
		return service{}, err
	}
	readiness := s.wake()
	acceptor, err := split.NewAcceptor(split.AcceptConfig{
		Readiness: readiness,
		Decide: func(h *split.Handshake) error {
			agreed := h.Deflate(config.Deflate)
			e, err := newHalves(&config, agreed)
			if err != nil {
				return err
			}
			if e.transport, err = h.Accept(wscore.Answer{Deflate: agreed}, e); err != nil {
				return err
			}
			e.begin()
			return nil
		},
	})
	if err != nil {
		return service{}, err
	}
	return service{
		handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			stream, early, agreed, ok := accept(w, r, config.Deflate)
			if !ok {
				return
			}
			e, err := newHalves(&config, agreed)
			if err == nil {
				e.transport, err = readiness.Attach(stream, early, e)
			}
			if err != nil {
				_ = stream.Close()
				return
			}
			e.begin()
		}),
		serve: func(listener net.Listener, config *tls.Config) error {
			if config == nil {
				return acceptor.Serve(listener)
			}
			return acceptor.ServeTLS(listener, config)
		},
		stop: func() { _ = acceptor.Close() },
	}, nil
}

func newHalves(config *split.Config, agreed wscore.DeflateParams) (*halves, error) {
	reader, writer, err := split.New(wscore.Server, config, agreed)
	return &halves{reader: reader, writer: writer}, err
}

func (e *halves) begin() {
	e.writer.Bind(e.transport)
	e.transport.Start()
}

// halves is the least that runs two halves: it echoes, and closes as the
// protocol asks. While the peer does not take what is echoed, nothing more is
// read from it.
type halves struct {
	reader    *split.Reader
	writer    *split.Writer
	transport split.Transport
	ending    bool // a close frame or a violation was received
	once      sync.Once
	wake      bool // a flush is due
	frames    int  // echoed since the last flush, and their bytes
	bytes     int
}

// A flush is due after so many frames or bytes, well below what a mailbox
// holds by default.
const (
	flushFrames = 64
	flushBytes  = 256 << 10
)

// Fill reads for the reader; once the connection is ending, what arrives is
// read and thrown away.
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

// Drain echoes what has been read, in batches that the mailbox holds.
func (e *halves) Drain(err error) split.Verdict {
	if err != nil {
		_ = e.reader.End(err)
		e.writer.Shut()
		_ = e.transport.Close()
		return split.Stop
	}
	for e.handle() {
		if (e.frames >= flushFrames || e.bytes >= flushBytes) && !e.flush() {
			return split.Pause
		}
	}
	if e.wake && !e.flush() {
		return split.Pause
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
	if e.ending {
		return false
	}
	event, err := e.reader.Next()
	e.wake = e.wake || event.Wake
	switch {
	case err != nil:
		e.close(err.(*wscore.ProtocolError).Code)
	case event.Kind == split.NeedMore:
		return false
	case event.Kind == split.Message:
		e.frames, e.bytes = e.frames+1, e.bytes+event.Buffer.Cap()
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

// flush writes what the stream takes. If that is not all it reports false, and
// reading goes on when the rest has left.
func (e *halves) flush() bool {
	e.wake, e.frames, e.bytes = false, 0, 0
	closeSent, err := e.writer.TryFlush()
	if err == split.ErrWouldBlock {
		go e.flushRest(closeSent)
		return false
	}
	e.flushed(closeSent, err)
	return true
}

func (e *halves) flushRest(closeSent bool) {
	alsoSent, err := e.writer.Flush()
	e.flushed(closeSent || alsoSent, err)
	e.transport.Resume()
}

func (e *halves) flushed(closeSent bool, err error) {
	switch {
	case err != nil:
		_ = e.transport.Close()
	case closeSent:
		_ = e.transport.CloseWrite() // the peer's end of the stream follows
	}
}
