package conformance

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// queueLength bounds the writes that wait while a case reads.
const queueLength = 64

// Session is one connection to the target, and the script's hand on it.
//
// Its steps keep the first error and do nothing after it, so that a case
// reads as a script and returns s.err at its end. Writes leave from a
// goroutine of their own: a target that writes before it has read everything
// blocks nobody.
type Session struct {
	// Short asks for the short form of a slow case.
	Short bool

	ctx      context.Context
	target   Target
	uncapped bool
	patience time.Duration
	conn     net.Conn
	peer     *rawpeer.Peer
	queue    chan chopped
	written  chan struct{}
	stop     func() bool

	err      error
	note     string
	fences   int
	midFrame bool // a pong now would land inside an unfinished frame
}

// chopped is a piece of output and the size of its write calls. A piece with
// a channel is a barrier: the writer closes it once all before it has left.
type chopped struct {
	octets  []byte
	size    int
	barrier chan struct{}
}

func newSession(ctx context.Context, t Target, o Options, conn net.Conn, patience time.Duration) *Session {
	role := RoleClient
	if t.Role == RoleClient {
		role = RoleServer
	}
	s := &Session{
		Short: o.Short, ctx: ctx, target: t, uncapped: o.Uncapped, patience: patience, conn: conn,
		peer: rawpeer.New(conn, role), queue: make(chan chopped, queueLength), written: make(chan struct{}),
	}
	s.peer.Timeout = patience
	s.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	go s.write()
	return s
}

// write empties the queue. After a failed write the rest is dropped: the
// target is gone, and reading tells why.
func (s *Session) write() {
	defer close(s.written)
	var err error
	for out := range s.queue {
		if out.barrier != nil {
			close(out.barrier)
		} else if err == nil {
			err = s.peer.WriteChopped(out.octets, out.size)
		}
	}
}

// finish closes the connection and waits for the writer.
func (s *Session) finish() {
	s.stop()
	_ = s.conn.Close()
	close(s.queue)
	<-s.written
}

// fail keeps the first error.
func (s *Session) fail(err error) {
	if s.err == nil && err != nil {
		s.err = err
	}
}

// serverTarget reports whether the target plays the server.
func (s *Session) serverTarget() bool { return s.target.Role == RoleServer }

func (s *Session) host() string {
	if s.target.Host != "" {
		return s.target.Host
	}
	return s.conn.RemoteAddr().String()
}

func (s *Session) path() string {
	if s.target.Path != "" {
		return s.target.Path
	}
	return "/"
}

// open performs the opening handshake without any extension.
func (s *Session) open() {
	if s.err != nil {
		return
	}
	if s.serverTarget() {
		response := s.request(nil)
		if s.err == nil && response.Header.Get("Sec-WebSocket-Extensions") != "" {
			s.fail(failedf("the server answered an extension that was not offered: %q", response.Header.Get("Sec-WebSocket-Extensions")))
		}
		return
	}
	s.answer(nil)
}

// request sends an honest request with extra headers and judges the answer.
func (s *Session) request(header http.Header) *rawpeer.Response {
	key := rawpeer.NewHandshakeKey()
	response := s.exchange(rawpeer.RequestHead(s.host(), s.path(), key, header), 0)
	if s.err == nil {
		s.fail(rawpeer.CheckResponse(response, key))
	}
	if s.err == nil && response.Header.Get("Sec-WebSocket-Protocol") != "" && header.Get("Sec-WebSocket-Protocol") == "" {
		s.fail(failedf("the server answered a subprotocol that was not offered"))
	}
	return response
}

// exchange sends a request head verbatim, in write calls of the given size (0
// is one call), and returns the unjudged response.
func (s *Session) exchange(head []byte, size int) *rawpeer.Response {
	s.sayRaw(head, size)
	if s.err != nil {
		return nil
	}
	response, err := s.peer.ReadResponse()
	s.fail(err)
	return response
}

// answer reads the client's request, judges it, and answers honestly with
// extra headers.
func (s *Session) answer(header http.Header) {
	if request := s.readRequest(); s.err == nil {
		s.sayRaw(rawpeer.ResponseHead(request, header), 0)
	}
}

// readRequest reads and judges the client's request.
func (s *Session) readRequest() *rawpeer.Request {
	if s.err != nil {
		return nil
	}
	request, err := s.peer.ReadRequest()
	s.fail(err)
	if err == nil {
		s.fail(rawpeer.CheckRequest(request))
	}
	return request
}

// cut reports whether the target ended the connection, be it in the middle of
// a head or a frame.
func (s *Session) cut(err error) bool {
	return s.ended(err) || s.ctx.Err() == nil && errors.Is(err, io.ErrUnexpectedEOF)
}

// frame builds a lawful frame.
func (s *Session) frame(fin bool, opcode byte, payload []byte) rawpeer.Frame {
	return s.peer.NewFrame(fin, opcode, payload)
}

// text, binary and ping build whole messages of their kind.
func (s *Session) text(payload string) rawpeer.Frame {
	return s.frame(true, rawpeer.OpText, []byte(payload))
}
func (s *Session) binary(payload []byte) rawpeer.Frame {
	return s.frame(true, rawpeer.OpBinary, payload)
}
func (s *Session) ping(payload string) rawpeer.Frame {
	return s.frame(true, rawpeer.OpPing, []byte(payload))
}

// closing builds a close frame around any payload.
func (s *Session) closing(payload []byte) rawpeer.Frame {
	return s.frame(true, rawpeer.OpClose, payload)
}

// say sends the frames with one write call.
func (s *Session) say(frames ...rawpeer.Frame) {
	s.sayRaw(rawpeer.AppendFrames(nil, frames...), 0)
}

