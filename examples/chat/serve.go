package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/examples/chat/web"
	"github.com/tandem-ws/tandem/metrics"
	"github.com/tandem-ws/tandem/split"
)

// The time limits of the program.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = time.Minute
	// adminWriteTimeout must be longer than a profile takes.
	adminWriteTimeout = 2 * time.Minute
	// httpGrace is what HTTP requests get to end in; WebSockets are none.
	httpGrace      = 2 * time.Second
	maxHeaderBytes = 16 << 10
)

// mailbox bounds what may wait for one client: enough for the notices of a
// full room that comes back after a restart. Over it: close 1013.
var mailbox = split.MailboxConfig{MaxFrames: 1024, MaxBytes: 2 << 20}

// chat is the running program.
type chat struct {
	options  options
	logger   *zap.Logger
	backbone *backbone
	rooms    *rooms
	sockets  *actor.Server
	slow     *actor.Server // for who wants to be a slow client
	public   *http.Server
	admin    *http.Server
}

func newChat(ctx context.Context, o options, logger *zap.Logger) (c *chat, err error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	observer, err := metrics.New(metrics.Config{Registerer: registry})
	if err != nil {
		return nil, err
	}
	engine, err := actor.NewEngine()
	if err != nil {
		return nil, err
	}
	files, err := newPage(web.Files)
	if err != nil {
		return nil, err
	}
	c = &chat{options: o, logger: logger}
	c.backbone, err = openBackbone(ctx, o, engine, registry, observer, logger)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			c.backbone.close()
		}
	}()
	node := newNode(c.backbone.name, engine, logger, time.Now, c.backbone.hub, c.backbone.store)
	node.auth = o.auth
	c.rooms = newRooms(node)
	config := actor.ServerConfig{
		AllowOrigins: list(o.origins),
		ConnConfig: actor.ConnConfig{
			Name: "chat", MaxMessageBytes: maxFrameBytes, Mailbox: mailbox, Observer: observer, Logger: logger,
		},
		Drain: o.drain.config(),
	}
	if c.sockets, err = actor.NewServer(engine, newSession(c.rooms), config); err != nil {
		return nil, err
	}
	if c.slow, err = newSlowLane(engine, newSession(c.rooms), config); err != nil {
		return nil, err
	}
	if err = errors.Join(c.backbone.hub.Attach(c.sockets), c.backbone.hub.Attach(c.slow)); err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	routes.Handle("/", files)
	routes.HandleFunc("GET /config", node.servePageConfig)
	routes.Handle("/ws", c.sockets)
	routes.Handle("/slow", slowed(c.slow))
	c.public = c.newServer(routes, writeTimeout)
	c.admin = c.newServer(newAdmin(registry, c.sockets.ServeReady), adminWriteTimeout)
	return c, nil
}

func (c *chat) newServer(handler http.Handler, writeTimeout time.Duration) *http.Server {
	errorLog, _ := zap.NewStdLogAt(c.logger.Named("http"), zap.WarnLevel) // fails only for an unknown level
	return &http.Server{
		Handler: handler, ErrorLog: errorLog, MaxHeaderBytes: maxHeaderBytes,
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
	}
}

// serve serves on both listeners until the context ends, says goodbye to
// everybody, and returns the exit code.
func serve(ctx context.Context, o options, public, admin net.Listener, logger *zap.Logger) int {
	c, err := newChat(ctx, o, logger)
	if err != nil {
		_, _ = public.Close(), admin.Close()
		logger.Error("the chat cannot start", zap.Error(err))
		return exitFailed
	}
	failed := make(chan error, 2)
	var serving sync.WaitGroup
	serving.Go(func() { failed <- c.public.Serve(public) })
	serving.Go(func() { failed <- c.admin.Serve(admin) })
	logger.Info("the chat is open", zap.String("url", urlOf(public.Addr())), zap.String("admin", urlOf(admin.Addr())),
		zap.String("node", c.backbone.name), zap.String("nats", c.backbone.url()))

	code := exitOK
	select {
	case <-ctx.Done():
	case err := <-failed:
		logger.Error("serving failed", zap.Error(err))
		code = exitFailed
	}
	c.drain()
	serving.Wait()
	return code
}

func (c *chat) shut(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), httpGrace)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close() // its listener is closed already
	}
}

// urlOf returns what to open in a browser on this machine.
func urlOf(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}
