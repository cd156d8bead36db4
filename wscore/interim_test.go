package wscore

import (
	"strings"
	"testing"
)

// Interim responses are passed over, a few of them (RFC 9110 section 15.2).
func TestInterimResponsesArePassedOver(t *testing.T) {
	const hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"
	for _, test := range []struct {
		name, before string
		status       int // of the response that counts
	}{
		{"none", "", 101},
		{"100", "HTTP/1.1 100 Continue\r\n\r\n", 101},
		{"as many as may be", strings.Repeat(hints, maxInterim), 101},
		{"one more", strings.Repeat(hints, maxInterim+1), 103},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, chunk := range []int{0, 1, 7} {
				server := newFakeServer(t, "", nil)
				server.chunk = chunk
				server.respond = func(key string) string {
					return test.before + responseText("101 x", responseFields(), key) + string(frame(Server, finText, "early"))
				}
				c, _, err := Connect(server, handshakeBuffers(), ConnectOptions{Host: "a"})
				if test.status == 101 {
					if err != nil {
						t.Fatal(err)
					}
					if m, err := c.Next(); err != nil || string(m.Payload) != "early" {
						t.Errorf("%q, %v", m.Payload, err)
					}
				} else if err == nil {
					t.Error("connected")
				}

				in := test.before + responseText("101 x", responseFields(), rfcKeyField) + "early"
				stream := &tape{in: []byte(in)}
				stream.chunk = chunk
				response, rest, err := ReadResponse(stream, make([]byte, 256))
				if err != nil || response.Status() != test.status {
					t.Fatalf("%v, %+v", err, response)
				}
				if early := string(rest); test.status == 101 && !strings.HasPrefix("early", early) {
					t.Errorf("%q follows it", early)
				}
			}
		})
	}
}
