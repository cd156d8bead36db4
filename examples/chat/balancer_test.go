package main

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"
)

// probeInterval is how often a balancer asks each node whether it is ready.
const probeInterval = 50 * time.Millisecond

// balancer forwards TCP connections to nodes that are ready, as a cluster's
// service does: who is connected stays where it is, and who connects goes to any
// node of which the balancer does not know yet that it is leaving.
type balancer struct {
	t        *testing.T
	listener net.Listener
	stopping context.Context
	work     sync.WaitGroup

	mu    sync.Mutex
	nodes []*balanced
	open  map[net.Conn]struct{}
}

// balanced is a node behind a balancer.
type balanced struct {
	host, probe string
	ready       bool
}

func startBalancer(t *testing.T) *balancer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	b := &balancer{t: t, listener: listener, stopping: ctx, open: make(map[net.Conn]struct{})}
	t.Cleanup(func() {
		stop()
		_ = listener.Close() // which ends accept
		b.mu.Lock()
		for stream := range b.open {
			_ = stream.Close() // which ends what copies from it
		}
		b.mu.Unlock()
		b.work.Wait()
	})
	b.work.Go(b.accept)
	b.work.Go(b.watch)
	return b
}

// add gives the balancer another node, which is ready.
func (b *balancer) add(p *program) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes = append(b.nodes, &balanced{host: p.host(), probe: p.admin + "readyz", ready: true})
}

// watch asks the nodes' probes until the end.
func (b *balancer) watch() {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	ticker := time.NewTicker(probeInterval)
	defer ticker.Stop()
	for {
		select {
		case <-b.stopping.Done():
			return
		case <-ticker.C:
		}
		b.mu.Lock()
		nodes := slices.Clone(b.nodes)
		b.mu.Unlock()
		for _, node := range nodes {
			request, err := http.NewRequestWithContext(b.stopping, http.MethodGet, node.probe, nil)
			if err != nil {
				b.t.Error(err)
				return
			}
			response, err := client.Do(request)
			ready := err == nil && response.StatusCode == http.StatusOK
			if err == nil {
				_ = response.Body.Close() // the status says it
			}
			b.mu.Lock()
			node.ready = ready
			b.mu.Unlock()
		}
	}
}

func (b *balancer) accept() {
	for {
		stream, err := b.listener.Accept()
		if err != nil {
			return // closed
		}
		b.work.Go(func() { b.forward(stream) })
	}
}

// keep remembers a stream that the end must close; it reports false after it.
func (b *balancer) keep(stream net.Conn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open[stream] = struct{}{}
	return b.stopping.Err() == nil
}

func (b *balancer) drop(stream net.Conn) {
	b.mu.Lock()
	delete(b.open, stream)
	b.mu.Unlock()
	_ = stream.Close() // nothing is left to be sent
}

// pick returns one of the ready nodes, "" if there is none.
func (b *balancer) pick() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var ready []string
	for _, node := range b.nodes {
		if node.ready {
			ready = append(ready, node.host)
		}
	}
	if len(ready) == 0 {
		return ""
	}
	return ready[rand.IntN(len(ready))]
}

func (b *balancer) forward(client net.Conn) {
	defer b.drop(client)
	host := b.pick()
	if !b.keep(client) || host == "" {
		return
	}
	node, err := net.DialTimeout("tcp", host, patience)
	if err != nil {
		return // the client sees a connection that ends, as with any balancer
	}
	defer b.drop(node)
	if !b.keep(node) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() { pass(client, node) })
	pass(node, client)
	back.Wait()
}

// pass copies one direction, and its end.
func pass(to, from net.Conn) {
	_, _ = io.Copy(to, from)           // an error ends it as its end does
	_ = to.(*net.TCPConn).CloseWrite() // it may be closed
}
