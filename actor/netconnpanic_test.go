package actor_test

import (
	"net"
	"testing"
	"testing/synctest"

	"go.uber.org/zap"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
	"github.com/tandem-ws/tandem/wscore"
)

// Nobody is left who could close the net.Conn: actortest demands at its end that
// no buffer is out.
func TestNetConnWhoseUserPanicsKeepsNoBuffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		panics := make(chan struct{})
		newSession := func(*actor.Handshake) (actor.Receiver, error) {
			return actor.BinaryNetConn(func(net.Conn) {
				<-panics
				panic("by the test")
			}), nil
		}
		quiet := actor.ServerConfig{ConnConfig: actor.ConnConfig{Logger: zap.NewNop()}}
		peer := actortest.Connect(t, actortest.NewServer(t, newSession, quiet), actortest.Options{})
		peer.SendBinary([]byte("nobody reads this"))
		synctest.Wait()
		close(panics)
		peer.ExpectClose(wscore.CloseInternalError)
	})
}
