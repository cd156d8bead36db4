package actor_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/wscore"
)

// An upload of any size, read as a stream: memory holds what waits to be read
// and no more, and a client that is faster than the reader is slowed down.
func ExampleBinaryNetConn() {
	sums := make(chan string, 1)
	upload := func(conn net.Conn) {
		defer conn.Close()
		hash := sha256.New()
		size, err := io.Copy(hash, conn) // until the client closes with 1000
		sums <- fmt.Sprintf("%d bytes, %x, %v", size, hash.Sum(nil)[:4], err)
	}
	engine, err := actor.NewEngine()
	if err != nil {
		fmt.Println(err)
		return
	}
	newSession := func(*actor.Handshake) (actor.Receiver, error) { return actor.BinaryNetConn(upload), nil }
	server, err := actor.NewServer(engine, newSession, actor.ServerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}

	c := mustDial(server)
	block := make([]byte, 32<<10)
	for range 100 {
		if err := c.conn.Send(wscore.Binary(block)); err != nil {
			fmt.Println(err)
			return
		}
	}
	c.leave()
	fmt.Println(<-sums)
	fmt.Println(server.Shutdown(context.Background()))
	// Output:
	// 3276800 bytes, 3ef04f21, <nil>
	// <nil>
}
