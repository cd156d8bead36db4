// Package load drives a WebSocket server over loopback from one thread and
// checks every reply.
//
// It is not a WebSocket client: frames are encoded once, and what comes back is
// compared with what is known to be right. It needs Linux.
package load
