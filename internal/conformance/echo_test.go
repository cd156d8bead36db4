package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// echo is the tests' own target: an endpoint of either role that does all the
// suite asks for, except for the faults it is told to have. It answers from
// its reading loop, so everything is in order.
type echo struct {
	conn   net.Conn
	reader *bufio.Reader
	role   Role
	faults map[fault]bool

	agreed bool
	terms  agreement // "our" is this endpoint
	packer *deflater
	head   [8]byte
	chunk  [4096]byte
	past   []byte // what the other side's matches may reach back to

	message   []byte
	pending   []byte // octets of an unfinished code point
	opcode    byte
	packed    bool
	open      bool
	fragments int
	empty     int
}

// fault is one way to be wrong.
type fault string

// refusal ends a connection with a close code.
type refusal uint16

func (r refusal) Error() string { return fmt.Sprintf("refused with %d", uint16(r)) }

const (
	headLimit   = 64 << 10
	headerLimit = 100
	drainTime   = 2 * time.Second
)

func (e *echo) has(f fault) bool { return e.faults[f] }

// run serves the connection from its handshake to its end.
func (e *echo) run() {
	defer e.conn.Close()
	e.reader = bufio.NewReader(e.conn)
	var err error
	if e.role == RoleServer {
		err = e.accept()
	} else {
		err = e.connect()
	}
	if err == nil {
		e.serve()
	}
}

// readHead reads an HTTP head within bounds.
func (e *echo) readHead() ([]byte, error) {
	var head []byte
	lines := 0
	for {
		line, err := e.reader.ReadSlice('\n')
		head = append(head, line...)
		if err == nil {
			lines++
		}
		switch {
		case err != nil && err != bufio.ErrBufferFull:
			return nil, err
		case len(head) > headLimit || lines > headerLimit:
			return nil, refusal(431)
		case err == nil && string(line) == "\r\n":
			return head, nil
		}
	}
}

// accept answers a client's handshake.
func (e *echo) accept() error {
	head, err := e.readHead()
	if _, tooMuch := err.(refusal); tooMuch && !e.has("any request") {
		return e.refuse(431, "")
	}
	if err != nil {
		return err
	}
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return e.refuse(400, "")
	}
	h := request.Header
	key, keyErr := base64.StdEncoding.DecodeString(h.Get("Sec-WebSocket-Key"))
	origin, _ := url.Parse(h.Get("Origin"))
	named := func(name, token string) bool {
		return slices.ContainsFunc(strings.Split(strings.Join(h.Values(name), ","), ","), func(v string) bool {
			return strings.EqualFold(strings.TrimSpace(v), token)
		})
	}
	switch {
	case e.has("any request"):
	case bytes.Contains(head, []byte(" :")):
		return e.refuse(400, "")
	case request.Method != http.MethodGet:
		return e.refuse(405, "Allow: GET\r\n")
	case !request.ProtoAtLeast(1, 1) || request.Host == "":
		return e.refuse(400, "")
	case !named("Upgrade", "websocket"):
		return e.refuse(426, "Upgrade: websocket\r\n")
	case !named("Connection", "upgrade"):
		return e.refuse(400, "")
	case h.Get("Sec-WebSocket-Version") != "13":
		return e.refuse(426, "Sec-WebSocket-Version: 13\r\n")
	case keyErr != nil || len(key) != 16:
		return e.refuse(400, "")
	case h.Get("Origin") != "" && origin.Host != request.Host:
		return e.refuse(403, "")
	}
	answer := http.Header{}
	for _, element := range extensions(h) {
		offer, err := parseTerms(element[1:], false)
		if element[0] != extensionName || err != nil || e.has("declines") {
			continue
		}
		if e.agreed = true; offer.clientBitsOpen || offer.clientBits > 0 {
			offer.clientBits, offer.clientBitsOpen = bitsOr(offer.clientBits, 0), false
		}
		if e.has("widened window") {
			offer.serverBits, offer.clientBits = fullWindowBits, fullWindowBits
		}
		answer["Sec-WebSocket-Extensions"] = []string{offer.String()}
		e.terms = agreement{
			ourTakeover: !offer.serverNoTakeover, ourBits: bitsOr(offer.serverBits, 0),
			theirTakeover: !offer.clientNoTakeover, theirBits: bitsOr(offer.clientBits, 0),
		}
		break
	}
	if e.has("unasked subprotocol") {
		answer["Sec-WebSocket-Protocol"] = []string{"unasked"}
	}
	accepted := rawpeer.ResponseHead(&rawpeer.Request{Header: h}, answer)
	if e.has("wrong accept") {
		accepted = bytes.Replace(accepted, []byte("Accept: "), []byte("Accept: A"), 1)
	}
	_, err = e.conn.Write(accepted)
	return err
}

