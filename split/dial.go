package split

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// DialConfig says what to connect to and how. The zero value of a field means
// its default; only URL is required.
type DialConfig struct {
	// URL is what to connect to: ws:// or wss://, without a fragment (RFC 6455
	// section 3). A user and password in it become an Authorization field.
	URL string
	// Host takes the place of the URL's host in the Host field.
	Host string
	// Header are further header fields of the request, such as Origin or Cookie.
	// A name that belongs to the handshake, or a value with control characters,
	// gives [wscore.ErrHeaderField].
	Header http.Header
	// Subprotocols are offered in this order of preference.
	Subprotocols []string
	// Deflate offers permessage-deflate (RFC 7692). Default: no compression.
	Deflate *wscore.DeflateConfig
	// Timeout bounds everything from name resolution to the server's answer.
	// Default: 10 s. Range: 1 ms to 1 h. Over it: an error that matches
	// context.DeadlineExceeded.
	Timeout time.Duration
	// DialContext opens the stream to the server, or to its proxy; it must
	// return once its context is done. Default: that of a zero net.Dialer.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS is for wss:// and is not changed. ServerName is the URL's host unless
	// set, MinVersion TLS 1.2 unless set, and the protocol always http/1.1.
	TLS *tls.Config
	// Proxy returns the proxy for a URL, or nil for none: of the schemes http,
	// https (both by CONNECT) and socks5, whose user and password are used.
	// Default: no proxy, whatever the environment says; see
	// [ProxyFromEnvironment] and [ProxyURL].
	Proxy func(*url.URL) (*url.URL, error)
	// ProxyHeader are further header fields of the CONNECT request.
	ProxyHeader http.Header
	// ProxyTLS is what TLS is, for a proxy of the scheme https.
	ProxyTLS *tls.Config
}

// Dialed is a stream whose handshake is done. Early bytes and what was agreed
// belong to [Readiness] and [New].
type Dialed struct {
	// Conn is the stream, without deadlines: for ws:// what DialContext returned,
	// by default a *net.TCPConn, also through a proxy; a *tls.Conn for wss:// and
	// behind a proxy of the scheme https.
	Conn net.Conn
	// Early are the bytes that the server sent behind its answer.
	Early []byte
	// Subprotocol is the one that the server chose, "" for none.
	Subprotocol string
	// Deflate is what was agreed on compression.
	Deflate wscore.DeflateParams
	// Header are the fields of the server's answer.
	Header http.Header
}

const (
	// DefaultDialTimeout is the default of DialConfig.Timeout.
	DefaultDialTimeout = 10 * time.Second
	// MaxResponseHead is the longest answer in bytes, its empty line included,
	// that a server or a proxy may give. Over it: [wscore.ErrHeadTooLarge].
	MaxResponseHead = 16 << 10
	// MaxRefusalBody is how many bytes of a refusal's body are kept.
	MaxRefusalBody = 4 << 10
	// refusalPatience bounds the wait for that body.
	refusalPatience = time.Second
)

// Dial connects to a server and performs the handshake. Redirects are not
// followed.
//
// The errors: [*wscore.ConfigError] for a setting that cannot be used and a
// local [*wscore.HandshakeError] for a request that cannot be sent, both before
// anything is dialed; [*TransportError] with the operation "connect", "tls" or
// "handshake", around the network's own error, or the context's if that ended
// it; [*ProxyError] for all that goes wrong at a proxy; [*RefusalError] for an
// answer with another status than 101; [*wscore.HandshakeError] for an answer
// that is wrong.
//
// The context ends the attempt at any stage; once Dial has returned, it has no
// effect. The stream is closed unless Dial returns it.
func Dial(ctx context.Context, config DialConfig) (*Dialed, error) {
	d, err := newDialing(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, d.config.Timeout)
	defer cancel()
	raw, err := d.connect(ctx)
	if err != nil {
		return nil, err
	}
	watch := closeWith(ctx, raw)
	dialed, err := d.open(ctx, raw)
	if open := watch.end(); !open && err == nil {
		err = &TransportError{Operation: "handshake", Err: ctx.Err()}
	}
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return dialed, nil
}

// Check reports what Dial would refuse before it dials.
func (c DialConfig) Check() error {
	_, err := newDialing(c)
	return err
}

