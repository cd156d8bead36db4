// Package embedded runs a NATS server inside the program, for services that
// have none of their own: without an open port, as one that others may join, or
// as a node of a cluster, and with JetStream if it has a directory to store in.
//
// It brings some 11 MB of server along, which only those compile who import it.
package embedded

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
)

// Config are the settings of a [Server]. The zero value is a server without an
// open port and without JetStream.
type Config struct {
	// Name is the server's, which must be its own in a cluster. Default: one by
	// chance.
	Name string
	// Listen is where clients of other processes connect: host and port, with
	// port 0 for any. Default: nowhere; in a cluster, which does not form without,
	// any port of 127.0.0.1.
	Listen string
	// Token is what clients must show, also those of this process; see
	// nats.Token. Without it everybody may do everything who reaches Listen.
	// Default: none.
	Token string
	// TLS are the settings of Listen. Default: no TLS.
	TLS *tls.Config
	// Cluster makes the server a node of a cluster. Default: none.
	Cluster *Cluster
	// StoreDir is where JetStream keeps its files; it is made if it is not there.
	// Default: no JetStream.
	StoreDir string
	// MaxStore is how many bytes JetStream may use there. Default: three quarters
	// of what is free. Over it: what is published to a stream is refused.
	MaxStore int64
	// SyncAlways writes every message through to the disk before it is
	// acknowledged, which survives a power loss, and costs one disk flush for
	// each. Without, what is acknowledged is with the operating system: it
	// survives the end of the process, however sudden.
	SyncAlways bool
	// StartTimeout is how long [Start] waits for the server. Default: 30 s.
	StartTimeout time.Duration
	// Logger takes the server's log. Default: nobody.
	Logger *zap.Logger
}

// Cluster are the settings of a node of a cluster.
type Cluster struct {
	// Name is the same for all nodes. Default: "tandem".
	Name string
	// Listen is where other nodes connect: host and port, with port 0 for any.
	// It is needed.
	Listen string
	// Routes are the URLs of other nodes, such as nats://10.0.0.5:6222; from one
	// that answers the rest is learned. Default: none, as for a first node.
	Routes []string
}

const (
	defaultStartTimeout = 30 * time.Second
	defaultClusterName  = "tandem"
	loopback            = "127.0.0.1:0"
)

// Server is a running server. It implements nats.InProcessConnProvider.
type Server struct{ server *server.Server }

// ErrNotReady: the server did not start within Config.StartTimeout.
var ErrNotReady = errors.New("embedded: the NATS server did not start in time")

// Start starts a server and waits until it takes connections; a cluster may
// still be forming then. The error is an [*actor.ConfigError], [ErrNotReady], or
// the server's own. [Server.Close] ends it.
func Start(config Config) (*Server, error) {
	options, err := config.options()
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	if config.Logger != nil {
		s.SetLoggerV2(logger{config.Logger.Sugar()}, false, false, false)
	}
	if config.StartTimeout == 0 {
		config.StartTimeout = defaultStartTimeout
	}
	s.Start()
	started := &Server{server: s}
	if !s.ReadyForConnections(config.StartTimeout) || config.StoreDir != "" && !s.JetStreamEnabled() {
		started.Close()
		return nil, ErrNotReady
	}
	return started, nil
}

func (c Config) options() (*server.Options, error) {
	o := &server.Options{
		ServerName: c.Name, NoSigs: true, NoLog: c.Logger == nil, Authorization: c.Token, TLSConfig: c.TLS, TLS: c.TLS != nil,
		JetStream: c.StoreDir != "", StoreDir: c.StoreDir, JetStreamMaxStore: c.MaxStore, SyncAlways: c.SyncAlways,
	}
	if c.TLS != nil {
		o.TLSTimeout = float64(server.TLS_TIMEOUT / time.Second)
	}
	listen := c.Listen
	if c.Cluster != nil {
		o.Cluster.Name = c.Cluster.Name
		if o.Cluster.Name == "" {
			o.Cluster.Name = defaultClusterName
		}
		var err error
		if o.Cluster.Host, o.Cluster.Port, err = split("Cluster.Listen", c.Cluster.Listen); err != nil {
			return nil, err
		}
		for _, route := range c.Cluster.Routes {
			u, err := url.Parse(route)
			if err != nil || u.Host == "" {
				return nil, &actor.ConfigError{Field: "Cluster.Routes", Value: route, Range: "a URL such as nats://10.0.0.5:6222"}
			}
			o.Routes = append(o.Routes, u)
		}
		if listen == "" {
			listen = loopback
		}
	}
	if listen == "" {
		o.DontListen = true
		return o, nil
	}
	var err error
	o.Host, o.Port, err = split("Listen", listen)
	return o, err
}

// split parts an address; the server's word for any port is -1.
func split(field, address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, &actor.ConfigError{Field: field, Value: address, Range: "host:port"}
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// InProcessConn connects to the server without a socket.
func (s *Server) InProcessConn() (net.Conn, error) { return s.server.InProcessConn() }

// URL returns what clients of other processes connect to, or "" if they cannot.
func (s *Server) URL() string {
	if s.server.Addr() == nil {
		return ""
	}
	return s.server.ClientURL()
}

// ClusterURL returns what other nodes have among their routes, or "" without a
// cluster.
func (s *Server) ClusterURL() string {
	if addr := s.server.ClusterAddr(); addr != nil {
		return "nats://" + addr.String()
	}
	return ""
}

// Routes returns how many other nodes the server is connected to.
func (s *Server) Routes() int {
	seen := make(map[string]bool)
	if routes, err := s.server.Routez(nil); err == nil {
		for _, r := range routes.Routes {
			seen[r.RemoteID] = true
		}
	}
	return len(seen)
}

// Close ends the server, its connections and all that it started, and waits for
// that. Calling it again does nothing.
func (s *Server) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}

// logger gives the server's log to zap. Nothing the server says ends the program.
type logger struct{ to *zap.SugaredLogger }

// Noticef logs what the server says of its own life, which is detail here.
func (l logger) Noticef(format string, v ...any) { l.to.Debugf(format, v...) }

// Warnf logs a warning.
func (l logger) Warnf(format string, v ...any) { l.to.Warnf(format, v...) }

// Errorf logs an error.
func (l logger) Errorf(format string, v ...any) { l.to.Errorf(format, v...) }

// Fatalf logs an error: no server ends its program.
func (l logger) Fatalf(format string, v ...any) { l.to.Errorf(format, v...) }

// Debugf logs detail.
func (l logger) Debugf(format string, v ...any) { l.to.Debugf(format, v...) }

// Tracef logs detail.
func (l logger) Tracef(format string, v ...any) { l.to.Debugf(format, v...) }
