package compare

import (
	"fmt"
	"slices"
	"strings"
)

// Server is one contender.
type Server struct {
	Name  string
	About string
	Limit bool // a byte echo: it shows what the kernel alone costs
	// Broadcasts and Deflates say what it can do besides echo.
	Broadcasts, Deflates bool
	// Crowds says that it can hold more than a thousand connections.
	Crowds  bool
	program string
	args    []string
}

// Names that the report refers to.
const (
	Baseline = "gws"

	echoServer = "echoserver"
	peerServer = "peerserver"
)

// Servers are all contenders, the baseline first.
var Servers = []Server{
	peer("gws", "github.com/lxzan/gws: goroutine a connection, upgrade by net/http"),
	tandem("actor-poll", "Tandem, the whole kit: session, both halves, epoll loops", true, "actor", "poll"),
	tandem("actor-park", "Tandem, the whole kit: session, both halves, parked goroutines", true, "actor", "park"),
	tandem("split-poll", "Tandem's two halves on epoll loops, no actors", false, "split", "poll"),
	tandem("split-park", "Tandem's two halves on parked goroutines, no actors", false, "split", "park"),
	{Name: "core", About: "Tandem's codec on a goroutine a connection, synchronous", Deflates: true,
		program: echoServer, args: []string{"-engine", "core"}},
	peer("nbio", "github.com/lesismal/nbio: non-blocking, on its own epoll loops"),
	peer("coder", "github.com/coder/websocket: goroutine a connection"),
	peer("gorilla", "github.com/gorilla/websocket: goroutine a connection"),
	peer("gobwas", "github.com/gobwas/ws: lower level, zero-copy upgrade, buffered reader"),
	limit("bytes-net", "no WebSocket: goroutine that reads and writes a net.Conn"),
	limit("bytes-epoll", "no WebSocket: one epoll loop, one read and one write an event"),
}

func peer(name, about string) Server {
	return Server{Name: name, About: about, Broadcasts: true, Deflates: true, Crowds: true,
		program: peerServer, args: []string{"-kind", name}}
}

func tandem(name, about string, broadcasts bool, engine, readiness string) Server {
	return Server{Name: name, About: about, Broadcasts: broadcasts, Deflates: true, Crowds: true,
		program: echoServer, args: []string{"-engine", engine, "-readiness", readiness}}
}

func limit(name, about string) Server {
	return Server{Name: name, About: about, Limit: true, Crowds: true, program: peerServer, args: []string{"-kind", name}}
}

// Pick finds servers by a comma-separated list of names; an empty list is all.
func Pick(names string) ([]Server, error) {
	if names == "" {
		return Servers, nil
	}
	var picked []Server
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(Servers, func(s Server) bool { return s.Name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("no server is called %q", name)
		}
		picked = append(picked, Servers[i])
	}
	return picked, nil
}