func (e *echo) refuse(status int, header string) error {
	if e.has("wrong status") {
		status = 418
	}
	fmt.Fprintf(e.conn, "HTTP/1.1 %d %s\r\n%sContent-Length: 0\r\nConnection: close\r\n\r\n", status, http.StatusText(status), header)
	e.drain()
	return refusal(status)
}

// connect performs a client's handshake.
func (e *echo) connect() error {
	key := rawpeer.NewHandshakeKey()
	offer := terms{clientBitsOpen: true}
	header := extensionHeader(offer.String())
	if e.has("declines") {
		header = nil
	}
	head := rawpeer.RequestHead("test", "/", key, header)
	if _, err := e.conn.Write(head); err != nil {
		return err
	}
	head, err := e.readHead()
	if err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	if err != nil {
		return err
	}
	if e.has("any answer") {
		return nil
	}
	if err := rawpeer.CheckResponse(&rawpeer.Response{Status: response.StatusCode, Header: response.Header}, key); err != nil {
		return err
	}
	if response.Header.Get("Sec-WebSocket-Protocol") != "" {
		return refusal(0)
	}
	answered := extensions(response.Header)
	if len(answered) == 0 {
		return nil
	}
	answer, err := parseTerms(answered[0][1:], true)
	if err != nil || len(answered) > 1 || answered[0][0] != extensionName || !answer.answers(offer) {
		return refusal(0)
	}
	e.agreed = true
	e.terms = agreement{
		ourTakeover: !answer.clientNoTakeover, ourBits: bitsOr(answer.clientBits, 0),
		theirTakeover: !answer.serverNoTakeover, theirBits: bitsOr(answer.serverBits, 0),
	}
	return nil
}

// drain shows the end and waits for the other side's, so that nothing sent
// before is lost to a reset.
func (e *echo) drain() {
	if half, ok := e.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		_ = e.conn.SetReadDeadline(time.Now().Add(drainTime))
		_, _ = io.Copy(io.Discard, e.reader)
	}
}

// echoTarget is the echo over loopback TCP, with faults.
func echoTarget(t *testing.T, role Role, faults ...fault) Target {
	t.Helper()
	wrong := map[fault]bool{}
	for _, f := range faults {
		wrong[f] = true
	}
	if role == RoleClient {
		return ClientsOf("test echo", func(ctx context.Context, addr string, _ Case) {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				return
			}
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			(&echo{conn: conn, role: RoleClient, faults: wrong}).run()
		})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go((&echo{conn: conn, role: RoleServer, faults: wrong}).run)
		}
	})
	t.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	return ServerAt("test echo", listener.Addr().String())
}

// pipeTarget is the echo of a server in memory, with faults.
func pipeTarget(faults ...fault) Target {
	wrong := map[fault]bool{}
	for _, f := range faults {
		wrong[f] = true
	}
	return Target{Name: "test echo", Role: RoleServer, Host: "test", Connect: func(context.Context, Case) (net.Conn, error) {
		near, far := net.Pipe()
		go (&echo{conn: far, role: RoleServer, faults: wrong}).run()
		return near, nil
	}}
}
