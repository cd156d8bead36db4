// Package wscore is the WebSocket protocol (RFC 6455) as values and state
// machines: bytes in, events out ([Decoder]); events in, bytes out ([Encoder]);
// handshake heads for both roles; and a synchronous [Conn] over any
// io.ReadWriter and three buffers that the caller supplies.
//
// It is not a network package: it opens no socket, starts no goroutine, keeps
// no pool and no global state, logs nothing, and allocates nothing once a
// connection is open.
//
// # Who decides what
//
// Every rule of the protocol is decided by four types. [Decoder] judges what
// the peer sends. [Encoder] judges what the application sends. [Lifecycle] is
// the connection's state table, shared by both. [RequestCheck] and
// [ResponseCheck] judge the opening handshake. Everything else, here and in
// the packages above, moves bytes.
package wscore
