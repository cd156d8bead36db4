package actortest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// DefaultTimeout is how long a peer waits for what a test expects of it.
const DefaultTimeout = 5 * time.Second

// readWindow is what a peer reads at once.
const readWindow = 4 << 10

// Peer is one end of a connection, the client's unless it comes from [Accept],
// driven by a test. It reads all the
// time, and answers pings and the close frame as a browser does, unless it is
// told otherwise ([Peer.Mute], [Peer.StopReading]).
//
// Its methods end the test with Fatalf where it does not go as they say, and
// so belong to the test's own goroutine.
type Peer struct {
	// Timeout bounds each wait: for what is expected, and for the stream to take
	// what is sent. Default: [DefaultTimeout]. In a bubble it is the bubble's
	// time that counts: set it higher than the time limits under test.
	Timeout time.Duration

	t           TB
	stream      net.Conn
	conn        *wscore.Conn // read by read alone, after the handshake
	subprotocol string
	done        chan struct{} // closed when nothing more is read

	writing chan struct{} // holds a token while encoder and frame are in use; a bubble's time goes on meanwhile
	encoder wscore.Encoder
	frame   []byte

	mu      sync.Mutex
	changed chan struct{}    // closed and replaced at every change
	arrived []wscore.Message // and not expected yet
	history []string         // what arrived last, in words
	ended   error            // why nothing more is read
	muted   bool
	stopped bool // nothing is read
}

// Subprotocol returns what the server chose, "" for none; a client's peer knows.
func (p *Peer) Subprotocol() string { return p.subprotocol }

// Mute lets the peer answer neither pings nor a close frame from now on, as if
// it had hung: the heartbeat and CloseTimeout find it. It still takes what
// comes, and says what it is told to.
func (p *Peer) Mute() { p.change(func() { p.muted = true }) }

// StopReading lets the peer take nothing more, so that its server's writes come
// to a halt: a slow consumer. About [PipeBuffer] bytes and a window of 4 KiB
// are still let through, as a socket's buffers would.
func (p *Peer) StopReading() { p.change(func() { p.stopped = true }) }

// StartReading ends what StopReading began.
func (p *Peer) StartReading() { p.change(func() { p.stopped = false }) }

// Disconnect closes the stream without a close frame, as a lost network does.
// The server reports 1006.
func (p *Peer) Disconnect() {
	_ = p.stream.Close() // a second time at the end of the test
	p.change(func() { p.stopped = false })
}

// change alters the peer's state and wakes whoever waits for that.
func (p *Peer) change(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	close(p.changed)
	p.changed = make(chan struct{})
}

// read takes what comes until the stream ends.
func (p *Peer) read() {
	defer close(p.done)
	for {
		m, err := p.conn.Next()
		if m.Opcode != 0 {
			m.Payload = bytes.Clone(m.Payload)
			p.take(m)
		}
		if err == io.EOF { // the close frame was the last of it, and the stream is the server's to end
			_, _ = io.Copy(io.Discard, p.stream)
		}
		if err != nil {
			p.change(func() { p.ended = err })
			_ = p.stream.Close()
			return
		}
	}
}

// take puts down a message or control frame, and answers it if it should be.
func (p *Peer) take(m wscore.Message) {
	p.mu.Lock()
	muted := p.muted
	p.mu.Unlock()
	answered := !muted && p.answer(m)
	p.change(func() {
		p.history = append(p.history, describe(m, answered))
		p.history = p.history[max(0, len(p.history)-historyLength):]
		if !m.IsPing() || muted {
			p.arrived = append(p.arrived, m)
		}
	})
}

// answer answers a ping or a close frame, and reports whether there was
// something to be answered. The server may be gone: the next read tells.
func (p *Peer) answer(m wscore.Message) bool {
	var err error
	switch {
	case m.IsPing():
		err = p.write(DefaultTimeout, func(dst []byte) ([]byte, error) {
			return p.encoder.AppendControl(dst, wscore.OpPong, m.Payload)
		})
	case m.IsClose():
		err = p.write(DefaultTimeout, func(dst []byte) ([]byte, error) {
			return p.encoder.AppendClose(dst, m.Code, string(m.Payload))
		})
	default:
		return false
	}
	return err == nil
}

// reading is the stream as the reading goroutine sees it.
type reading struct{ *Peer }

// Read holds back what came while the peer does not read.
func (r reading) Read(p []byte) (int, error) {
	n, err := r.stream.Read(p)
	for r.waitWhileStopped() {
	}
	return n, err
}

// Write is used for the handshake alone.
func (r reading) Write(p []byte) (int, error) { return r.stream.Write(p) }

// waitWhileStopped waits for a change if nothing is to be read.
func (p *Peer) waitWhileStopped() bool {
	p.mu.Lock()
	stopped, changed := p.stopped, p.changed
	p.mu.Unlock()
	if stopped {
		<-changed
	}
	return stopped
}

// SendText sends a text message, which must be UTF-8; see [Peer.SendFrame] for
// one that is not.
func (p *Peer) SendText(text string) {
	p.t.Helper()
	p.message(wscore.OpText, []byte(text))
}

// SendBinary sends a binary message.
func (p *Peer) SendBinary(payload []byte) {
	p.t.Helper()
	p.message(wscore.OpBinary, payload)
}

