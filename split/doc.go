// Package split divides one WebSocket connection into a [Reader] half and a
// [Writer] half that different goroutines own: the reader decodes into fixed
// [Buffer]s, the writer sends what stands in its bounded [Mailbox], and both
// share one state. [Readiness] wakes the reader without holding a buffer while
// nothing arrives.
//
// It is not an actor system and has no policy about messages: who handles
// them, and what happens around a close, is decided above it.
package split
