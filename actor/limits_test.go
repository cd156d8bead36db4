package actor

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/internal/rawpeer"
)

// A time limit ends a connection with its code, within a ping interval of its
// time, and names itself.
func TestTimeLimitsEndConnections(t *testing.T) {
	for _, test := range []struct {
		name   string
		config ServerConfig
		// speak is called every five seconds of fake time.
		speak       func(*rawpeer.Peer) error
		stuck       bool
		least, most time.Duration
		code        CloseCode
		field       string
	}{
		{
			name:   "a connection that only answers pings is idle",
			config: ServerConfig{ConnConfig: ConnConfig{IdleTimeout: time.Minute}},
			least:  time.Minute, most: 85 * time.Second, code: 1001, field: "IdleTimeout",
		},
		{
			name:   "messages do not prolong a lifetime",
			config: ServerConfig{ConnConfig: ConnConfig{MaxLifetime: 10 * time.Minute, IdleTimeout: time.Minute}},
			speak:  func(p *rawpeer.Peer) error { return p.Text("still here") },
			least:  9 * time.Minute, most: 10*time.Minute + time.Second, code: 1001, field: "MaxLifetime",
		},
		{
			name:   "a session that handles nothing while its peer waits is stalled",
			config: ServerConfig{ConnConfig: ConnConfig{SessionStallTimeout: 2 * time.Minute, InboundMessages: 1, IdleTimeout: time.Second * 30}},
			stuck:  true,
			least:  2 * time.Minute, most: 145 * time.Second, code: 1011, field: "SessionStallTimeout",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var release chan struct{}
			session := receiverFunc(func(c *Context) {
				switch c.Message().(type) {
				case Opened:
					release = make(chan struct{}) // made in the bubble
				case *Message:
					if test.stuck {
						<-release
					}
				}
			})
			inBubble(t, test.config, session, func(s *Server, peer *rawpeer.Peer, o *closes) {
				began := time.Now()
				if test.stuck {
					if err := peer.Text("stuck"); err != nil {
						t.Fatal(err)
					}
				}
				spoken := make(chan struct{})
				if test.speak == nil {
					close(spoken)
				} else {
					go func() {
						defer close(spoken)
						for test.speak(peer) == nil {
							time.Sleep(5 * time.Second)
						}
					}()
				}
				for {
					event, err := peer.ReadEvent()
					if err != nil {
						t.Fatal(err)
					}
					if event.Opcode == rawpeer.OpPing && !test.stuck {
						if err := peer.Pong(event.Payload); err != nil {
							t.Fatal(err)
						}
					}
					if event.Opcode == rawpeer.OpClose {
						if CloseCode(event.Code) != test.code {
							t.Errorf("closed with %d, want %d", event.Code, test.code)
						}
						break
					}
				}
				if waited := time.Since(began); waited < test.least || waited > test.most {
					t.Errorf("closed after %v, want %v to %v", waited, test.least, test.most)
				}
				_ = peer.Shut()
				<-spoken
				synctest.Wait()
				if release != nil {
					close(release)
				}
				synctest.Wait()
				o.mu.Lock()
				defer o.mu.Unlock()
				var limit *LimitError
				if len(o.closed) != 1 || o.closed[0].Cause != CauseLimit || !errors.As(o.closed[0].Err, &limit) || limit.Field != test.field {
					t.Errorf("closed with %+v", o.closed)
				}
			})
		})
	}
}

// Slow is not stalled: each message that is handled begins the limit anew.
func TestSlowSessionIsNotStalled(t *testing.T) {
	session := receiverFunc(func(c *Context) {
		if _, ok := c.Message().(*Message); ok {
			time.Sleep(50 * time.Second)
		}
	})
	config := ServerConfig{ConnConfig: ConnConfig{SessionStallTimeout: time.Minute, InboundMessages: 4}}
	inBubble(t, config, session, func(s *Server, peer *rawpeer.Peer, o *closes) {
		go func() {
			for {
				if event, err := peer.ReadEvent(); err != nil || event.Opcode == rawpeer.OpClose {
					return // pings are read and never answered
				}
			}
		}()
		for range 20 {
			if err := peer.Text("work"); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.Len(); n != 1 {
			t.Errorf("%d connections open", n)
		}
		_ = peer.Shut()
	})
}
