// Package actortest is for tests of services on the kit: a session under test
// on one end of a stream in memory, and a scripted [Peer] on the other. No
// socket is opened, and everything above the socket is what runs in production:
// net/http, the handshake, the frames, the actors.
//
//	func TestEcho(t *testing.T) {
//		server := actortest.NewServer(t, newEcho, actor.ServerConfig{})
//		peer := actortest.Connect(t, server, actortest.Options{})
//		peer.SendText("hello")
//		peer.ExpectText("hello")
//		peer.Close(1000, "that was all")
//		peer.ExpectClose(1000)
//	}
//
// # Time
//
// There is no clock to be handed through a service. Inside of a
// [testing/synctest] bubble all of it, heartbeats and deadlines included,
// follows the bubble's time, which costs none: it moves on whenever everybody
// waits.
//
//	func TestPeerThatHangsIsFound(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			server := actortest.NewServer(t, newEcho, actor.ServerConfig{})
//			peer := actortest.Connect(t, server, actortest.Options{})
//			peer.Mute() // it answers no pings
//			peer.Timeout = time.Hour
//			began := time.Now()
//			peer.ExpectClose(1011)
//			if waited := time.Since(began); waited < 40*time.Second || waited > 70*time.Second {
//				t.Errorf("found after %v", waited) // of the bubble's time
//			}
//		})
//	}
package actortest