// sayEach sends each frame with a write call of its own.
func (s *Session) sayEach(frames ...rawpeer.Frame) {
	for _, f := range frames {
		s.say(f)
	}
}

// sayChopped sends the frames in write calls of at most size octets.
func (s *Session) sayChopped(size int, frames ...rawpeer.Frame) {
	s.sayRaw(rawpeer.AppendFrames(nil, frames...), size)
}

// sayRaw sends octets in write calls of at most size octets; 0 is one call.
func (s *Session) sayRaw(octets []byte, size int) {
	if s.err != nil || len(octets) == 0 {
		return
	}
	if size <= 0 {
		size = len(octets)
	}
	s.enqueue(chopped{octets: octets, size: size})
}

func (s *Session) enqueue(out chopped) {
	select {
	case s.queue <- out:
	case <-s.ctx.Done():
		s.fail(s.ctx.Err())
	}
}

// flush waits until everything said has been written, or cannot be.
func (s *Session) flush() {
	barrier := make(chan struct{})
	s.enqueue(chopped{barrier: barrier})
	select {
	case <-barrier:
	case <-s.ctx.Done():
		s.fail(s.ctx.Err())
	}
}

// ended reports whether the target ended the connection, as opposed to this
// side when its time is up.
func (s *Session) ended(err error) bool {
	return s.ctx.Err() == nil && rawpeer.Ended(err)
}

// next returns the next event other than a ping, which is answered.
func (s *Session) next() (rawpeer.Event, error) {
	for {
		e, err := s.peer.ReadEvent()
		if err != nil || e.Opcode != rawpeer.OpPing {
			return e, err
		}
		if !s.midFrame {
			s.say(s.frame(true, rawpeer.OpPong, e.Payload))
		}
	}
}

// want waits for an event and returns it; what it reports as wrong names what
// was wanted.
func (s *Session) want(what string) (e rawpeer.Event, ok bool) {
	if s.err != nil {
		return e, false
	}
	e, err := s.next()
	switch {
	case err == nil:
		return e, true
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.fail(failedf("wanted %s, nothing came within %s", what, s.patience))
	case s.ended(err):
		s.fail(failedf("wanted %s, the connection ended", what))
	default:
		s.fail(failedf("wanted %s: %v", what, err))
	}
	return e, false
}

// wantMessage waits for exactly this message.
func (s *Session) wantMessage(opcode byte, payload []byte) {
	wanted := rawpeer.Event{Opcode: opcode, Payload: payload}
	if e, ok := s.want(wanted.String()); ok && (e.Opcode != opcode || string(e.Payload) != string(payload)) {
		s.fail(failedf("wanted %s, got %s", wanted, e))
	}
}

// wantText waits for exactly this text message.
func (s *Session) wantText(payload string) { s.wantMessage(rawpeer.OpText, []byte(payload)) }

// wantPong waits for exactly this pong.
func (s *Session) wantPong(payload string) { s.wantMessage(rawpeer.OpPong, []byte(payload)) }

// wantNothing proves by a ping that the target has nothing to say.
func (s *Session) wantNothing() {
	s.fences++
	payload := "nothing before this " + strconv.Itoa(s.fences)
	s.say(s.ping(payload))
	s.wantPong(payload)
}

// cleanClose starts the closing handshake and sees it through.
func (s *Session) cleanClose() {
	s.say(s.closing(rawpeer.ClosePayload(1000, "")))
	s.wantCloseReply(1000)
}

// wantCloseReply waits for the target's close frame with one of the codes,
// then for the end of the connection.
func (s *Session) wantCloseReply(codes ...uint16) {
	e, ok := s.want("a close reply")
	switch {
	case !ok:
		return
	case e.Opcode != rawpeer.OpClose:
		s.fail(failedf("wanted a close reply, got %s", e))
	case !slices.Contains(codes, e.Code):
		s.fail(failedf("wanted a close reply with a code in %v, got %s", codes, e))
	}
	s.wantEnd()
}

// wantFailed waits for the target to fail the connection with one of the
// codes. A connection that just ends is NonStrict.
func (s *Session) wantFailed(codes ...uint16) {
	if s.err != nil {
		return
	}
	e, err := s.next()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.fail(failedf("wanted the connection failed with a code in %v, nothing happened within %s", codes, s.patience))
	case err != nil && s.ended(err):
		s.fail(nonStrictf("the connection ended without a close frame, wanted a code in %v", codes))
	case err != nil:
		s.fail(failedf("wanted the connection failed with a code in %v: %v", codes, err))
	case e.Opcode != rawpeer.OpClose:
		s.fail(failedf("wanted the connection failed with a code in %v, got %s", codes, e))
	case !slices.Contains(codes, e.Code):
		s.fail(failedf("wanted the connection failed with a code in %v, got %s", codes, e))
	}
	if !s.midFrame {
		s.say(s.closing(rawpeer.ClosePayload(e.Code, "")))
	}
	s.wantEnd()
}

// wantEnd waits for the end of the connection. A server ends it by itself
// (RFC 6455 7.1.1). To a client, this side as the server shows the way; and
// so it does inside an unfinished frame, where it cannot answer a close.
func (s *Session) wantEnd() {
	if s.err != nil {
		return
	}
	if !s.serverTarget() || s.midFrame {
		s.flush()
		_ = s.peer.ShutWrite()
	}
	err := s.peer.ExpectEOF()
	switch {
	case s.ctx.Err() != nil:
		s.fail(s.ctx.Err())
	case errors.Is(err, rawpeer.ErrNotEnded):
		s.fail(failedf("the target left the connection open after the closing handshake"))
	case err != nil:
		s.fail(failedf("after the closing handshake: %v", err))
	}
}
