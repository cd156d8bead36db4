package actortest

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// Next waits for the next text or binary message and returns it; it is the
// caller's.
func (p *Peer) Next() wscore.Message {
	p.t.Helper()
	m, ok := p.next(mainLane, p.Timeout)
	if !ok || !m.IsData() {
		p.unexpected("a message", m, ok)
	}
	return m
}

// ExpectText waits for the next message, which must be that text.
func (p *Peer) ExpectText(text string) {
	p.t.Helper()
	p.expect(wscore.Text([]byte(text)))
}

// ExpectBinary waits for the next message, which must be binary with that
// content.
func (p *Peer) ExpectBinary(payload []byte) {
	p.t.Helper()
	p.expect(wscore.Binary(payload))
}

func (p *Peer) expect(want wscore.Message) {
	p.t.Helper()
	m, ok := p.next(mainLane, p.Timeout)
	if !ok || m.Opcode != want.Opcode || !bytes.Equal(m.Payload, want.Payload) {
		p.unexpected(describe(want, false), m, ok)
	}
}

// ExpectPong waits for the next pong, which must have that payload. Messages
// that came before it are still to be expected: pongs overtake them.
func (p *Peer) ExpectPong(payload string) {
	p.t.Helper()
	m, ok := p.next(pongLane, p.Timeout)
	if !ok || string(m.Payload) != payload {
		p.unexpected(describe(wscore.PongMessage([]byte(payload)), false), m, ok)
	}
}

// ExpectPing waits for the next ping and returns its payload. The peer must be
// mute, since it answers pings without a word otherwise.
func (p *Peer) ExpectPing() (payload string) {
	p.t.Helper()
	m, ok := p.next(pingLane, p.Timeout)
	if !ok {
		p.unexpected("a ping", m, ok)
	}
	return string(m.Payload)
}

// ExpectClose waits for the server's close frame, with no message before it,
// and returns its reason. The code must be the one given;
// [wscore.CloseNoStatus] stands for a close frame without one, and
// [wscore.CloseAbnormal] for a stream that ends without a close frame.
func (p *Peer) ExpectClose(code wscore.CloseCode) (reason string) {
	p.t.Helper()
	m, ok := p.next(mainLane, p.Timeout)
	switch {
	case !ok && code == wscore.CloseAbnormal && p.lost():
	case !ok || !m.IsClose() || m.Code != code:
		p.unexpected("close "+code.String(), m, ok)
	}
	return string(m.Payload)
}

// ExpectEnd waits for the server to end the stream, with neither a message nor a
// close frame before that.
func (p *Peer) ExpectEnd() {
	p.t.Helper()
	m, ok := p.next(mainLane, p.Timeout)
	if ok || !p.hasEnded() {
		p.unexpected("the end of the stream", m, ok)
	}
}

// ExpectNothing waits that long, in which neither a message nor a close frame
// may come, nor the stream end. In a bubble it takes no time and is exact: what
// was going to happen within that time has happened.
func (p *Peer) ExpectNothing(within time.Duration) {
	p.t.Helper()
	m, ok := p.next(mainLane, within)
	if ok || p.hasEnded() {
		p.unexpected("nothing", m, ok)
	}
}

func (p *Peer) hasEnded() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended != nil
}

// historyLength is how much of what arrived a failure shows.
const historyLength = 8

// unexpected ends the test and tells what came instead.
func (p *Peer) unexpected(want string, m wscore.Message, ok bool) {
	p.t.Helper()
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	switch {
	case ok:
		p.fatalf("want %s, got %s", want, describe(m, false))
	case ended == io.EOF:
		p.fatalf("want %s, but the connection was closed", want)
	case ended != nil:
		p.fatalf("want %s, but the connection was lost: %v", want, ended)
	default:
		p.fatalf("want %s, but nothing came within %v", want, p.Timeout)
	}
}

// fatalf ends the test, with what arrived last.
func (p *Peer) fatalf(format string, args ...any) {
	p.t.Helper()
	p.mu.Lock()
	history := "nothing has arrived on this connection"
	if len(p.history) > 0 {
		history = "arrived last: " + strings.Join(p.history, ", ")
	}
	p.mu.Unlock()
	p.t.Fatalf("actortest: %s\n%s", fmt.Sprintf(format, args...), history)
}

// shown is how much of a payload a failure shows, in bytes.
const shown = 64

// describe names what arrived in a few words.
func describe(m wscore.Message, answered bool) string {
	excerpt, verb, more := m.Payload, "%q", ""
	if len(excerpt) > shown {
		excerpt, more = excerpt[:shown], "..."
	}
	if m.IsBinary() {
		verb = "%x"
	}
	text := fmt.Sprintf("%v "+verb+"%s of %d bytes", m.Opcode, excerpt, more, len(m.Payload))
	if m.IsClose() {
		text = fmt.Sprintf("close %v %q", m.Code, m.Payload)
	}
	if answered {
		text += " (answered)"
	}
	return text
}
