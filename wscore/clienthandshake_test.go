package wscore

import (
	"errors"
	"strings"
	"testing"
)

// What Connect judges, the handshake on its own judges alike.
func TestClientHandshakeJudgesEveryResponse(t *testing.T) {
	for _, test := range responseCases {
		t.Run(test.name, func(t *testing.T) {
			handshake, err := NewClientHandshake(ConnectOptions{Host: "a", Subprotocols: []string{"chat", "superchat"}})
			if err != nil {
				t.Fatal(err)
			}
			server := newFakeServer(t, test.status, append(test.fields[:len(test.fields):len(test.fields)], [2]string{"X-Node", "7"}))
			server.chunk = 11
			_, _ = server.Write(handshake.Request())
			response, rest, err := ReadResponse(server, make([]byte, 4096))
			if err != nil || len(rest) != 0 || string(response.Get("X-Node")) != "7" {
				t.Fatalf("head: %v, %q behind it", err, rest)
			}
			_, err = handshake.Verify(response)
			var refusal *HandshakeError
			switch {
			case test.want == nil:
				if err != nil || response.Status() != 101 {
					t.Errorf("%v with status %d", err, response.Status())
				}
			case !errors.Is(err, test.want) || !errors.As(err, &refusal) || refusal.Status != test.code:
				t.Errorf("%v, want %v with status %d", err, test.want, test.code)
			}
		})
	}
}

func TestReadResponseKeepsWhatFollowsAndIsBounded(t *testing.T) {
	for _, test := range []struct {
		name, in string
		rest     string
		want     error
	}{
		{"early bytes", "HTTP/1.1 200 x\r\nA: b\r\n\r\nearly", "early", nil},
		{"head over the buffer", "HTTP/1.1 200 " + strings.Repeat("x", 48), "", ErrHeadTooLarge},
		{"end inside the head", "HTTP/1.1 200 x\r\nA", "", ErrHandshakeEnded},
		{"malformed", "HTTP/1.1 200 x\r\n b\r\n\r\n", "", ErrHeadSyntax},
	} {
		t.Run(test.name, func(t *testing.T) {
			response, rest, err := ReadResponse(&tape{in: []byte(test.in)}, make([]byte, 48))
			if !errors.Is(err, test.want) || string(rest) != test.rest || (response == nil) != (test.want != nil) {
				t.Errorf("%v, %q behind it", err, rest)
			}
		})
	}
}

func TestClientHandshakeRefusesWhatCannotBeRequested(t *testing.T) {
	for _, options := range []ConnectOptions{{}, {Host: "a", Headers: []HeaderField{{"Host", "b"}}}, {Host: "a", MaxHeaderFields: -1}} {
		if h, err := NewClientHandshake(options); err == nil || h != nil {
			t.Errorf("%+v: accepted", options)
		}
	}
}

func FuzzReadResponse(f *testing.F) {
	f.Add([]byte("HTTP/1.1 101 x\r\nUpgrade: websocket\r\n\r\n\x81\x00"))
	f.Add([]byte("HTTP/1.0 200\r\n\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		response, rest, err := ReadResponse(&tape{in: in}, make([]byte, 512))
		if err != nil {
			return
		}
		if response.Status() < 0 || response.Status() > 999 || len(rest) > len(in) {
			t.Fatalf("status %d, %d bytes left of %d", response.Status(), len(rest), len(in))
		}
	})
}
