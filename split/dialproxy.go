package split

import (
	"context"
	"fmt"
	"net"
	"net/url"

	"golang.org/x/net/http/httpproxy"
	"golang.org/x/net/proxy"

	"github.com/tandem-ws/tandem/wscore"
)

// ProxyFromEnvironment is a value for DialConfig.Proxy: the proxy that
// HTTPS_PROXY (for wss://), HTTP_PROXY (for ws://) and NO_PROXY name, in either
// case, as for net/http. No proxy is used for localhost and loopback addresses.
func ProxyFromEnvironment(u *url.URL) (*url.URL, error) {
	as := *u
	switch u.Scheme {
	case "ws":
		as.Scheme = "http"
	case "wss":
		as.Scheme = "https"
	}
	return httpproxy.FromEnvironment().ProxyFunc()(&as)
}

// ProxyURL returns a value for DialConfig.Proxy that is always the same proxy.
func ProxyURL(u *url.URL) func(*url.URL) (*url.URL, error) {
	return func(*url.URL) (*url.URL, error) { return u, nil }
}

// findProxy asks for the proxy, and refuses what cannot be one.
func (d *dialing) findProxy() error {
	if _, err := headerFields(d.config.ProxyHeader); err != nil {
		return err
	}
	if d.config.Proxy == nil {
		return nil
	}
	found, err := d.config.Proxy(d.target.url)
	if err != nil {
		return &ProxyError{Err: err}
	}
	if found == nil {
		return nil
	}
	if _, known := proxyPorts[found.Scheme]; !known || found.Hostname() == "" {
		return &wscore.ConfigError{Field: "Proxy", Value: found.Redacted(), Range: "http://host, https://host or socks5://host, with port and user if needed"}
	}
	d.proxy = found
	return nil
}

// proxyPorts are the schemes of proxies and their ports. A name is always
// resolved by the proxy, so that both names of SOCKS mean the same.
var proxyPorts = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}

func proxyAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = proxyPorts[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// tunnel asks the proxy at the other end of the stream for the way to the
// server.
func (d *dialing) tunnel(ctx context.Context, stream net.Conn) (net.Conn, error) {
	switch d.proxy.Scheme {
	case "socks5", "socks5h":
		return stream, d.socks(ctx, stream)
	case "https":
		secure, err := secured(ctx, stream, d.config.ProxyTLS, d.proxy.Hostname())
		if err != nil {
			return nil, err
		}
		stream = secure
	}
	return stream, d.connectThrough(stream)
}

// connectThrough sends a CONNECT request (RFC 9110 section 9.3.6).
func (d *dialing) connectThrough(stream net.Conn) error {
	request := fmt.Appendf(nil, "CONNECT %[1]s HTTP/1.1\r\nHost: %[1]s\r\n", d.target.tunneled)
	fields, _ := headerFields(d.config.ProxyHeader) // checked before
	for _, field := range withAuth(fields, "Proxy-Authorization", d.proxy.User) {
		request = fmt.Appendf(request, "%s: %s\r\n", field.Name, field.Value)
	}
	if _, err := stream.Write(append(request, "\r\n"...)); err != nil {
		return err
	}
	response, rest, err := wscore.ReadResponse(stream, make([]byte, MaxResponseHead))
	switch {
	case err != nil:
		return err
	case response.Status() < 200 || response.Status() > 299:
		return &ProxyError{Status: response.Status(), Header: headerOf(&response.Fields)}
	case len(rest) > 0:
		// The server is not asked for anything yet, so this is not from there.
		return ErrProxyBytes
	}
	return nil
}

// socks asks a SOCKS proxy (RFC 1928, RFC 1929).
func (d *dialing) socks(ctx context.Context, stream net.Conn) error {
	var auth *proxy.Auth
	if user := d.proxy.User; user != nil {
		auth = &proxy.Auth{User: user.Username()}
		auth.Password, _ = user.Password()
	}
	dialer, err := proxy.SOCKS5("tcp", proxyAddress(d.proxy), auth, dialedAlready{stream})
	if err == nil {
		// What it returns wraps the stream, which is all that is needed.
		_, err = dialer.(proxy.ContextDialer).DialContext(ctx, "tcp", d.target.tunneled)
	}
	return err
}

// dialedAlready hands out a stream that is open.
type dialedAlready struct{ stream net.Conn }

func (d dialedAlready) Dial(string, string) (net.Conn, error) { return d.stream, nil }

func (d dialedAlready) DialContext(context.Context, string, string) (net.Conn, error) {
	return d.stream, nil
}
