package split_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// afterEarly is a stream that begins with bytes that were read before.
type afterEarly struct {
	net.Conn
	input io.Reader
}

func (s afterEarly) Read(p []byte) (int, error) { return s.input.Read(p) }

// A client opens a stream and talks over it with a synchronous connection; an
// actor.Dialer gives the stream to two halves instead.
func ExampleDial() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upgrade, err := split.NewUpgrade(r, nil)
		if err != nil {
			split.Refuse(w, err)
			return
		}
		stream, _, err := upgrade.Accept(w, wscore.Answer{Subprotocol: "chat"}, time.Second)
		if err != nil {
			return
		}
		defer stream.Close()
		_, _ = stream.Write([]byte("\x81\x07welcome")) // a text frame
		_, _ = stream.Read(make([]byte, 64))           // until the client is done
	}))
	defer server.Close()

	dialed, err := split.Dial(context.Background(), split.DialConfig{
		URL:          "ws" + strings.TrimPrefix(server.URL, "http"),
		Subprotocols: []string{"chat"},
		Proxy:        split.ProxyFromEnvironment, // as net/http's default client
	})
	if err != nil {
		panic(err)
	}
	defer dialed.Conn.Close()
	fmt.Println("subprotocol:", dialed.Subprotocol)

	conn, err := wscore.NewConn(afterEarly{dialed.Conn, io.MultiReader(bytes.NewReader(dialed.Early), dialed.Conn)}, wscore.Client,
		wscore.Buffers{Read: make([]byte, 1024), Write: make([]byte, 1024), Message: make([]byte, 1024)},
		wscore.Options{Agreed: dialed.Deflate})
	if err != nil {
		panic(err)
	}
	message, err := conn.Next()
	fmt.Printf("%s %v\n", message.Payload, err)
	// Output:
	// subprotocol: chat
	// welcome <nil>
}

// A refusal says why, and when to come again.
func ExampleRefusalError() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "120")
		http.Error(w, "come back later", http.StatusServiceUnavailable)
	}))
	defer server.Close()

	_, err := split.Dial(context.Background(), split.DialConfig{URL: "ws" + strings.TrimPrefix(server.URL, "http")})
	var refusal *split.RefusalError
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Status, refusal.Header.Get("Retry-After"), strings.TrimSpace(string(refusal.Body)))
	}
	// Output:
	// 503 120 come back later
}
