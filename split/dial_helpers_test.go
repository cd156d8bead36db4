package split

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// listen answers each connection on loopback with a script, and waits for all
// of them at the end of the test.
func listen(t testing.TB, script func(net.Conn)) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer conn.Close()
				script(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	return listener.Addr().String()
}

// greet is a server that answers as the options say, sends the greeting in the
// same write, and echoes bytes after that.
func greet(requests chan<- *rawpeer.Request, header map[string][]string, greeting string) func(net.Conn) {
	return func(conn net.Conn) {
		_, request, err := rawpeer.AcceptServer(conn, rawpeer.AcceptOptions{Respond: func(r *rawpeer.Request) []byte {
			return append(rawpeer.ResponseHead(r, header), greeting...)
		}})
		if requests != nil {
			requests <- request
		}
		if err == nil {
			_, _ = io.Copy(conn, conn)
		}
	}
}

// answer is a server that reads a request and answers with these bytes.
func answer(response string) func(net.Conn) {
	return func(conn net.Conn) {
		if _, err := rawpeer.New(conn, rawpeer.Server).ReadRequest(); err == nil {
			_, _ = io.WriteString(conn, response)
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.CloseWrite()
			}
			_, _ = io.Copy(io.Discard, conn)
		}
	}
}

// behindTLS runs a script behind a TLS handshake with a certificate for
// example.com and 127.0.0.1; clients is what trusts it.
func behindTLS(t testing.TB, script func(net.Conn)) (server func(net.Conn), clients *tls.Config) {
	t.Helper()
	web := httptest.NewTLSServer(nil)
	web.Close()
	pool := x509.NewCertPool()
	pool.AddCert(web.Certificate())
	config := &tls.Config{Certificates: web.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}}
	return func(conn net.Conn) {
		secure := tls.Server(conn, config)
		if secure.Handshake() == nil {
			script(secure)
		}
	}, &tls.Config{RootCAs: pool}
}

// silent is a server that says nothing and reports what it has heard as soon
// as anything comes, and that the client has gone.
func silent(reached chan<- struct{}, gone chan<- error) func(net.Conn) {
	return func(conn net.Conn) {
		var first [1]byte
		_, _ = conn.Read(first[:])
		reached <- struct{}{}
		_, err := io.Copy(io.Discard, conn)
		gone <- err
	}
}

// echoes demands that the stream is open and the server at its end.
func echoes(t testing.TB, stream net.Conn) {
	t.Helper()
	_, err := stream.Write([]byte("bytes"))
	must(t, err)
	var got [5]byte
	_, err = io.ReadFull(stream, got[:])
	must(t, err)
	equal(t, "echoed", string(got[:]), "bytes")
}

// dial is Dial that must succeed.
func dial(t testing.TB, config DialConfig) *Dialed {
	t.Helper()
	dialed, err := Dial(context.Background(), config)
	must(t, err)
	t.Cleanup(func() { _ = dialed.Conn.Close() })
	return dialed
}
