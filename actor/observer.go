package actor

import (
	"time"

	"github.com/tandem-ws/tandem/split"
)

// Observer is told what happens to connections, for metrics. Its methods are
// called from many goroutines at once, poll loops among them: they must not block.
type Observer interface {
	split.Observer
	// ServerStarted reports a server that was made with this observer: how many
	// connections it may have, and what wakes its readers.
	ServerStarted(maxConnections int, readiness split.Readiness)
	// HandshakeDone reports how long a request, once read, took to become a
	// connection: mostly the session producer's time.
	HandshakeDone(took time.Duration)
	// ConnectionOpened reports a connection whose handshake is done, and which
	// readiness has it: "epoll" or "parked" of those in package split.
	ConnectionOpened(readiness string)
	// ConnectionClosing reports that its close has begun, once for each that was
	// opened, and before its end. It is called with the connection's lock held.
	ConnectionClosing()
	// ConnectionClosed reports its end, once for each that was opened.
	ConnectionClosed(closed Closed, lifetime time.Duration)
	// ConnectionEnded follows ConnectionClosed and gives the connection itself,
	// for traces and the like: [Conn.ID], [Conn.RemoteAddr], [Conn.Stats]. What
	// keeps it keeps its memory.
	ConnectionEnded(conn *Conn, closed Closed, lifetime time.Duration)
	// HandshakeRefused reports a request that did not become a connection; the
	// reason is a short constant name, such as "origin".
	HandshakeRefused(reason string)
	// DialFailed reports an attempt of a [Dialer] that brought no connection, and
	// why: "connect", "tls" and "handshake" for a stream that failed there,
	// "proxy", "status" for a server that refused, "answer" for one that answered
	// wrongly, "request" for what could not be asked for, "rejected" for what the
	// application did not want, "attach" if the stream could not be taken over.
	DialFailed(reason string)
	// AcceptFailed reports that [Server.Serve] can accept no connection at the
	// moment, such as for want of file descriptors; it goes on after a pause.
	AcceptFailed(err error)
	// PingRoundTrip reports the time from a ping's completed write to the
	// decoding of its pong.
	PingRoundTrip(roundTrip time.Duration)
	// SessionHandled reports how long a session took to handle a message. One in
	// 16 of each session's messages is timed, beginning with the first from its
	// peer.
	SessionHandled(took time.Duration)
	// SessionLate reports a session that has held up others on its poll loop for
	// more than a millisecond, which costs it that place.
	SessionLate()
	// ConnectionRecovered reports a peer that came back and asked for what it had
	// missed, and whether all of it was still there; see [Conn.Recovered].
	ConnectionRecovered(complete bool)
	// Published reports a message published to a topic that has subscribers: to
	// how many connections, and how many of them took it.
	Published(subscribers, taken int)
	// SubscribersChanged reports how many subscriptions to topics were added, or
	// ended (negative).
	SubscribersChanged(change int)
	// Panicked reports a panic that was recovered in a session, a session's
	// producer or a dialer's hook, or one of the halves: "session", "producer", "reader", "writer".
	Panicked(part string)
	// MessageRefused reports a message that another actor sent to a connection's
	// PID and that could not be taken; Hollywood's dead letter event follows.
	MessageRefused()
	// MessageUnhandled reports a message from a peer that its session never saw,
	// because it was stopped or had panicked.
	MessageUnhandled()
	// RateExceeded reports that a peer went over a limit of [RateConfig]:
	// "messages" or "bytes".
	RateExceeded(limit string)
	// Draining reports that a shutdown has come to a stage, with so many
	// connections left: each stage once for a server, in order, [DrainCut] only
	// if connections had to be cut off.
	Draining(stage DrainStage, left int)
	// BrokerPublished and BrokerReceived report a message that a [Hub] handed to
	// its broker, or took from it, with the length of its payload in bytes.
	BrokerPublished(payload int)
	BrokerReceived(payload int)
	// BrokerFailed reports that a hub could not "publish", "subscribe", or
	// understand what it did "receive".
	BrokerFailed(operation string)
	// BrokerGap reports that messages of a topic may have been lost between
	// nodes; a [Gap] tells the sessions.
	BrokerGap()
	// BrokerLag reports how long a broker that is a [BrokerPinger] took to pass on
	// what had been published; [HubConfig].PingTimeout stands for that and more.
	BrokerLag(lag time.Duration)
	// BrokerConnected reports that a hub's broker has lost its connection or has
	// it again.
	BrokerConnected(connected bool)
}

// NopObserver ignores everything; embed it to implement only some methods.
type NopObserver struct{ split.NopObserver }

var _ Observer = NopObserver{}

// ServerStarted does nothing.
func (NopObserver) ServerStarted(int, split.Readiness) {}

// HandshakeDone does nothing.
func (NopObserver) HandshakeDone(time.Duration) {}

// ConnectionOpened does nothing.
func (NopObserver) ConnectionOpened(string) {}

// ConnectionClosing does nothing.
func (NopObserver) ConnectionClosing() {}

// ConnectionClosed does nothing.
func (NopObserver) ConnectionClosed(Closed, time.Duration) {}

// ConnectionEnded does nothing.
func (NopObserver) ConnectionEnded(*Conn, Closed, time.Duration) {}

// HandshakeRefused does nothing.
func (NopObserver) HandshakeRefused(string) {}

// DialFailed does nothing.
func (NopObserver) DialFailed(string) {}

// AcceptFailed does nothing.
func (NopObserver) AcceptFailed(error) {}

// PingRoundTrip does nothing.
func (NopObserver) PingRoundTrip(time.Duration) {}

// SessionHandled does nothing.
func (NopObserver) SessionHandled(time.Duration) {}

// SessionLate does nothing.
func (NopObserver) SessionLate() {}

// ConnectionRecovered does nothing.
func (NopObserver) ConnectionRecovered(bool) {}

// Published does nothing.
func (NopObserver) Published(int, int) {}

// SubscribersChanged does nothing.
func (NopObserver) SubscribersChanged(int) {}

// Panicked does nothing.
func (NopObserver) Panicked(string) {}

// MessageUnhandled does nothing.
func (NopObserver) MessageUnhandled() {}

// MessageRefused does nothing.
func (NopObserver) MessageRefused() {}

// RateExceeded does nothing.
func (NopObserver) RateExceeded(string) {}

// Draining does nothing.
func (NopObserver) Draining(DrainStage, int) {}

// BrokerPublished does nothing.
func (NopObserver) BrokerPublished(int) {}

// BrokerReceived does nothing.
func (NopObserver) BrokerReceived(int) {}

// BrokerFailed does nothing.
func (NopObserver) BrokerFailed(string) {}

// BrokerGap does nothing.
func (NopObserver) BrokerGap() {}

// BrokerLag does nothing.
func (NopObserver) BrokerLag(time.Duration) {}

// BrokerConnected does nothing.
func (NopObserver) BrokerConnected(bool) {}
