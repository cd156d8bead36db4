// Package actor runs WebSocket connections as Hollywood actors: for each
// connection a reader process and a writer process own the halves from package
// split, and the user's session, an ordinary Receiver, handles its messages.
// [Server] makes them from an HTTP handler, [Dialer] connects to a server and
// connects again; [Topic] fans messages out, and [Hub] does so over all nodes of
// a service, through a [Broker].
//
// It knows nothing of frames: the protocol is decided in package wscore.
//
// # What a session receives
//
// Hollywood's Initialized and Started, then [Opened] with its [Conn], then a
// [*Message] for each message from the peer, in order, and whatever other
// actors send to its PID; at the end [Closed], once, after the last message,
// and Hollywood's Stopped. A session whose own PID was stopped or poisoned
// gets Stopped without Closed.
//
// Package actortest is for tests of sessions, without sockets.
//
// A panic in a session ends its own connection with close code 1011 and
// nothing else. Hollywood's restarts do not apply to sessions.
package actor
