package actor

import (
	"crypto/tls"
	"errors"
	"net"
	"time"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// ErrServerClosed is returned by [Server.Serve] after [Server.Shutdown].
var ErrServerClosed = split.ErrAcceptorClosed

// Serve accepts WebSocket connections from the listener without net/http, until
// the server is shut down ([ErrServerClosed]) or the listener fails. Every
// request is a handshake, whatever its path; any other is answered with 426. A
// *net.TCPListener costs least: with a [split.Poller] its handshakes need no
// goroutines. See [split.Acceptor.Serve]. The listener is closed in any case.
// Serve may be called for several listeners, beside ServeHTTP.
func (s *Server) Serve(listener net.Listener) error { return s.acceptor.Serve(listener) }

// ServeTLS is [Server.Serve] with TLS. Where the config does not say, TLS is of
// version 1.2 at least, and ALPN agrees on http/1.1, as which a WebSocket
// begins. [Certificate.Config] makes one from files.
func (s *Server) ServeTLS(listener net.Listener, config *tls.Config) error {
	if config == nil || len(config.Certificates) == 0 && config.GetCertificate == nil && config.GetConfigForClient == nil {
		_ = listener.Close()
		return &ConfigError{Field: "config", Value: nil, Range: "a TLS config with a certificate"}
	}
	config = config.Clone()
	fill(&config.MinVersion, tls.VersionTLS12)
	if len(config.NextProtos) == 0 {
		config.NextProtos = []string{"http/1.1"}
	}
	return s.acceptor.ServeTLS(listener, config)
}

// newAcceptor makes what performs the handshakes of Serve.
func (s *Server) newAcceptor() (*split.Acceptor, error) {
	return split.NewAcceptor(split.AcceptConfig{
		Decide: s.decide, CheckOrigin: s.checkOrigin, Readiness: s.config.Readiness,
		Timeout: s.config.HandshakeTimeout, MaxHandshakes: s.config.MaxHandshakes,
		Proxy: s.config.ProxyProtocol, TrustedProxies: s.config.TrustedProxies,
		Observer: acceptWatch{s},
	})
}

// checkOrigin needs no http.Request unless the application's own check does.
func (s *Server) checkOrigin(h *split.Handshake) bool {
	if s.config.CheckOrigin != nil {
		return s.config.CheckOrigin(h.Request())
	}
	return s.origins.Allow(h.Head().Get("Origin"), h.Head().Get("Host"))
}

// decide makes a connection of a handshake of Serve.
func (s *Server) decide(own *split.Handshake) error {
	h := &Handshake{own: own, remote: own.Remote()}
	if behind := s.config.TrustedProxies; len(behind) > 0 {
		h.remote = forwardedFor(behind, h.remote, own.Head().Values("X-Forwarded-For"))
		own.SetRemote(h.remote)
	}
	return s.open(h, func(receiver Receiver) error {
		h.answer.Deflate = own.Deflate(s.host.halves.Deflate)
		_, err := s.host.adopt(h.answer, receiver, own.Polled(), func(handler split.Handler) (split.Transport, error) {
			transport, err := own.Accept(h.answer, handler)
			if err == nil {
				s.addresses.assign(handler, h.from)
			}
			return transport, err
		})
		return err
	})
}

// refused reports a handshake that did not become a connection.
func (s *Server) refused(err error) {
	reason := "rejected"
	var refusal *wscore.HandshakeError
	var proxy *split.ProxyHeaderError
	var transport *split.TransportError
	switch {
	case errors.As(err, &refusal):
		reason = refusal.Reason
	case errors.As(err, &proxy):
		reason = proxy.Reason
	case errors.As(err, &transport):
		reason = "transport"
	}
	s.config.Observer.HandshakeRefused(reason)
	s.config.Logger.Debug("websocket handshake refused", zap.String("reason", reason), zap.Error(err))
}

// acceptWatch passes on what the acceptor tells.
type acceptWatch struct{ *Server }

func (w acceptWatch) HandshakeFailed(err error) { w.refused(err) }

func (w acceptWatch) DecidePanicked(value any) { w.host.recovered("producer", nil, value) }

func (w acceptWatch) AcceptFailed(err error, wait time.Duration) {
	w.config.Observer.AcceptFailed(err)
	w.config.Logger.Warn("websocket connections cannot be accepted", zap.Error(err), zap.Duration("wait", wait))
}
