package wscore_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/tandem-ws/tandem/wscore"
)

// buffers is memory for one connection that receives messages of at most
// 64 KiB.
func buffers() wscore.Buffers {
	return wscore.Buffers{Read: make([]byte, 4096), Write: make([]byte, 4096), Message: make([]byte, 64<<10)}
}

// echo sends every message back until the connection ends.
func echo(c *wscore.Conn) error {
	for {
		message, err := c.Next()
		if errors.Is(err, io.EOF) {
			return nil // both sides have closed
		}
		if err != nil {
			return err
		}
		if message.IsData() { // pings and the close frame have been answered
			if err := c.Send(message); err != nil {
				return err
			}
		}
	}
}

// A server that echoes over a stream whose handshake was done elsewhere, and a
// client that closes after one message.
func Example_echo() {
	clientSide, serverSide := net.Pipe()
	served := make(chan error)
	go func() {
		c, err := wscore.NewConn(serverSide, wscore.Server, buffers(), wscore.Options{})
		if err == nil {
			err = echo(c)
		}
		served <- err
	}()

	c, err := wscore.NewConn(clientSide, wscore.Client, buffers(), wscore.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Send(wscore.Text([]byte("hello"))); err != nil {
		fmt.Println(err)
		return
	}
	message, err := c.Next()
	fmt.Printf("%s %q %v\n", message.Opcode, message.Payload, err)

	if err := c.Close(wscore.CloseNormal, "that was all"); err != nil {
		fmt.Println(err)
		return
	}
	message, err = c.Next()
	fmt.Println(message.Opcode, message.Code, err)
	_, err = c.Next()
	fmt.Println(err, c.State())
	fmt.Println("server:", <-served)
	// Output:
	// text "hello" <nil>
	// close 1000 normal closure <nil>
	// EOF closed
	// server: <nil>
}

// A client that hears of a broken rule: the error says who broke it, where the
// rule stands and which close code was sent.
func ExampleConn_Next() {
	clientSide, serverSide := net.Pipe()
	go func() {
		_, _ = serverSide.Write([]byte{0x83, 0x00}) // opcode 3 is reserved
		_, _ = io.Copy(io.Discard, serverSide)
	}()
	c, err := wscore.NewConn(clientSide, wscore.Client, buffers(), wscore.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = c.Next()
	var violation *wscore.ProtocolError
	if errors.As(err, &violation) {
		fmt.Println(violation.Side, violation.Clause, violation.Code)
	}
	fmt.Println(errors.Is(err, wscore.ErrReservedOpcode))
	// Output:
	// remote RFC 6455 5.2 1002 protocol error
	// true
}

// A server's handshake with a hook that lets in those who show a token and
// chooses a subprotocol; and the client that is let in.
func ExampleAccept() {
	clientSide, serverSide := net.Pipe()
	served := make(chan error)
	go func() {
		c, err := wscore.Accept(serverSide, buffers(), wscore.AcceptOptions{
			OnRequest: func(request *wscore.Request, answer *wscore.Answer) error {
				if string(request.Get("Authorization")) != "Bearer secret" {
					return wscore.Reject(401, "a token is needed")
				}
				answer.Subprotocol = "chat.v1"
				answer.Headers = []wscore.HeaderField{{Name: "X-Room", Value: string(request.Target())}}
				return nil
			},
		})
		if err == nil {
			err = c.Send(wscore.Text([]byte("welcome")))
		}
		served <- err
	}()

	c, subprotocol, err := wscore.Connect(clientSide, buffers(), wscore.ConnectOptions{
		Host:         "chat.example",
		Path:         "/rooms/1",
		Subprotocols: []string{"chat.v2", "chat.v1"},
		Headers:      []wscore.HeaderField{{Name: "Authorization", Value: "Bearer secret"}},
		OnResponse: func(response *wscore.Response) error {
			fmt.Printf("%d %s\n", response.Status(), response.Get("X-Room"))
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	message, err := c.Next()
	fmt.Printf("%s: %q %v\n", subprotocol, message.Payload, err)
	fmt.Println("server:", <-served)
	// Output:
	// 101 /rooms/1
	// chat.v1: "welcome" <nil>
	// server: <nil>
}

// A client that is refused learns the status.
func ExampleConnect() {
	clientSide, serverSide := net.Pipe()
	go func() {
		_, _ = wscore.Accept(serverSide, buffers(), wscore.AcceptOptions{
			OnRequest: func(*wscore.Request, *wscore.Answer) error { return wscore.Reject(503, "try again later") },
		})
	}()
	_, _, err := wscore.Connect(clientSide, buffers(), wscore.ConnectOptions{Host: "chat.example"})
	var refusal *wscore.HandshakeError
	if errors.As(err, &refusal) {
		fmt.Println(errors.Is(err, wscore.ErrNotUpgraded), refusal.Status)
	}
	// Output:
	// true 503
}

// A file that is larger than all buffers, sent and received in pieces.
func ExampleConn_NextPiece() {
	clientSide, serverSide := net.Pipe()
	options := wscore.Options{Limits: wscore.Limits{MaxMessage: 1 << 30}}
	file := strings.NewReader(strings.Repeat("0123456789", 100_000))
	sent := make(chan error)
	go func() {
		c, err := wscore.NewConn(clientSide, wscore.Client, buffers(), options)
		block := make([]byte, 4096)
		for final := false; err == nil && !final; {
			var n int
			n, err = file.Read(block)
			if final = err == io.EOF; final {
				err = nil // the last piece may be empty
			}
			if err == nil {
				err = c.SendPiece(wscore.Binary(block[:n]), final)
			}
		}
		sent <- err
	}()

	c, err := wscore.NewConn(serverSide, wscore.Server, buffers(), options)
	total := 0
	for final := false; err == nil && !final; {
		var piece wscore.Message
		piece, final, err = c.NextPiece()
		if piece.IsData() { // pings have been answered
			total += len(piece.Payload) // the payload is borrowed until the following NextPiece
		} else {
			final = piece.IsClose()
		}
	}
	fmt.Println(total, err, <-sent)
	// Output:
	// 1000000 <nil> <nil>
}