// dialing is one attempt, all of whose settings are known to be good.
type dialing struct {
	config    DialConfig
	target    target
	proxy     *url.URL // nil for none
	handshake *wscore.ClientHandshake
}

func newDialing(config DialConfig) (*dialing, error) {
	d := &dialing{config: config}
	var err error
	if d.config.Timeout == 0 {
		d.config.Timeout = DefaultDialTimeout
	}
	if d.config.Timeout < time.Millisecond || d.config.Timeout > time.Hour {
		return nil, &wscore.ConfigError{Field: "Timeout", Value: config.Timeout, Range: "1ms to 1h (0 for the default)"}
	}
	if d.config.DialContext == nil {
		d.config.DialContext = new(net.Dialer).DialContext
	}
	if d.target, err = parseTarget(config.URL); err != nil {
		return nil, err
	}
	if err := d.findProxy(); err != nil {
		return nil, err
	}
	options := wscore.ConnectOptions{Host: d.target.hostField, Path: d.target.url.RequestURI(), Subprotocols: config.Subprotocols}
	if config.Host != "" {
		options.Host = config.Host
	}
	if options.Headers, err = d.headers(); err != nil {
		return nil, err
	}
	if config.Deflate != nil {
		deflate, err := config.Deflate.WithDefaults()
		if err != nil {
			return nil, err
		}
		options.Deflate = &deflate
	}
	d.handshake, err = wscore.NewClientHandshake(options)
	return d, err
}

// connect opens the stream to the server or its proxy.
func (d *dialing) connect(ctx context.Context) (net.Conn, error) {
	address := d.target.address
	if d.proxy != nil {
		address = proxyAddress(d.proxy)
	}
	conn, err := d.config.DialContext(ctx, "tcp", address)
	if err == nil {
		return conn, nil
	}
	if d.proxy != nil {
		return nil, d.proxyError(ctx, err)
	}
	return nil, transportError(ctx, "connect", err)
}

// open makes of the stream one whose handshake is done.
func (d *dialing) open(ctx context.Context, stream net.Conn) (*Dialed, error) {
	var err error
	if d.proxy != nil {
		if stream, err = d.tunnel(ctx, stream); err != nil {
			return nil, d.proxyError(ctx, err)
		}
	}
	if d.target.secure {
		if stream, err = secured(ctx, stream, d.config.TLS, d.target.name); err != nil {
			return nil, transportError(ctx, "tls", err)
		}
	}
	if _, err := stream.Write(d.handshake.Request()); err != nil {
		return nil, transportError(ctx, "handshake", err)
	}
	response, rest, err := wscore.ReadResponse(stream, make([]byte, MaxResponseHead))
	if err != nil {
		return nil, headError(ctx, err)
	}
	agreed, err := d.handshake.Verify(response)
	if err != nil {
		return nil, d.refusal(response, rest, stream, err)
	}
	return &Dialed{
		Conn: stream, Early: append([]byte(nil), rest...),
		Subprotocol: response.Subprotocol(), Deflate: agreed, Header: headerOf(&response.Fields),
	}, nil
}

// secured performs a TLS handshake as a client.
func secured(ctx context.Context, stream net.Conn, config *tls.Config, name string) (net.Conn, error) {
	if config == nil {
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	} else if config = config.Clone(); config.MinVersion == 0 {
		config.MinVersion = tls.VersionTLS12
	}
	if config.ServerName == "" {
		config.ServerName = name
	}
	config.NextProtos = []string{"http/1.1"} // a config shared with net/http may ask for h2
	secure := tls.Client(stream, config)
	return secure, secure.HandshakeContext(ctx)
}

// streamWatch closes a stream when a context ends.
type streamWatch struct {
	stop   func() bool
	closed chan struct{}
}

func closeWith(ctx context.Context, stream net.Conn) streamWatch {
	closed := make(chan struct{})
	return streamWatch{closed: closed, stop: context.AfterFunc(ctx, func() {
		_ = stream.Close()
		close(closed)
	})}
}

// end ends the watch. It reports whether the stream was left open.
func (w streamWatch) end() bool {
	if w.stop() {
		return true
	}
	<-w.closed
	return false
}