func (p *Peer) message(opcode wscore.Opcode, payload []byte) {
	p.t.Helper()
	p.send(opcode.String(), func(dst []byte) ([]byte, error) { return p.encoder.AppendMessage(dst, opcode, payload) })
}

// SendFragments sends a message of that type, [wscore.OpText] or
// [wscore.OpBinary], in one frame for each piece.
func (p *Peer) SendFragments(opcode wscore.Opcode, pieces ...[]byte) {
	p.t.Helper()
	for i, piece := range pieces {
		p.send("fragment", func(dst []byte) ([]byte, error) {
			header, err := p.encoder.DataHeader(opcode, i == len(pieces)-1, len(piece))
			return appendFrame(dst, header, piece), err
		})
		opcode = wscore.OpContinuation
	}
}

// Ping sends a ping with at most 125 bytes of payload.
func (p *Peer) Ping(payload string) {
	p.t.Helper()
	p.send("ping", func(dst []byte) ([]byte, error) {
		return p.encoder.AppendControl(dst, wscore.OpPing, []byte(payload))
	})
}

// Pong sends a pong with at most 125 bytes of payload: the answer to what
// [Peer.ExpectPing] returned, or a wrong one.
func (p *Peer) Pong(payload string) {
	p.t.Helper()
	p.send("pong", func(dst []byte) ([]byte, error) {
		return p.encoder.AppendControl(dst, wscore.OpPong, []byte(payload))
	})
}

// Close sends the close frame, unless one was sent already, as the answer to
// the server's. What the server answers is for [Peer.ExpectClose].
func (p *Peer) Close(code wscore.CloseCode, reason string) {
	p.t.Helper()
	err := p.write(p.Timeout, func(dst []byte) ([]byte, error) { return p.encoder.AppendClose(dst, code, reason) })
	if err != nil && !errors.Is(err, wscore.ErrSendAfterClose) && !errors.Is(err, wscore.ErrConnectionClosed) {
		p.fatalf("sending close: %v", err)
	}
}

// SendFrame sends one frame as the header says, right or wrong, but for its
// length, which is the payload's. A client's frames have Masked set, a server's
// have not.
func (p *Peer) SendFrame(header wscore.Header, payload []byte) {
	p.t.Helper()
	header.Length = uint64(len(payload))
	p.SendRaw(appendFrame(nil, header, payload))
}

// SendRaw writes bytes to the stream as they are: half a frame, a header that
// lies about its length, anything.
func (p *Peer) SendRaw(raw []byte) {
	p.t.Helper()
	p.send("raw bytes", func(dst []byte) ([]byte, error) { return append(dst, raw...), nil })
}

// CloseWrite ends the peer's direction of the stream and leaves the other open.
// A stream that cannot do that is closed.
func (p *Peer) CloseWrite() {
	if half, ok := p.stream.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // it may be gone already
		return
	}
	p.Disconnect()
}

func (p *Peer) send(what string, encode func(dst []byte) ([]byte, error)) {
	p.t.Helper()
	if err := p.write(p.Timeout, encode); err != nil {
		p.fatalf("sending %s: %v", what, err)
	}
}

// write writes one frame. One that is not taken in time leaves the stream
// useless, and closes it.
func (p *Peer) write(timeout time.Duration, encode func(dst []byte) ([]byte, error)) error {
	p.writing <- struct{}{}
	defer func() { <-p.writing }()
	frame, err := encode(p.frame[:0])
	if err != nil {
		return err
	}
	p.frame = frame
	if err := p.stream.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	if _, err = p.stream.Write(frame); errors.Is(err, os.ErrDeadlineExceeded) {
		_ = p.stream.Close()
	}
	return err
}

func appendFrame(dst []byte, header wscore.Header, payload []byte) []byte {
	dst = header.Append(dst)
	begin := len(dst)
	dst = append(dst, payload...)
	if header.Masked {
		wscore.Mask(dst[begin:], header.Key)
	}
	return dst
}

// lane says which of what arrived an expectation looks at. Pongs may overtake
// messages, and pings come when they do, so each kind waits in a lane of its
// own, in its order.
type lane []wscore.Opcode

var (
	mainLane = lane{wscore.OpText, wscore.OpBinary, wscore.OpClose}
	pongLane = lane{wscore.OpPong}
	pingLane = lane{wscore.OpPing}
)

// next waits for the next of a lane. ok is false if the time was up or nothing
// more will come.
func (p *Peer) next(l lane, within time.Duration) (m wscore.Message, ok bool) {
	limit := time.NewTimer(within)
	defer limit.Stop()
	for {
		p.mu.Lock()
		at := slices.IndexFunc(p.arrived, func(m wscore.Message) bool { return slices.Contains(l, m.Opcode) })
		if at >= 0 {
			m = p.arrived[at]
			p.arrived = slices.Delete(p.arrived, at, at+1)
		}
		ended, changed := p.ended, p.changed
		p.mu.Unlock()
		if at >= 0 || ended != nil {
			return m, at >= 0
		}
		select {
		case <-changed:
		case <-limit.C:
			return m, false
		}
	}
}

// lost reports whether the stream has ended without a close frame, all of what
// came before having been expected.
func (p *Peer) lost() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended != nil && p.ended != io.EOF
}
