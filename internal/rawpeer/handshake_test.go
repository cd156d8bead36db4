package rawpeer

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestAcceptKeyIsTheOneOfTheRFC(t *testing.T) {
	if got := AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("got %s", got)
	}
}

// serveOnce accepts one connection and answers its handshake with options.
func serveOnce(t *testing.T, options AcceptOptions) (addr string, result <-chan error) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	done := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		p, _, err := AcceptServer(conn, options)
		if err != nil {
			done <- err
			return
		}
		e, err := p.ReadMessage()
		if err == nil {
			err = p.Text(string(e.Payload))
		}
		done <- err
	}()
	return listener.Addr().String(), done
}

func TestBothHandshakesFitEachOther(t *testing.T) {
	addr, served := serveOnce(t, AcceptOptions{Header: http.Header{"X-Extra": {"yes"}}})
	p, response, err := DialClient(addr, "/echo?a=1", http.Header{"Origin": {"http://" + addr}})
	must(t, err)
	defer p.Shut()
	if response.Header.Get("X-Extra") != "yes" {
		t.Fatalf("headers %v", response.Header)
	}
	must(t, p.Text("hello"))
	must(t, p.ExpectText("hello"))
	must(t, <-served)
}

func TestDialClientRefusesEachWrongAnswer(t *testing.T) {
	for name, options := range map[string]AcceptOptions{
		"wrong accept":    {Header: http.Header{"Sec-WebSocket-Accept": {AcceptKey("other")}}},
		"missing accept":  {Header: http.Header{"Sec-WebSocket-Accept": nil}},
		"double accept":   {Respond: func(r *Request) []byte { return doubleAccept(r) }},
		"missing upgrade": {Header: http.Header{"Upgrade": nil}},
		"other upgrade":   {Header: http.Header{"Upgrade": {"h2c"}}},
		"no connection":   {Header: http.Header{"Connection": {"keep-alive"}}},
		"other status": {Respond: func(*Request) []byte {
			return []byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			addr, _ := serveOnce(t, options)
			_, response, err := DialClient(addr, "/", nil)
			var refused *HandshakeError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v", err)
			}
			if name == "other status" && (response.Status != 403 || string(response.Body) != "no") {
				t.Fatalf("response %+v", response)
			}
		})
	}
}

func doubleAccept(r *Request) []byte {
	once := "Sec-WebSocket-Accept: " + AcceptKey(r.Key()) + "\r\n"
	return []byte(strings.Replace(string(ResponseHead(r, nil)), once, once+once, 1))
}

func TestAcceptServerRefusesEachWrongRequest(t *testing.T) {
	for name, edit := range map[string][2]string{
		"method":     {"GET /", "POST /"},
		"protocol":   {"HTTP/1.1", "HTTP/1.0"},
		"host":       {"Host: test\r\n", ""},
		"upgrade":    {"Upgrade: websocket\r\n", ""},
		"connection": {"Connection: Upgrade\r\n", "Connection: close\r\n"},
		"version":    {"Version: 13", "Version: 8"},
		"key":        {"Key: dGhlIHNhbXBsZSBub25jZQ==", "Key: c2hvcnQ="},
	} {
		t.Run(name, func(t *testing.T) {
			head := string(RequestHead("test", "/", "dGhlIHNhbXBsZSBub25jZQ==", nil))
			if !strings.Contains(head, edit[0]) {
				t.Fatalf("the honest head lacks %q:\n%s", edit[0], head)
			}
			near, far := tcpPair(t)
			_, err := near.Write([]byte(strings.Replace(head, edit[0], edit[1], 1)))
			must(t, err)
			_, _, err = AcceptServer(far, AcceptOptions{})
			var refused *HandshakeError
			if !errors.As(err, &refused) {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestExchangeHeadSendsTheHeadVerbatim(t *testing.T) {
	near, far := tcpPair(t)
	const said = "get /  HTTP/9.9\r\nodd\r\n\r\n"
	go func() {
		got := make([]byte, len(said))
		_, _ = far.Read(got)
		status := "200 OK"
		if string(got) != said {
			status = "500 Changed"
		}
		_, _ = far.Write([]byte("HTTP/1.1 " + status + "\r\nContent-Length: 0\r\n\r\n"))
	}()
	_, response, err := ExchangeHead(near, []byte(said))
	must(t, err)
	if response.Status != http.StatusOK {
		t.Fatalf("status %d", response.Status)
	}
}

func TestResponseAndFirstFrameInOneWriteAreBothRead(t *testing.T) {
	addr, _ := serveOnce(t, AcceptOptions{Respond: func(r *Request) []byte {
		return AppendFrame(ResponseHead(r, nil), Frame{Fin: true, Opcode: OpText, Payload: []byte("early")})
	}})
	p, _, err := DialClient(addr, "/", nil)
	must(t, err)
	defer p.Shut()
	must(t, p.ExpectText("early"))
}
