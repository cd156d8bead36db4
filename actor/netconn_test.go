package actor_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandem-ws/tandem/actor"
	"github.com/tandem-ws/tandem/actor/actortest"
	"github.com/tandem-ws/tandem/split"
	"github.com/tandem-ws/tandem/wscore"
)

// withNetConn runs a test on both ends of a connection with fake time.
func withNetConn(t *testing.T, session func(func(net.Conn)) actor.Receiver, config actor.ConnConfig, test func(*testing.T, net.Conn, *actortest.Peer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		opened := make(chan net.Conn, 1)
		newSession := func(*actor.Handshake) (actor.Receiver, error) {
			return session(func(conn net.Conn) { opened <- conn }), nil
		}
		peer := actortest.Connect(t, actortest.NewServer(t, newSession, actor.ServerConfig{ConnConfig: config}), actortest.Options{})
		peer.Timeout = time.Hour
		conn := <-opened
		test(t, conn, peer)
		must(t, conn.Close())
	})
}

func wantRead(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v, want %q", got, err, want)
	}
}

func TestNetConnReadsAcrossMessagesAndWritesMessages(t *testing.T) {
	for name, session := range map[string]func(func(net.Conn)) actor.Receiver{"text": actor.TextNetConn, "binary": actor.BinaryNetConn} {
		t.Run(name, func(t *testing.T) {
			withNetConn(t, session, actor.ConnConfig{}, func(t *testing.T, conn net.Conn, peer *actortest.Peer) {
				send, expect := peer.SendText, peer.ExpectText
				if name == "binary" {
					send = func(s string) { peer.SendBinary([]byte(s)) }
					expect = func(s string) { peer.ExpectBinary([]byte(s)) }
				}
				send("hello")
				send("")
				send(" net.Conn")
				wantRead(t, conn, "hell")
				wantRead(t, conn, "o net.")
				wantRead(t, conn, "Conn")
				for _, text := range []string{"one", "", "two"} {
					if n, err := conn.Write([]byte(text)); n != len(text) || err != nil {
						t.Fatalf("write: %d, %v", n, err)
					}
				}
				expect("one")
				expect("two")
			})
		})
	}
}

// A long Write becomes several messages, none of which cuts a character.
func TestNetConnPartsLongWrites(t *testing.T) {
	text := "x" + strings.Repeat("\u20ac", 50_000) // three bytes each
	withNetConn(t, actor.TextNetConn, actor.ConnConfig{Mailbox: split.MailboxConfig{MaxFrames: 1}}, func(t *testing.T, conn net.Conn, peer *actortest.Peer) {
		written := make(chan error, 1)
		go func() {
			_, err := io.Copy(conn, struct{ io.Reader }{strings.NewReader(text)}) // in pieces that io.Copy chooses
			written <- err
		}()
		if err := <-written; !errors.Is(err, wscore.ErrTextNotUTF8) {
			t.Fatalf("a character in two writes: %v", err)
		}
		peer.StopReading()
		synctest.Wait()
		peer.StartReading()
		go func() {
			_, err := conn.Write([]byte("|" + text))
			written <- err
		}()
		var got strings.Builder
		messages := 0
		for !strings.HasSuffix(got.String(), "|"+text) {
			m := peer.Next()
			messages++
			got.Write(m.Payload)
		}
		must(t, <-written)
		if messages < 3 {
			t.Errorf("%d messages", messages)
		}
	})
}

func TestNetConnDeadlinesHarmNothing(t *testing.T) {
	withNetConn(t, actor.BinaryNetConn, actor.ConnConfig{WriteTimeout: time.Hour}, func(t *testing.T, conn net.Conn, peer *actortest.Peer) {
		for range 3 {
			began := time.Now()
			must(t, conn.SetReadDeadline(began.Add(time.Second)))
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(began) != time.Second {
				t.Fatalf("read: %v after %v", err, time.Since(began))
			}
		}
		must(t, conn.SetReadDeadline(time.Time{}))
		peer.SendBinary([]byte("still here"))
		wantRead(t, conn, "still here")

		peer.StopReading()
		must(t, conn.SetWriteDeadline(time.Now().Add(time.Second)))
		sent, block := 0, bytes.Repeat([]byte("x"), 100_000)
		var err error
		for err == nil {
			var n int
			n, err = conn.Write(block)
			sent += n
		}
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() || sent == 0 {
			t.Fatalf("write: %v after %d bytes", err, sent)
		}
		must(t, conn.SetDeadline(time.Time{}))
		peer.StartReading()
		if _, err := conn.Write([]byte("the end")); err != nil {
			t.Fatal(err)
		}
		received := 0
		for {
			m := peer.Next()
			if string(m.Payload) == "the end" {
				break
			}
			received += len(m.Payload)
		}
		if received != sent {
			t.Errorf("%d bytes were said to be sent, %d came", sent, received)
		}
	})
}

