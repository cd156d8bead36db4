package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tandem-ws/tandem/wscore"
)

// dialSlow connects to the slow lane.
func (p *program) dialSlow() *client {
	p.t.Helper()
	c, err := p.tryPath("/slow", "http://"+p.host())
	if err != nil {
		p.t.Fatal(err)
	}
	c.expect("welcome")
	return c
}

func (p *program) tryPath(path, origin string) (*client, error) {
	p.t.Helper()
	stream, err := net.DialTimeout("tcp", p.host(), patience)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = stream.Close() })
	ws, err := openAt(p.t, stream, path, p.host(), wscore.ConnectOptions{
		Subprotocols: []string{subprotocol}, Headers: []wscore.HeaderField{{Name: "Origin", Value: origin}},
	})
	return &client{t: p.t, stream: stream, ws: ws}, err
}

func refusedWith(err error) int {
	var refusal *wscore.HandshakeError
	if errors.As(err, &refusal) {
		return refusal.Status
	}
	return 0
}

// Who is too slow for a busy room is closed with 1013, and later gets exactly
// what it has missed, in a hurry.
func TestSlowClientIsClosedAndComesBack(t *testing.T) {
	noLeaks(t)
	p, _ := startProgram(t)
	ann, bob := p.dialSlow(), p.dial()
	joined := ann.joinAgain("lobby", "ann", "ann's", "", 0)
	bob.join("lobby", "bob", "ann", "bob")
	last, seen, closed := uint64(0), 0, make(chan struct{})
	go func() {
		defer close(closed)
		for {
			m, err := ann.next()
			if err != nil {
				t.Errorf("the slow client was cut off: %v", err)
				return
			}
			if m.IsClose() {
				if m.Code != wscore.CloseTryAgainLater {
					t.Errorf("closed with %v %q", m.Code, m.Payload)
				}
				return
			}
			if got, ok := readReceived(t, m); ok && got.Type == "message" {
				last = got.Seq
				seen++
			}
		}
	}()
	said, talking := 0, true
	for rate := time.NewTicker(time.Second / messagesPerSecond); talking && said < 300; {
		said++
		bob.say(fmt.Sprint(said), strings.Repeat("x", 100))
		bob.await("ack", "message", "notice")
		select {
		case <-closed:
			talking = false
			rate.Stop()
		case <-rate.C:
		}
	}
	<-closed // at the latest when the program ends
	again := p.dial().joinAgain("lobby", "ann", "ann's", joined.Epoch, last)
	if missed := len(again.History); last == 0 || again.Gap || missed == 0 || seen+missed != said {
		t.Errorf("gap %v: %d messages were seen and %d missed, of %d", again.Gap, seen, missed, said)
	}
}

func TestSlowLaneIsNarrowAndGuarded(t *testing.T) {
	noLeaks(t)
	file, _ := writeTokenKey(t)
	guarded, _ := startProgram(t, "-token-key", file)
	if _, err := guarded.tryPath("/slow", "http://"+guarded.host()); refusedWith(err) != http.StatusUnauthorized {
		t.Errorf("without a token: %v", err)
	}
	p, stop := startProgram(t)
	if _, err := p.tryPath("/slow", "https://evil.example"); refusedWith(err) != http.StatusForbidden {
		t.Errorf("from elsewhere: %v", err)
	}
	var slow []*client
	for range maxSlow {
		slow = append(slow, p.dialSlow())
	}
	if _, err := p.tryPath("/slow", "http://"+p.host()); refusedWith(err) != http.StatusServiceUnavailable {
		t.Errorf("one too many: %v", err)
	}
	p.dial().join("lobby", "ann", "ann") // elsewhere is place

	ended := make(chan int, 1)
	go func() { ended <- stop() }()
	for _, c := range slow {
		if code, _ := c.expectClose(); code != wscore.CloseServiceRestart {
			t.Errorf("closed with %v", code)
		}
	}
	if code := <-ended; code != exitOK {
		t.Errorf("the program ended with %d", code)
	}
}

func TestSlowStreamPassesAllInPieces(t *testing.T) {
	noLeaks(t)
	here, there := net.Pipe()
	slow := &slowStream{Conn: here, closed: make(chan struct{})}
	written := make(chan error, 1)
	go func() {
		_, err := slow.Write(make([]byte, 2*slowPiece))
		written <- err
	}()
	buffer := make([]byte, 4*slowPiece)
	for range 2 {
		if n, err := there.Read(buffer); n != slowPiece || err != nil {
			t.Errorf("read %d: %v", n, err)
		}
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	go func() {
		_, err := slow.Write(make([]byte, 3*slowPiece))
		written <- err
	}()
	if _, err := io.ReadFull(there, buffer[:slowPiece]); err != nil {
		t.Error(err)
	}
	if err := slow.Close(); err != nil {
		t.Error(err)
	}
	if err := <-written; err == nil {
		t.Error("a write outlives its stream")
	}
	_ = there.Close()
}
