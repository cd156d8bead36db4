package split

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"testing"
)

func isHostnameError(err error) bool {
	var transport *TransportError
	var verification *tls.CertificateVerificationError
	var name x509.HostnameError
	return errors.As(err, &transport) && transport.Operation == "tls" && errors.As(err, &verification) && errors.As(err, &name)
}

// toLoopback dials one address, whatever is asked for.
func toLoopback(addr string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
}

func TestDialOverTLS(t *testing.T) {
	server, clients := behindTLS(t, greet(nil, nil, "early"))
	addr := listen(t, server)
	named := clients.Clone()
	named.ServerName, named.NextProtos = "example.com", []string{"h2"} // as left by net/http
	for _, test := range []struct {
		url    string
		config *tls.Config
		name   string
	}{
		{"wss://" + addr, clients, ""}, // an address is not asked for
		{"wss://example.com/x", clients, "example.com"},
		{"wss://other.example", named, "example.com"},
	} {
		dialed := dial(t, DialConfig{URL: test.url, TLS: test.config, DialContext: toLoopback(addr)})
		state := dialed.Conn.(*tls.Conn).ConnectionState()
		equal(t, test.url+": name", state.ServerName, test.name)
		equal(t, test.url+": protocol", state.NegotiatedProtocol, "http/1.1")
		equal(t, test.url+": early bytes", string(dialed.Early), "early")
		echoes(t, dialed.Conn)
	}
	equal(t, "the caller's protocol", named.NextProtos[0], "h2")
}

// plainOnly is a server that takes TLS for a bad request.
func plainOnly(conn net.Conn) {
	_, _ = conn.Read(make([]byte, 1024))
	_, _ = io.WriteString(conn, "HTTP/1.1 400 x\r\n\r\n")
	_, _ = io.Copy(io.Discard, conn)
}

func TestDialReportsWhatTLSRefuses(t *testing.T) {
	server, clients := behindTLS(t, greet(nil, nil, ""))
	addr := listen(t, server)
	_, err := Dial(context.Background(), DialConfig{URL: "wss://bank.example", TLS: clients, DialContext: toLoopback(addr)})
	if !isHostnameError(err) {
		t.Errorf("certificate for another name: %v", err)
	}
	_, err = Dial(context.Background(), DialConfig{URL: "wss://" + addr})
	var authority x509.UnknownAuthorityError
	if !errors.As(err, &authority) {
		t.Errorf("certificate of a stranger: %v", err)
	}
	_, err = Dial(context.Background(), DialConfig{URL: "wss://" + listen(t, plainOnly)})
	var transport *TransportError
	if !errors.As(err, &transport) || transport.Operation != "tls" {
		t.Errorf("no TLS: %v", err)
	}
	old := clients.Clone()
	old.MaxVersion = tls.VersionTLS11
	_, err = Dial(context.Background(), DialConfig{URL: "wss://" + addr, TLS: old})
	if !errors.As(err, &transport) || transport.Operation != "tls" {
		t.Errorf("TLS 1.1: %v", err)
	}
}