// What came before the end can be read; then the end says how it was.
func TestNetConnReadsToTheEnd(t *testing.T) {
	for _, test := range []struct {
		name string
		end  func(*actortest.Peer)
		want func(error) bool
	}{
		{"closed with 1000", func(p *actortest.Peer) { p.Close(1000, ""); p.ExpectClose(1000) }, func(err error) bool { return err == io.EOF }},
		{"closed with 1001", func(p *actortest.Peer) { p.Close(1001, ""); p.ExpectClose(1001) }, func(err error) bool { return err == io.EOF }},
		{"closed with another code", func(p *actortest.Peer) { p.Close(4000, "so"); p.ExpectClose(4000) }, func(err error) bool {
			var closed *actor.ClosedError
			return errors.As(err, &closed) && closed.Code == 4000 && closed.Reason == "so" && strings.Contains(err.Error(), `4000 "so" (remote, peer)`)
		}},
		{"lost", func(p *actortest.Peer) { p.Disconnect() }, func(err error) bool {
			var closed *actor.ClosedError
			return errors.As(err, &closed) && closed.Code == 1006 && errors.Is(err, io.ErrUnexpectedEOF)
		}},
		{"a message of the other type", func(p *actortest.Peer) { p.SendText("text"); p.ExpectClose(1003) }, func(err error) bool {
			var closed *actor.ClosedError
			return errors.As(err, &closed) && closed.Code == 1003 && closed.Initiator == actor.Local
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			withNetConn(t, actor.BinaryNetConn, actor.ConnConfig{}, func(t *testing.T, conn net.Conn, peer *actortest.Peer) {
				peer.SendBinary([]byte("last words"))
				test.end(peer)
				peer.Disconnect()
				time.Sleep(time.Minute)
				wantRead(t, conn, "last words")
				for range 2 {
					if _, err := conn.Read(make([]byte, 1)); !test.want(err) {
						t.Errorf("read: %v", err)
					}
				}
				if _, err := conn.Write([]byte("x")); !errors.Is(err, split.ErrClosed) {
					t.Errorf("write: %v", err)
				}
			})
		})
	}
}

func TestNetConnClose(t *testing.T) {
	withNetConn(t, actor.BinaryNetConn, actor.ConnConfig{}, func(t *testing.T, conn net.Conn, peer *actortest.Peer) {
		peer.SendBinary([]byte("nobody reads this"))
		synctest.Wait()
		waiting := make(chan error)
		second := make([]byte, 100)
		wantRead(t, conn, "nobody reads this")
		go func() { _, err := conn.Read(second); waiting <- err }()
		if _, err := conn.Write([]byte("goodbye")); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		must(t, conn.Close(), conn.Close())
		if err := <-waiting; !errors.Is(err, net.ErrClosed) {
			t.Errorf("read that waited: %v", err)
		}
		peer.ExpectBinary([]byte("goodbye"))
		peer.ExpectClose(1000)
		if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("write: %v", err)
		}
		if conn.LocalAddr().Network() != "websocket" || conn.LocalAddr().String() == "" || conn.RemoteAddr().Network() != "tcp" {
			t.Errorf("addresses %v, %v", conn.LocalAddr(), conn.RemoteAddr())
		}
	})
}

// What nobody reads is bounded, and reading from the peer pauses.
func TestNetConnThatIsNotRead(t *testing.T) {
	config := actor.ConnConfig{InboundBytes: 8 << 10, SessionStallTimeout: time.Minute}
	t.Run("holds little, and all of it comes", func(t *testing.T) {
		withNetConn(t, actor.BinaryNetConn, config, func(t *testing.T, conn net.Conn, peer *actortest.Peer) {
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range 100 {
					peer.SendBinary(make([]byte, 2000))
				}
			}()
			time.Sleep(10 * time.Second)
			select {
			case <-sent:
				t.Error("the peer could send everything")
			default:
			}
			if n, err := io.CopyN(io.Discard, conn, 200_000); n != 200_000 || err != nil {
				t.Errorf("%d bytes, %v", n, err)
			}
			<-sent
		})
	})
	t.Run("is closed as a stalled session", func(t *testing.T) {
		withNetConn(t, actor.BinaryNetConn, config, func(t *testing.T, conn net.Conn, peer *actortest.Peer) {
			for range 20 {
				peer.SendBinary(make([]byte, 2000))
			}
			peer.ExpectClose(1011)
		})
	})
}

func TestPanicInANetConnClosesItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observer := newRecorder()
		newSession := func(*actor.Handshake) (actor.Receiver, error) {
			return actor.BinaryNetConn(func(net.Conn) { panic("no such protocol") }), nil
		}
		server := actortest.NewServer(t, newSession, actor.ServerConfig{ConnConfig: actor.ConnConfig{Observer: observer}})
		actortest.Connect(t, server, actortest.Options{}).ExpectClose(1011)
		if closed := observer.waitClosed(t, 1); closed[0].Cause != actor.CausePanic || len(observer.panics) != 1 {
			t.Errorf("closed with %+v, panics %v", closed, observer.panics)
		}
	})
}
